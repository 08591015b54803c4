"""Bias and requantisation brought to the arithmetic a contract has, exactly or not at all.

A source's multipliers and per-channel shifts are taken into weights and bias where the contract has
none and that changes no result: multiplying by an integer is exact while the weights stay in range,
and ``(2 w x + b) >> s`` equals ``(w x + (b >> 1)) >> (s - 1)`` for whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.ir.requant import ShiftRequant
from htvm.ir.tensor import Array
from htvm.target.contract import Contract, Range, signed_range

Ints = npt.NDArray[np.int64]

INT8: Range = (-128, 127)
_SOURCE = signed_range(32)
_PROVABLE = 2**55
_MOST_UP = 7
"""Left shifts tried: 8 more bits fit no 8-bit weight, and 55 + 7 stays within 64."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Folded:
    """``clip((weights x * mul + bias) >> shift, lo, hi)``, with the contract's own rounding.

    Attributes:
        weights: Integers in the contract's weight range, of the source's shape.
        mul: ``(K,)``; 1 where the contract has no multiplier.
        bias: ``(K,)``, of the contract's width.
        shift: ``(K,)``; all the same where the contract has one shift.
        clip: Least and greatest result.
    """

    weights: Ints
    mul: Ints
    bias: Ints
    shift: Ints
    clip: Range


@dataclass(frozen=True, kw_only=True)
class Unfoldable:
    """Why weights and requantisation cannot be brought to the contract.

    Attributes:
        seen: The bound and the value that breaks it.
    """

    seen: str


def fold(
    weights: Array, bias: Array | None, op: ShiftRequant, contract: Contract, inputs: Range = INT8
) -> Folded | Unfoldable:
    """Bring one layer to a contract's arithmetic.

    Args:
        weights: Integers, first axis K.
        bias: Integers ``(K,)``, or None.
        op: The layer's requantisation.
        contract: The arithmetic wanted.
        inputs: Least and greatest input, zero point taken off; padding adds 0.
    """
    matrix = weights.reshape(weights.shape[0], -1).astype(np.int64)
    outputs = len(matrix)
    start = np.zeros(outputs, np.int64) if bias is None else bias.astype(np.int64)
    overflow = _first_outside(*accumulator_range(matrix, start, inputs), _SOURCE)
    if overflow is not None:
        return Unfoldable(seen=f"the source's own accumulator can wrap: {overflow}")
    mul, add, shift = (np.broadcast_to(values, outputs) for values in (op.mul, op.add, op.shift))
    if int(np.abs(mul).max()) >= 2**31 or int(np.abs(add).max()) >= _PROVABLE:
        return Unfoldable(seen="the multiplier or the addend is wider than can be proved exact")
    total = start * mul + add
    if int(np.abs(total).max()) >= _PROVABLE:
        return Unfoldable(seen=f"the bias reaches {int(np.abs(total).max())} before the shift")
    layer = _Layer(
        matrix=matrix, mul=mul, total=total, shift=shift, clip=(op.lo, op.hi), inputs=inputs
    )
    found = layer.folded(contract)
    if isinstance(found, Unfoldable):
        return found
    return Folded(
        weights=found.weights.reshape(weights.shape),
        mul=found.mul,
        bias=found.bias,
        shift=found.shift,
        clip=found.clip,
    )


def accumulator_range(matrix: Ints, bias: Ints, inputs: Range = INT8) -> tuple[Ints, Ints]:
    """Least and greatest accumulator of each output, whatever the inputs and the padding.

    Args:
        matrix: Weights, ``(K, n)``.
        bias: ``(K,)``.
        inputs: Least and greatest input.
    """
    low, high = min(inputs[0], 0), max(inputs[1], 0)
    ends = matrix * low, matrix * high
    return np.minimum(*ends).sum(axis=1) + bias, np.maximum(*ends).sum(axis=1) + bias


@dataclass(frozen=True, kw_only=True, eq=False)
class _Layer:
    """One layer's parameters, one entry for each output channel."""

    matrix: Ints
    mul: Ints
    total: Ints
    shift: Ints
    clip: Range
    inputs: Range

    def folded(self, contract: Contract) -> Folded | Unfoldable:
        """With the source's own shifts if possible, else with any the contract has."""
        seen = ""
        for shift in self._shifts(contract):
            found = self._with_shift(np.broadcast_to(shift, self.shift.shape), contract)
            if found is None:
                continue
            overflow = self._overflow(found, contract)
            if overflow is None:
                return found
            seen = seen or overflow
        return Unfoldable(seen=seen or _describe(self.mul, self.shift))

    def _coefficients(self, contract: Contract) -> tuple[Ints, Range]:
        """What a multiplier goes into, and the values that may take."""
        if contract.multiplier == "none":
            return self.matrix * self.mul[:, None], contract.weight_range
        return self.mul[:, None], contract.multiplier_range

    def _shifts(self, contract: Contract) -> list[Ints]:
        """Shifts to try: the source's own first, then all from small to large."""
        least, most = contract.shift_range
        if contract.shift == "channel":
            return [np.clip(self.shift, least, most)]
        live = self.shift[self._coefficients(contract)[0].any(axis=1)]
        wanted = int(live.max() if live.size else self.shift.max())
        tried = (wanted, *range(least, most + 1))
        return [np.array([value]) for value in tried if least <= value <= most]

    def _with_shift(self, wanted: Ints, contract: Contract) -> Folded | None:
        """Parameters that give the same results with other shifts, or None."""
        coefficients, limit = self._coefficients(contract)
        up = np.maximum(wanted - self.shift, 0)
        down = np.maximum(self.shift - wanted, 0)
        constant = ~(self.matrix * self.mul[:, None]).any(axis=1)
        low_bits = (1 << np.minimum(down, 62)) - 1
        if np.any(up[~constant] > _MOST_UP) or np.any(coefficients & low_bits[:, None]):
            return None
        small = np.minimum(up, _MOST_UP)
        moved = (coefficients << small[:, None]) >> down[:, None]
        if moved.size and (moved.min() < limit[0] or moved.max() > limit[1]):
            return None
        if contract.multiplier == "tensor" and np.unique(moved).size > 1:
            return None
        value = np.clip(self.total >> self.shift, *self.clip)
        bias = np.where(constant, value << wanted, (self.total << small) >> down)
        if contract.rounding == "half-up":
            bias = bias - ((1 << wanted) >> 1)
        plain = contract.multiplier == "none"
        return Folded(
            weights=moved if plain else self.matrix,
            mul=np.ones_like(self.mul) if plain else moved[:, 0],
            bias=bias,
            shift=wanted,
            clip=self.clip,
        )

    def _overflow(self, found: Folded, contract: Contract) -> str | None:
        """The first channel that can leave a width of the contract, with what it reaches."""
        none = np.zeros_like(found.bias)
        least, greatest = accumulator_range(found.weights, none, self.inputs)
        products = least * found.mul, greatest * found.mul
        sums = np.minimum(*products) + found.bias, np.maximum(*products) + found.bias
        checks = (
            ("the bias", found.bias, found.bias, contract.bias_bits),
            ("the accumulator", least, greatest, contract.accumulator_bits),
            ("weights and bias", *sums, contract.product_bits),
        )
        for what, low, high, bits in checks:
            overflow = _first_outside(low, high, signed_range(bits))
            if overflow is not None:
                return f"{what} can leave int{bits}: {overflow}"
        return None


def _first_outside(least: Ints, greatest: Ints, limits: Range) -> str | None:
    bad = np.flatnonzero((least < limits[0]) | (greatest > limits[1]))
    if bad.size == 0:
        return None
    channel = int(bad[0])
    low, high = int(least[channel]), int(greatest[channel])
    reach = str(low) if low == high else f"{low}..{high}"
    return f"channel {channel} reaches {reach} of {limits[0]}..{limits[1]}"


def _describe(mul: Ints, shift: Ints) -> str:
    def span(values: Ints) -> str:
        least, greatest = int(values.min()), int(values.max())
        return str(least) if least == greatest else f"{least}..{greatest}"

    return f"multiplier {span(mul)}, shift {span(shift)}"
