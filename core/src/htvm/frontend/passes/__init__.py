"""Exact rewrites of integer graphs, each a function from a graph to a graph."""
