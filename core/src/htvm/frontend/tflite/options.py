"""Which attributes are read of which op, by the schema's names."""

from __future__ import annotations

from collections.abc import Mapping

_WINDOW = ("Padding", "StrideW", "StrideH", "FusedActivationFunction")
_DILATION = ("DilationWFactor", "DilationHFactor")
_NONE: tuple[str, tuple[str, ...]] = ("", ())

OPTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "CONV_2D": ("Conv2DOptions", (*_WINDOW, *_DILATION)),
    "DEPTHWISE_CONV_2D": ("DepthwiseConv2DOptions", (*_WINDOW, *_DILATION)),
    "FULLY_CONNECTED": (
        "FullyConnectedOptions",
        ("FusedActivationFunction", "WeightsFormat", "KeepNumDims"),
    ),
    "ADD": ("AddOptions", ("FusedActivationFunction",)),
    "SUB": ("SubOptions", ("FusedActivationFunction",)),
    "MUL": ("MulOptions", ("FusedActivationFunction",)),
    "AVERAGE_POOL_2D": ("Pool2DOptions", (*_WINDOW, "FilterWidth", "FilterHeight")),
    "MAX_POOL_2D": ("Pool2DOptions", (*_WINDOW, "FilterWidth", "FilterHeight")),
    "MEAN": ("ReducerOptions", ("KeepDims",)),
    "SQUEEZE": ("SqueezeOptions", ("SqueezeDims",)),
    "CONCATENATION": ("ConcatenationOptions", ("Axis", "FusedActivationFunction")),
    "SPLIT": ("SplitOptions", ("NumSplits",)),
    "STRIDED_SLICE": (
        "StridedSliceOptions",
        ("BeginMask", "EndMask", "EllipsisMask", "NewAxisMask", "ShrinkAxisMask", "Offset"),
    ),
    "SOFTMAX": ("SoftmaxOptions", ("Beta",)),
    "LEAKY_RELU": ("LeakyReluOptions", ("Alpha",)),
    "RESHAPE": _NONE,
    "EXPAND_DIMS": _NONE,
    "TRANSPOSE": _NONE,
    "PAD": _NONE,
    "PADV2": _NONE,
    "SLICE": _NONE,
    "LOGISTIC": _NONE,
    "TANH": _NONE,
    "HARD_SWISH": _NONE,
    "RELU": _NONE,
    "RELU6": _NONE,
    "RELU_N1_TO_1": _NONE,
    "QUANTIZE": _NONE,
    "DEQUANTIZE": _NONE,
    "MAXIMUM": _NONE,
    "MINIMUM": _NONE,
}
"""The options table of each op taken, empty where none of it is needed, and the fields read."""
