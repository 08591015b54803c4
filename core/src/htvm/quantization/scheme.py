"""The integer arithmetic to quantise to, as far as calibration must know it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from htvm.ir.dtype import DType
from htvm.target.contract import Contract
from htvm.target.hardware import Hardware

EXACT_IN_FLOAT = 1 << 24
"""Whole numbers below this, and sums that stay below it, are exact in float32."""


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """``clip((sum + bias) >> shift, lo, hi)`` with one weight scale and one shift a layer.

    Attributes:
        engine: The engine it was made for.
        weight_lo: Least weight.
        weight_hi: Greatest weight.
        lo: Least activation.
        hi: Greatest activation.
        shift_most: Greatest shift.
    """

    engine: str
    weight_lo: int = -127
    weight_hi: int = 127
    lo: int = -128
    hi: int = 127
    shift_most: int = 31

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and greatest activation."""
        return self.lo, self.hi


def scheme_for(hardware: Hardware) -> Scheme | None:
    """The arithmetic of the engine that cannot do every arithmetic, or None if all engines can."""
    for engine in hardware.engines.values():
        limited = [c for c in engine.contracts if "conv2d" in c.ops or "dense" in c.ops]
        if limited and not any(_takes_anything(contract) for contract in limited):
            return _scheme(engine.name, limited)
    return None


def _takes_anything(contract: Contract) -> bool:
    return contract.rounding == "any"


def _scheme(engine: str, contracts: Iterable[Contract]) -> Scheme:
    given = list(contracts)
    lo, hi = DType.INT8.bounds
    ranges = [contract.input_range or (lo, hi) for contract in given]
    return Scheme(
        engine=engine,
        weight_lo=max(-hi, *(contract.weight_range[0] for contract in given)),
        weight_hi=min(hi, *(contract.weight_range[1] for contract in given)),
        lo=max(lo, *(low for low, _ in ranges)),
        hi=min(hi, *(high for _, high in ranges)),
        shift_most=min(contract.shift_range[1] for contract in given),
    )
