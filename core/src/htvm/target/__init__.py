"""What a target is: its hardware, contracts, patterns, tilings and programs."""
