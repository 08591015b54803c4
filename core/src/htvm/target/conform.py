"""Constraints made from a contract, so that check, documentation and reason are its own words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from htvm.ir import ops
from htvm.ir.graph import Node
from htvm.ir.requant import Requant, ShiftRequant
from htvm.ir.tensor import Tensor
from htvm.target.contract import Contract, Range, signed_range
from htvm.target.folding import INT8, Folded, Unfoldable, fold
from htvm.target.hardware import Hardware
from htvm.target.layer import Layer
from htvm.target.pattern import Constraint

Check = Callable[[Contract, Layer], str | None]
REQUANTISATION = "requantisation "
"""Begins the constraint on how results are rounded."""


def contract_constraints(contract: Contract) -> tuple[Constraint, ...]:
    """What a layer must fulfil to have a contract's arithmetic, cheapest check first.

    They hold for layers of one convolution, dense layer or matrix product with what requantises
    it, and, as far as types and requantisation go, for any other layer.
    """
    wanted: list[tuple[str, Check]] = [(_types_text(contract), _types)]
    if contract.input_range:
        wanted.append((f"inputs stay within {_span(contract.input_range)}", _operands))
    if contract.weight_range not in {INT8, *(kind.bounds for kind in contract.weight_types)}:
        wanted.append((f"weights stay within {_span(contract.weight_range)}", _weights))
    wanted.append((_modes_text(contract), _modes))
    if contract.adc_range:
        text = f"accumulators pass a converter that clips to {_span(contract.adc_range)}"
        wanted.append((f"{text}, after a power-of-two gain and without a bias", _converter))
    if contract.clips:
        spans = " or ".join(_span(clip) for clip in contract.clips)
        wanted.append((f"results are clipped to {spans}", _clips))
    if not contract.zero_points:
        wanted.append((_zero_points_text(contract), _zero_points))
    elif contract.pad_value == "zero":
        wanted.append(("padding holds 0: padded inputs have zero point 0", _padding))
    if not contract.obliging:
        wanted.append((_arithmetic_text(contract), _arithmetic))
    return tuple(_constraint(contract, text, check) for text, check in wanted)


def folded(layer: Layer, contract: Contract) -> Folded | Unfoldable | None:
    """A layer's weights, bias and requantisation in a contract's arithmetic.

    Input zero points are in the bias, so padding has to hold them. None where there is nothing to
    bring there: no product of constant weights, or no addition and shift behind it.
    """
    parts = _Parts.of(layer)
    if not parts.requants or not isinstance(parts.requants[-1].op, ShiftRequant):
        return None
    op = parts.requants[-1].op
    if contract.adc_range is not None:
        channels = max(op.mul.size, op.add.size, op.shift.size)
        return fold(np.ones((channels, 1), np.int64), None, op, contract, contract.adc_range)
    weights = parts.weights
    if weights is None or weights.value is None:
        return None
    zero, weight_zero = parts.zero_points
    matrix = weights.value.astype(np.int64) - weight_zero
    taken_off = np.int64(zero) * matrix.reshape(len(matrix), -1).sum(axis=1)
    bias = None if parts.bias is None else parts.bias.value
    start = (0 if bias is None else bias.astype(np.int64)) - taken_off
    return fold(matrix, start, op, contract, parts.operand.span)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Parts:
    """A layer's product and requantisations."""

    layer: Layer
    product: Node | None
    requants: tuple[Node, ...]

    @classmethod
    def of(cls, layer: Layer) -> _Parts:
        products = [n for n in layer.nodes if isinstance(n.op, ops.Conv2d | ops.Dense | ops.MatMul)]
        return cls(
            layer=layer,
            product=products[0] if products else None,
            requants=tuple(node for node in layer.nodes if isinstance(node.op, Requant)),
        )

    def _input(self, index: int) -> Tensor | None:
        names = self.product.inputs if self.product else ()
        return self.layer.tensors[names[index]] if index < len(names) else None

    @property
    def operand(self) -> Tensor:
        """What the product reads, as it lies before a reshape the layer may begin with."""
        return self.layer.inputs[0]

    @property
    def weights(self) -> Tensor | None:
        return self._input(1)

    @property
    def bias(self) -> Tensor | None:
        return self._input(2)

    @property
    def zero_points(self) -> Range:
        op = self.product.op if self.product else None
        if isinstance(op, ops.Conv2d | ops.Dense):
            return op.input_zero_point, op.weight_zero_point
        return (op.a_zero_point, op.b_zero_point) if isinstance(op, ops.MatMul) else (0, 0)


def _constraint(contract: Contract, text: str, check: Check) -> Constraint:
    def run(layer: Layer, hardware: Hardware) -> str | None:
        del hardware
        return check(contract, layer)

    return Constraint(text=text, check=run)


def _span(span: Range) -> str:
    return f"{span[0]}..{span[1]}"


def _any(words: Iterable[object]) -> str:
    *first, last = [str(word) for word in words]
    return f"{', '.join(first)} or {last}" if first else last


def _types_text(contract: Contract) -> str:
    inputs, weights, outputs = (
        _any(kinds)
        for kinds in (contract.input_types, contract.weight_types, contract.output_types)
    )
    if inputs == weights == outputs:
        return f"inputs, weights and output are {inputs}"
    return f"inputs are {inputs}, weights {weights}, the output {outputs}"


def _types(contract: Contract, layer: Layer) -> str | None:
    weights = _Parts.of(layer).weights
    sides = [
        *((tensor, contract.input_types) for tensor in layer.inputs),
        (layer.output, contract.output_types),
    ]
    if weights is not None and weights not in layer.inputs:
        sides.append((weights, contract.weight_types))
    wrong = [tensor for tensor, kinds in sides if tensor.dtype not in kinds]
    return ", ".join(f"{tensor.name} is {tensor.dtype}" for tensor in wrong) or None


def _operands(contract: Contract, layer: Layer) -> str | None:
    lo, hi = contract.input_range or INT8
    wide = [tensor for tensor in layer.inputs if tensor.span[0] < lo or tensor.span[1] > hi]
    return ", ".join(f"{tensor.name} takes {_span(tensor.span)}" for tensor in wide) or None


def _weights(contract: Contract, layer: Layer) -> str | None:
    weights = _Parts.of(layer).weights
    if weights is None or weights.value is None or not weights.value.size:
        return None
    lo, hi = int(weights.value.min()), int(weights.value.max())
    inside = contract.weight_range[0] <= lo and hi <= contract.weight_range[1]
    return None if inside else f"weights reach {_span((lo, hi))}"


def _modes_text(contract: Contract) -> str:
    if contract.modes == ("shift",):
        times = "" if contract.multiplier == "none" else "a multiplication, "
        return f"{REQUANTISATION}is {times}an addition and a right shift (mode shift)"
    return f"{REQUANTISATION}has mode {_any(contract.modes)}"


def _modes(contract: Contract, layer: Layer) -> str | None:
    ends = _Parts.of(layer).requants
    if not ends:
        return None if contract.raw else "the accumulator itself is wanted"
    asked = [node.op.mode for node in ends if isinstance(node.op, Requant)]
    strange = [mode for mode in asked if mode not in contract.modes]
    return f"the network asks for {strange[0]}" if strange else None


def _converter(contract: Contract, layer: Layer) -> str | None:
    parts = _Parts.of(layer)
    if parts.bias is not None:
        return "a bias is added before the converter"
    first = parts.requants[0].op if parts.requants else None
    if not isinstance(first, ShiftRequant) or len(parts.requants) < 2:
        return "there is no converter step before the requantisation"
    if (first.lo, first.hi) != contract.adc_range:
        return f"the converter step clips to {_span((first.lo, first.hi))}"
    plain = np.all(first.mul == 1) and not np.any(first.add) and np.unique(first.shift).size == 1
    return None if plain else "the converter step is not one power of two without an addend"


def _clips(contract: Contract, layer: Layer) -> str | None:
    ends = _Parts.of(layer).requants
    op = ends[-1].op if ends else None
    if not isinstance(op, Requant) or (op.lo, op.hi) in contract.clips:
        return None
    return f"clip is {op.lo}..{op.hi}"


def _zero_points_text(contract: Contract) -> str:
    if contract.pad_value == "any":
        return "weight zero points are 0; input zero points go into the bias and the padding"
    return "zero points are 0"


def _zero_points(contract: Contract, layer: Layer) -> str | None:
    zero, weight_zero = _Parts.of(layer).zero_points
    if weight_zero == 0 and (zero == 0 or contract.pad_value == "any"):
        return None
    return f"input zero point {zero}, weight zero point {weight_zero}"


def _padding(contract: Contract, layer: Layer) -> str | None:
    del contract
    parts = _Parts.of(layer)
    padded = (
        parts.product is not None
        and isinstance(parts.product.op, ops.Conv2d)
        and any(parts.product.op.pad)
    )
    zero = parts.zero_points[0]
    return f"padded with input zero point {zero}" if padded and zero else None


def _arithmetic_text(contract: Contract) -> str:
    shift = f"{contract.shift_range[0]} to {contract.shift_range[1]}"
    ends = f"{'one shift' if contract.shift == 'tensor' else 'shifts'} of {shift}"
    scope = "for all channels" if contract.shift == "tensor" else "by channel"
    bias = f"an int{contract.bias_bits} bias that provably never wraps"
    if contract.multiplier == "none":
        lo, hi = contract.weight_range
        weights = "int8 weights" if (lo, hi) == INT8 else f"weights of {lo}..{hi}"
        return f"multipliers and shifts fold exactly into {weights}, {bias} and {ends} {scope}"
    widths = _any(abs(bits) for bits in contract.multiplier_bits)
    sign = "signed" if contract.multiplier_range[0] < 0 else "unsigned"
    each = "one" if contract.multiplier == "tensor" else "each channel's"
    return f"{each} multiplier is {sign} of {widths} bits, with {bias} and {ends} {scope}"


def _arithmetic(contract: Contract, layer: Layer) -> str | None:
    found = folded(layer, contract)
    if isinstance(found, Unfoldable):
        return found.seen
    return _raw_accumulator(contract, layer) if found is None else None


def _raw_accumulator(contract: Contract, layer: Layer) -> str | None:
    """Whether an accumulator that is handed out can leave its width."""
    parts = _Parts.of(layer)
    if parts.requants or parts.weights is None or parts.weights.value is None:
        return None
    matrix = parts.weights.value.astype(np.int64).reshape(len(parts.weights.value), -1)
    lo, hi = min(parts.operand.span[0], 0), max(parts.operand.span[1], 0)
    least = np.minimum(matrix * lo, matrix * hi).sum(axis=1)
    greatest = np.maximum(matrix * lo, matrix * hi).sum(axis=1)
    low, high = signed_range(contract.accumulator_bits)
    if not matrix.size or (int(least.min()) >= low and int(greatest.max()) <= high):
        return None
    return f"the accumulator reaches {int(least.min())}..{int(greatest.max())} of {low}..{high}"
