"""Quantisation with calibration data: from a network of real numbers to an engine's arithmetic."""
