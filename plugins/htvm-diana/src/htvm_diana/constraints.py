"""What the digital core can take: each an object that documents, checks and gives the reason."""

from __future__ import annotations

from math import prod

from htvm.api import Constraint, DType, Hardware, Layer, Tensor, ops, requant
from htvm_diana import forms, geometry, pack
from htvm_diana.fold import Unfoldable

ENGINE = "digital"
CLIPS = ((-128, 127), (0, 127))


def _requant(layer: Layer) -> requant.Requant:
    op = layer.op("requant")
    assert isinstance(op, requant.Requant)
    return op


def _names(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.name} is {tensor.dtype}" for tensor in tensors)


def _eight_bits(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    tensors = [*layer.inputs, layer.output]
    tensors += [
        tensor
        for capture in ("conv", "dense")
        if capture in layer.captures
        for tensor in (layer.operand(capture, 1),)
        if tensor is not None
    ]
    wrong = tuple(tensor for tensor in tensors if tensor.dtype is not DType.INT8)
    return _names(wrong) if wrong else None


def _shift_mode(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    op = layer.op("requant")
    if isinstance(op, requant.ShiftRequant):
        return None
    return f"the network asks for {op.mode if isinstance(op, requant.Requant) else 'float32'}"


def _clip(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    op = _requant(layer)
    return None if (op.lo, op.hi) in CLIPS else f"clip is {op.lo}..{op.hi}"


def _zero_points(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    op = layer.op("conv") if "conv" in layer.captures else layer.op("dense")
    assert isinstance(op, ops.Conv2d | ops.Dense)
    seen = (op.input_zero_point, op.weight_zero_point)
    return None if seen == (0, 0) else f"input zero point {seen[0]}, weight zero point {seen[1]}"


def _arithmetic(layer: Layer, hardware: Hardware) -> str | None:
    folded = forms.folded(layer, hardware)
    return folded.seen if isinstance(folded, Unfoldable) else None


def _batch(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    shape = layer.inputs[0].shape
    return None if shape[0] == 1 else f"batch is {shape[0]}"


def _one_row(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    tensor = layer.operand("dense", 0)
    lead = () if tensor is None else tensor.shape[:-1]
    return None if prod(lead) == 1 else f"{prod(lead)} rows"


def _window(layer: Layer, hardware: Hardware) -> str | None:
    form, limit = forms.convolution(layer, hardware), hardware.memories["weights"].size_bytes
    return geometry.why_not(form, hardware.engines[ENGINE], limit)


def _weight_memory(layer: Layer, hardware: Hardware) -> str | None:
    weights = layer.constant("dense", 1)
    needed = 0 if weights is None else pack.dense_block_bytes(weights.shape[1])
    limit = hardware.memories["weights"].size_bytes
    return None if needed <= limit else f"16 outputs take {needed} B of weights of {limit} B"


def _same_shape(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    shapes = {tensor.shape for tensor in layer.inputs}
    seen = " and ".join(str(shape) for shape in sorted(shapes))
    return None if shapes == {layer.output.shape} else f"shapes are {seen}"


def _addends(layer: Layer, hardware: Hardware) -> str | None:
    found = forms.addition(layer, hardware)
    return found if isinstance(found, str) else None


EIGHT_BITS = Constraint(text="inputs, weights and output are int8", check=_eight_bits)
SHIFT_MODE = Constraint(
    text="requantisation is an addition and a right shift (mode shift), all the core has",
    check=_shift_mode,
)
CLIP = Constraint(
    text="results are clipped to -128..127, or to 0..127 by a ReLU",
    check=_clip,
)
ZERO_POINTS = Constraint(text="zero points are 0", check=_zero_points)
ARITHMETIC = Constraint(
    text=(
        "multipliers and shifts fold exactly into int8 weights, an int32 bias that provably never "
        "wraps and one shift of 0 to 31 for all channels"
    ),
    check=_arithmetic,
)
BATCH = Constraint(text="batch is 1", check=_batch)
WINDOW = Constraint(
    text=(
        "kernel rows and columns are at most 7 and stride is 1 or 2, the same both ways, as the "
        "layer stands or after space-to-depth; 16 outputs' weights fit the weight memory"
    ),
    check=_window,
)
ONE_ROW = Constraint(text="the input is one vector", check=_one_row)
WEIGHT_MEMORY = Constraint(
    text="the weights and biases of 16 outputs fit the weight memory", check=_weight_memory
)
SAME_SHAPE = Constraint(text="both inputs have the output's shape", check=_same_shape)
ADDENDS = Constraint(
    text=(
        "the sum is (a + b) >> shift or, run as a 1x1 convolution, whole multiples of both inputs "
        "that fit int8 weights, plus one int32 constant"
    ),
    check=_addends,
)

CONVOLUTION = (EIGHT_BITS, SHIFT_MODE, CLIP, ZERO_POINTS, BATCH, ARITHMETIC, WINDOW)
DENSE = (EIGHT_BITS, SHIFT_MODE, CLIP, ZERO_POINTS, ONE_ROW, ARITHMETIC, WEIGHT_MEMORY)
ADDITION = (EIGHT_BITS, SHIFT_MODE, CLIP, SAME_SHAPE, ADDENDS)
