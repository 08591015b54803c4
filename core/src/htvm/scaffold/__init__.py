"""Renders a new target: a small package that works at once, to be changed into a chip's own."""
