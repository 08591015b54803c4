"""Reads network files as networks of real numbers."""
