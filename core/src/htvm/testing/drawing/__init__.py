"""Draws small networks that a pattern's template fits, over everything a contract allows."""
