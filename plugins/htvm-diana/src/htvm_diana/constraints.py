"""What the digital core can take: each an object that documents, checks and gives the reason."""

from __future__ import annotations

from math import prod

from htvm.api import Constraint, Hardware, Layer, contract_constraints
from htvm_diana import forms, geometry, pack
from htvm_diana.forms import ENGINE


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


def of_convolution(hardware: Hardware) -> tuple[Constraint, ...]:
    """What a convolution must fulfil."""
    return (*_contract("conv2d", hardware), BATCH, WINDOW)


def of_dense(hardware: Hardware) -> tuple[Constraint, ...]:
    """What a dense layer must fulfil."""
    return (*_contract("dense", hardware), ONE_ROW, WEIGHT_MEMORY)


def of_addition(hardware: Hardware) -> tuple[Constraint, ...]:
    """What a sum must fulfil."""
    return (*_contract("add", hardware), SAME_SHAPE, ADDENDS)


def _contract(kind: str, hardware: Hardware) -> tuple[Constraint, ...]:
    return contract_constraints(hardware.engines[ENGINE].contract(kind))
