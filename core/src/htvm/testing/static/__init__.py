"""Looks a target over without importing it: metadata, TOML files, source code."""
