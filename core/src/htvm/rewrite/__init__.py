"""Exact rewrites: the same numbers, in an arithmetic that an engine of the target has."""
