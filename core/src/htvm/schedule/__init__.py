"""Packs and schedules every layer, and checks the tile programs."""
