"""Finds additions and shifts that equal a staircase, or proves that there are none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.rewrite.ranges import Ints
from htvm.rewrite.staircase import Staircase
from htvm.target.contract import Contract

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

_WIDEST = 2**54
"""Addends beyond it are not tried: later sums have to stay within 64 bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Shift:
    """``(acc * mul + add) >> shift``, by channel."""

    mul: Ints
    add: Ints
    shift: Ints


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """Why no addition and shift does.

    Attributes:
        text: The channel, and what two of its results ask of the addend.
    """

    text: str


def one_shift(
    stairs: Staircase, contract: Contract, slopes: Floats | None = None
) -> Shift | Misfit:
    """An addition and shift, with a multiplication if the contract has it, equal to a staircase.

    Args:
        stairs: The staircase.
        contract: What there is.
        slopes: Results per accumulator, ``(K,)``, from which multipliers are made.
    """
    tried = [_Try.of(stairs, mul, shift) for mul, shift in _ways(stairs, contract, slopes)]
    whole = next((way for way in tried if way.fits.all()), None)
    if whole is not None:
        return _joined([whole], np.zeros(len(whole.fits), np.int64))
    fits = np.stack([way.fits for way in tried])
    if np.all(fits.any(axis=0)):
        return _joined(tried, fits.argmax(axis=0))
    return Misfit(text=min(tried, key=lambda way: way.gap).conflict(stairs))


def two_shifts(stairs: Staircase, contract: Contract) -> tuple[Shift, Shift] | Misfit:
    """Two shifts, up and down, such that half to even of their mean is the staircase.

    They differ by at most one, and where they do the mean is a tie between them. Up begins the even
    results where the staircase does, down the odd ones.
    """
    even, odd = (_only(stairs, stairs.levels % 2 == parity) for parity in (0, 1))
    plain = np.ones(len(stairs.above), np.int64)
    for number in range(contract.shift_range[0], contract.shift_range[1] + 1):
        up, down = (_Try.of(part, plain, number) for part in (even, odd))
        if not (up.fits.all() and down.fits.all()):
            continue
        high = np.where(up.bounded, up.addend, down.addend)
        low = np.minimum(np.where(down.bounded, down.addend, high), high)
        low = np.where(up.bounded & down.bounded, np.minimum(down.most, high), low)
        if np.all((low >= down.least) & (high - low <= 1 << number)):
            shift = np.full_like(plain, number)
            return Shift(mul=plain, add=high, shift=shift), Shift(mul=plain, add=low, shift=shift)
    return Misfit(text="and half to even of two shifts does not either")


def _only(stairs: Staircase, chosen: Truths) -> Staircase:
    return Staircase(
        levels=stairs.levels[chosen], below=stairs.below[:, chosen], above=stairs.above[:, chosen]
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Try:
    """One multiplier and shift: the addends each channel allows."""

    mul: Ints
    shift: int
    least: Ints
    most: Ints

    @classmethod
    def of(cls, stairs: Staircase, mul: Ints, shift: int) -> _Try:
        least, most = stairs.addends(mul, shift)
        return cls(
            mul=mul,
            shift=shift,
            least=least.max(axis=1, initial=-(2**61)),
            most=most.min(axis=1, initial=2**61),
        )

    @property
    def fits(self) -> Truths:
        inside = (self.least <= _WIDEST) & (self.most >= -_WIDEST)
        return (self.least <= self.most) & inside

    @property
    def bounded(self) -> Truths:
        return (self.least > -(2**61)) | (self.most < 2**61)

    @property
    def addend(self) -> Ints:
        """The rounding one if it is allowed, else the nearest that is."""
        half = np.full_like(self.least, (1 << self.shift) >> 1)
        return np.clip(half, self.least, np.maximum(self.most, self.least))

    @property
    def gap(self) -> float:
        """How far the steps are from fitting, in results."""
        return float((self.least - self.most).max()) / 2.0**self.shift

    def conflict(self, stairs: Staircase) -> str:
        """What two results of the channel that fits least ask for."""
        channel = int(np.argmax(self.least - self.most))
        least, most = stairs.addends(self.mul, self.shift)
        first, second = int(least[channel].argmax()), int(most[channel].argmin())
        factor = int(self.mul[channel])
        times = "" if factor == 1 else f" and multiplier {factor}"
        return (
            f"with shift {self.shift}{times} channel {channel} would have to add at least "
            f"{int(least[channel, first])}, for accumulator {int(stairs.above[channel, first])} to "
            f"give {int(stairs.levels[first])}, and at most {int(most[channel, second])}, for "
            f"{int(stairs.below[channel, second])} to give less than {int(stairs.levels[second])}"
        )


def _ways(
    stairs: Staircase, contract: Contract, slopes: Floats | None
) -> Iterator[tuple[Ints, int]]:
    """Multipliers and shifts to try."""
    least, most = contract.shift_range
    channels = len(stairs.above)
    for shift in range(least, most + 1):
        yield np.ones(channels, np.int64), shift
    if contract.multiplier == "none" or slopes is None:
        return
    limits = sorted(2 ** (abs(bits) - (bits < 0)) - 1 for bits in contract.multiplier_bits)
    for limit in limits:
        fine = [n for n in range(least, most + 1) if np.all(np.rint(slopes * 2.0**n) <= limit)]
        if fine:
            mul = np.rint(slopes * 2.0 ** fine[-1]).astype(np.int64)
            yield from ((np.maximum(mul + near, 1), fine[-1]) for near in (0, 1, -1))


def _joined(ways: list[_Try], choice: Ints) -> Shift:
    """Each channel's parameters from the way chosen for it."""
    rows = np.arange(len(choice))

    def pick(values: list[Ints]) -> Ints:
        found: Ints = np.stack(values)[choice, rows]
        return found

    return Shift(
        mul=pick([way.mul for way in ways]),
        add=pick([way.addend for way in ways]),
        shift=np.array([ways[int(index)].shift for index in choice], np.int64),
    )
