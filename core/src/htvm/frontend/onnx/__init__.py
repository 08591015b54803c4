"""The ONNX front end: QDQ, QOperator, and integer networks carried in floats."""

from htvm.frontend.onnx.integerise import integerise

__all__ = ["integerise"]
