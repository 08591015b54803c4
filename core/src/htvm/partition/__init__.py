"""Finds every place where a pattern of the target fits the network."""
