"""Writes quantised networks as ONNX files of standard operators."""
