"""htvm's target for DIANA: its RISC-V host and its digital core."""
