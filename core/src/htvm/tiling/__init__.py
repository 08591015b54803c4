"""What tilers of scratchpad engines share: trying tile sizes, boxes of tensors, pipelines."""
