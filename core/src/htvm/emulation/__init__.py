"""C that emulates a scratchpad and an asynchronous DMA, for targets to build their own on."""
