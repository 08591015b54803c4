"""Which function reads which op of a quantised network."""

from __future__ import annotations

from htvm.frontend.onnx import floating, moving, pointwise, pooling, quantisers, softmax
from htvm.frontend.onnx.call import Rule
from htvm.frontend.onnx.qoperators import QOPERATORS

MOVING: dict[str, Rule] = {
    "Concat": moving.concat,
    "Dropout": moving.identity,
    "Flatten": moving.flatten,
    "Gather": moving.gather,
    "Identity": moving.identity,
    "Pad": moving.pad,
    "Reshape": moving.reshape_,
    "Slice": moving.slice_,
    "Split": moving.split,
    "Squeeze": moving.squeeze,
    "Transpose": moving.transpose_,
    "Unsqueeze": moving.unsqueeze,
}

RULES: dict[str, Rule] = {
    **MOVING,
    **pointwise.POINTWISE,
    **pointwise.BINARY,
    **QOPERATORS,
    "AveragePool": pooling.average_pool,
    "Cast": moving.cast,
    "Conv": floating.conv,
    "DequantizeLinear": quantisers.dequantize,
    "Gemm": floating.gemm,
    "GlobalAveragePool": pooling.global_average_pool,
    "GlobalMaxPool": pooling.global_max_pool,
    "MatMul": floating.matmul,
    "MaxPool": pooling.max_pool,
    "Pow": pointwise.power,
    "QuantizeLinear": quantisers.quantize,
    "ReduceMax": pooling.reduce_max,
    "ReduceMean": pooling.reduce_mean,
    "ReduceSum": pooling.reduce_sum,
    "Softmax": softmax.softmax,
    "com.microsoft.DequantizeLinear": quantisers.dequantize,
    "com.microsoft.QuantizeLinear": quantisers.quantize,
}
