"""Builds the generated C on the host and compares it with the reference."""
