"""Chooses the engine, tiling and layouts that make the whole network fastest."""
