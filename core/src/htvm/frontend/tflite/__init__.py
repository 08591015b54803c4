"""Front end for int8 TFLite files."""

from htvm.frontend.tflite.integerise import integerise

__all__ = ["integerise"]
