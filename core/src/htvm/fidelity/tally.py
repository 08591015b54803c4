"""Adds up the errors of one tensor over many samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htvm.fidelity.meaning import Doubles, Meaning
from htvm.fidelity.runtimes.runtime import Shown
from htvm.ir.tensor import Array, Tensor
from htvm.numerics.sqnr import decibels


@dataclass(kw_only=True, eq=False)
class Tally:
    """Errors of one tensor so far.

    Attributes:
        tensor: The tensor of ours.
        meaning: What its numbers stand for.
        channels_last: Whether the source keeps it channels last.
        same: Whether the source is the very network, so that the same number means the same.
        carried: Whether the source carries integers in float.
    """

    tensor: Tensor
    meaning: Meaning
    channels_last: bool
    same: bool
    carried: bool
    elements: int = 0
    most: float = 0.0
    steps: float = 0.0
    signal: float = 0.0
    noise: float = 0.0

    def add(self, ours: Array, shown: Shown) -> bool:
        """Compare one sample; false if the two cannot be held against each other."""
        placed = self._placed(shown.array)
        theirs = None if placed is None else self._in_our_steps(placed, shown)
        if theirs is None:
            return False
        error = ours.astype(np.float64) - self.meaning.zero_point - theirs
        size = np.abs(error)
        step = 1.0 if self.meaning.step is None else self.meaning.step
        self.elements += error.size
        self.most = max(self.most, float(size.max(initial=0.0)))
        self.steps += float(size.sum())
        self.signal += float(np.sum((theirs * step) ** 2))
        self.noise += float(np.sum((error * step) ** 2))
        return True

    @property
    def sqnr_db(self) -> float | None:
        """Power of the source's numbers over that of the error; None without any error."""
        return decibels(self.signal, self.noise)

    def _placed(self, theirs: Array) -> Array | None:
        """The source's elements in our order of axes."""
        shape = self.tensor.shape
        if self.channels_last and theirs.ndim == len(shape) == 4:
            turned = theirs.transpose(0, 3, 1, 2)
            if turned.shape == shape:
                return turned
        return theirs if theirs.shape == shape else None

    def _in_our_steps(self, theirs: Array, shown: Shown) -> Doubles | None:
        """The source's numbers in steps of ours, counted from our zero point."""
        numbers = theirs.astype(np.float64)
        if self.same:
            alike = self.carried or theirs.dtype == self.tensor.dtype.numpy
            alike = alike and self._is_on_our_grid(shown)
            return numbers - self.meaning.zero_point if alike else None
        if theirs.dtype.kind in "iu":
            if shown.quantization is None:
                return None
            numbers = (numbers - shown.quantization.zero_point) * shown.quantization.scale[0]
        return None if self.meaning.step is None else numbers / self.meaning.step

    def _is_on_our_grid(self, shown: Shown) -> bool:
        """Whether integers mean the same; a tensor rounded anew is shown as what it becomes."""
        ours, theirs = self.tensor.quantization, shown.quantization
        if ours is None or theirs is None or len(ours.scale) != 1:
            return True
        same_step = bool(np.isclose(ours.scale[0], theirs.scale[0], rtol=1e-6, atol=0))
        return same_step and ours.zero_point == theirs.zero_point
