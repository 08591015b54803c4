"""Prints the C project and writes it to disk."""
