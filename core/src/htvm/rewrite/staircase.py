"""Requantisation as a staircase: for every result, the accumulator at which it begins.

A requantisation that never falls is known completely by the least accumulator of each result. Two
of them are equal on everything an accumulator can reach exactly if no reachable accumulator lies
between the beginnings they give to any result. That makes proofs of rounding finite and quick: no
accumulator is tried one by one, and ties that cannot occur do not count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from htvm.ir import ops
from htvm.ir.ops import Op
from htvm.ir.requant import FloatRequant, Mulshift31Requant, Requant, ShiftRequant, TfliteRequant
from htvm.numerics import apply
from htvm.rewrite.ranges import Ints, Reach
from htvm.target.contract import Range

NEVER = 2**40
"""Where a result begins that no reachable accumulator gives: beyond every int32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Staircase:
    """A requantisation over what its accumulator reaches, one row for each channel.

    Attributes:
        levels: Results above the least: ``lo + 1 .. hi``.
        below: ``(K, levels)``: greatest reachable accumulator that gives less; ``-NEVER`` if none.
        above: ``(K, levels)``: least reachable accumulator that gives as much; ``NEVER`` if none.
    """

    levels: Ints
    below: Ints
    above: Ints

    def addends(self, mul: Ints, shift: int) -> tuple[Ints, Ints]:
        """Least and greatest addend with which ``(acc * mul + add) >> shift`` does each step.

        Args:
            mul: ``(K,)``, positive.
            shift: The shift.

        Returns:
            Two arrays ``(K, levels)``; a step nothing depends on allows any.
        """
        aim = self.levels[None, :] << shift
        least = np.where(self.above >= NEVER, -(2**61), aim - mul[:, None] * self.above)
        most = np.where(self.below <= -NEVER, 2**61, aim - mul[:, None] * self.below - 1)
        return least, most


def rises(op: Op, span: Range | None = None) -> bool:
    """Whether an op on single elements never falls as its input rises.

    Args:
        op: The op.
        span: What the input can hold, for tables.
    """
    if isinstance(op, ShiftRequant | Mulshift31Requant | TfliteRequant):
        return bool(np.all(op.mul >= 0))
    if isinstance(op, FloatRequant):
        return bool(np.all(op.scale >= 0) and np.all(np.isfinite(op.scale)))
    if isinstance(op, ops.Lut) and op.out.is_integer:
        table = np.asarray(op.table).astype(np.int64)
        return span is not None and bool(np.all(np.diff(table[span[0] : span[1] + 1]) >= 0))
    return isinstance(op, ops.Clip)


def chained(chain: Sequence[Op], dtype: np.dtype[Any]) -> Callable[[Ints], Ints]:
    """The function of requantisations, clips and tables one after the other, channels first.

    Args:
        chain: The ops.
        dtype: Element type the first one reads.
    """

    def run(values: Ints) -> Ints:
        found = values.astype(dtype)
        for op in chain:
            rows = replace(op, axis=0) if isinstance(op, Requant) else op
            found = apply(rows, found)
        return found.astype(np.int64)

    return run


def staircase(function: Callable[[Ints], Ints], reach: Reach, levels: Range) -> Staircase:
    """The steps of a function that never falls, found by bisection in all channels at once.

    Args:
        function: Integers ``(K, n)`` to integers of the same shape.
        reach: What is put in.
        levels: Least and greatest result.
    """
    results = np.arange(levels[0] + 1, levels[1] + 1, dtype=np.int64)
    last = (reach.most - reach.least) // reach.step
    low = np.full((len(last), len(results)), -1, np.int64)
    high = np.broadcast_to(last[:, None] + 1, low.shape).copy()
    while np.any(high - low > 1):
        middle = (low + high) // 2
        safe = np.clip(middle, 0, last[:, None])
        enough = function(reach.least[:, None] + safe * reach.step[:, None]) >= results
        open_ = high - low > 1
        high = np.where(open_ & enough, middle, high)
        low = np.where(open_ & ~enough, middle, low)
    first, step = reach.least[:, None], reach.step[:, None]
    return Staircase(
        levels=results,
        below=np.where(low < 0, -NEVER, first + low * step),
        above=np.where(high > last[:, None], NEVER, first + high * step),
    )
