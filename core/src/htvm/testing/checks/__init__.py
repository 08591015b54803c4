"""What the kit checks, a module for each level."""
