"""Chooses the free scales: those with the least error of activations and weights together.

Only the product of a layer's input and weight scale over its output scale must be a power of two.
Every error is taken relative to the power of the tensor it disturbs, and they are added up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, inf, isfinite, log2, prod

import numpy as np

from htvm.ir.graph import Node
from htvm.ir.ops import Clip, Concat, MaxPool2d
from htvm.quantization import kernels
from htvm.quantization.execute import apply
from htvm.quantization.families import Family, exponents, families
from htvm.quantization.moments import grouped
from htvm.quantization.network import Add, AvgPool, Conv, Dense, FloatNetwork, Floats, Linear, Sum
from htvm.quantization.offset import elements_to_pad
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.rounding import Range, error, nearest
from htvm.quantization.scheme import Scheme
from htvm.quantization.statistics import Statistics

_STEPS = 12
"""Candidates an octave."""
_BELOW, _ABOVE = 3.0, 0.4
"""Octaves of candidates around the scale that just covers the greatest value."""
_SWEEPS = 4
_EMPTY = 1e-20
_MUCH = 1e-3
"""Relative error that makes it worth while to copy an input into a border of its zero point."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The scales, and the shifts that go with them.

    Attributes:
        scales: Of every tensor.
        shifts: Of every layer that sums, by name.
        zeros: Zero points of inputs.
    """

    scales: Mapping[str, float]
    shifts: Mapping[str, int]
    zeros: Mapping[str, int] = field(default_factory=dict)


class Errors:
    """Errors that scales cause, each computed once."""

    def __init__(
        self, network: FloatNetwork, statistics: Statistics, scheme: Scheme, *, shift: bool
    ) -> None:
        self.network = network
        self.statistics = statistics
        self.scheme = scheme
        self.shifted: set[str] = set()
        self._weights: dict[tuple[str, int], float] = {}
        self._powers: dict[str, float] = {}
        self._tensors: dict[tuple[str, int], float] = {}
        if shift:
            self.shifted = {name for name in network.inputs if self._worth_shifting(name)}
            self._tensors.clear()

    def tensor(self, name: str, scale: float) -> float:
        """Relative error of a tensor rounded to multiples and clipped, and of what reads it."""
        key = (name, round(log2(scale) * 64))
        if key not in self._tensors:
            samples = self.statistics.whole[name]
            zero = self.zero(name, scale)
            lo, hi = self.scheme.lo - zero, self.scheme.hi - zero
            kept = np.clip(np.rint(samples / np.float32(scale)), lo, hi) * np.float32(scale)
            noise = kept - samples
            self._tensors[key] = self._relative(name, noise) + self._seen(name, noise)
        return self._tensors[key]

    def _worth_shifting(self, name: str) -> bool:
        """Whether an input gets a zero point: where that is free, or much is lost without."""
        copied = elements_to_pad(self.network, name)
        if not copied:
            return copied == 0
        scale = max(self.statistics.greatest[name], _EMPTY) / self.scheme.hi
        return self.tensor(name, scale) > _MUCH

    def zero(self, name: str, scale: float) -> int:
        """The zero point that centres an input's range; 0 for every other tensor."""
        if name not in self.shifted:
            return 0
        lo, hi = self.scheme.bounds
        least, most = self.statistics.ranges[name]
        middle = (lo + hi) / 2 - (least + most) / 2 / scale
        return int(np.clip(np.rint(middle), lo, hi))

    def _seen(self, name: str, noise: Floats) -> float:
        """Power of an error where it arrives, relative to the signal there, over all readers."""
        total = self._relative(name, noise) if name == self.network.output else 0.0
        for layer in self.network.consumers[name]:
            op = layer.op
            if isinstance(op, Conv | Dense):
                made = kernels.conv(op, noise) if isinstance(op, Conv) else kernels.dense(op, noise)
                axes = (0, 2, 3) if isinstance(op, Conv) else tuple(range(made.ndim - 1))
                # A layer's bias takes up the mean.
                total += float(made.var(axis=axes).mean()) / max(self._raw_power(layer), _EMPTY)
            elif isinstance(op, AvgPool):
                pooled = kernels.sum_pool(op, noise) / np.float32(prod(op.kernel))
                total += self._relative(layer.output, pooled)
            elif isinstance(op, Add | Concat | MaxPool2d):
                total += self._relative(layer.output, noise)
            else:
                moved = noise if isinstance(op, Clip) else apply(layer, noise)
                total += self._seen(layer.output, moved)
        return total

    def _relative(self, name: str, noise: Floats) -> float:
        return float(noise.var()) / max(self.statistics.power[name], _EMPTY)

    def weights(self, layer: Node, step: float) -> float:
        """Relative error of a layer's output when its weights become multiples of ``step``."""
        key = (layer.name, round(log2(step) * 16))
        if key not in self._weights:
            op = layer.op
            assert isinstance(op, Linear)
            real = grouped(op.weights, op)
            near = 2.0 ** (key[1] / 16)
            allowed = Range(lo=self.scheme.weight_lo, hi=self.scheme.weight_hi)
            difference = nearest(real, near, allowed) * near - real
            covariance = self.statistics.moments[layer.name].covariance
            noise = error(difference, covariance) / len(op.bias)
            self._weights[key] = noise / max(self._raw_power(layer), _EMPTY)
        return self._weights[key]

    def _raw_power(self, layer: Node) -> float:
        """Mean variance of the sums; a ReLU takes part of both it and the error away."""
        if layer.name not in self._powers:
            op = layer.op
            assert isinstance(op, Linear)
            covariance = self.statistics.moments[layer.name].covariance
            power = error(grouped(op.weights, op), covariance) / len(op.bias)
            self._powers[layer.name] = power
        return self._powers[layer.name]

    def shift(self, layer: Node, scale_in: float, scale_out: float) -> tuple[int, float]:
        """The best shift of a layer between two scales, and the error of the weights with it."""
        op = layer.op
        assert isinstance(op, Linear)
        full = float(np.abs(op.weights).max()) / self.scheme.weight_hi
        ratio = scale_out / scale_in
        if full == 0.0:
            return 0, 0.0
        most = min(self.scheme.shift_most, ceil(log2(ratio / full)) + 1)
        options = [k for k in (most - 2, most - 1, most) if 0 <= k <= self.scheme.shift_most]
        if not options:
            options = [min(max(most, 0), self.scheme.shift_most)]
        costs = [(self.weights(layer, ratio * 2.0**-k), k) for k in options]
        cost, best = min(costs)
        return best, cost


class Search:
    """Coordinate descent over the families' scales."""

    def __init__(self, errors: Errors) -> None:
        self._errors = errors
        self._network = errors.network
        self._adds = dict.fromkeys(_add_names(self._network), 0)
        self._exponents = exponents(self._network, self._adds) or {}
        self._bases = {family: self._start(family) for family in self._families}

    @cached_property
    def _families(self) -> tuple[Family, ...]:
        return families(self._network)

    @cached_property
    def _home(self) -> dict[str, Family]:
        return {name: family for family in self._families for name in family.members}

    def run(self, listener: Listener) -> Choice:
        """Improve one family after another until nothing changes."""
        for sweep in range(_SWEEPS):
            before = dict(self._bases), dict(self._adds)
            for number, family in enumerate(self._families, start=1):
                place = f"{number} of {len(self._families)}, {family.members[0]}"
                listener.status(f"choosing scales, round {sweep + 1}: {place}")
                self._improve(family)
            if before == (self._bases, self._adds):
                break
        return self._choice()

    def _start(self, family: Family) -> float:
        statistics = self._errors.statistics
        for name in family.members:
            if name in self._errors.shifted:
                least, most = statistics.ranges[name]
                return max(most - least, _EMPTY) / (self._errors.scheme.hi - self._errors.scheme.lo)
        greatest = max(statistics.greatest[name] for name in family.members)
        return max(greatest, _EMPTY) / self._errors.scheme.hi

    def _scale(self, tensor: str) -> float:
        return self._bases[self._home[tensor]] * 2.0 ** self._exponents[tensor]

    def _improve(self, family: Family) -> None:
        now = inf if self._averages(family) else self._cost(family)
        best = now, self._bases[family], dict(self._adds)
        for adds in self._add_options(family):
            found = exponents(self._network, adds)
            if found is None:
                continue
            self._adds, self._exponents = adds, found
            for base in self._candidates(family):
                self._bases[family] = base
                cost = self._cost(family)
                if cost < best[0] * (1 - 1e-9):
                    best = cost, base, adds
        _, self._bases[family], self._adds = best
        self._exponents = exponents(self._network, self._adds) or {}

    def _add_options(self, family: Family) -> Iterator[dict[str, int]]:
        yield dict(self._adds)
        for name in family.adds:
            yield {**self._adds, name: 1 - self._adds[name]}

    def _candidates(self, family: Family) -> Iterator[float]:
        if self._averages(family):
            yield from self._pooled(family)
            return
        start = self._start(family)
        yield start
        count = round((_BELOW + _ABOVE) * _STEPS)
        for index in range(count + 1):
            base = start * 2.0 ** (_ABOVE - index / _STEPS)
            if all(base * 2.0 ** self._exponents[n] <= self._limit(n) for n in family.members):
                yield base

    def _averages(self, family: Family) -> bool:
        """Whether the scale goes by the one before, so that only some are possible at all."""
        makers = [self._network.producers.get(name) for name in family.members]
        return any(maker is not None and isinstance(maker.op, AvgPool) for maker in makers)

    def _pooled(self, family: Family) -> Iterator[float]:
        """Scales of an average that are a shift away from the sum's."""
        for name in family.members:
            maker = self._network.producers.get(name)
            if maker is not None and isinstance(maker.op, AvgPool):
                unit = self._scale(maker.inputs[0]) / prod(maker.op.kernel)
                for shift in range(0, 16):
                    yield unit * 2.0**shift / 2.0 ** self._exponents[name]
                return

    def _limit(self, tensor: str) -> float:
        """Greatest scale at which saturation can stand for the upper bound of the activation."""
        maker = self._network.producers.get(tensor)
        if maker is None or not isinstance(maker.op, Sum) or not isfinite(maker.op.hi):
            return float("inf")
        return maker.op.hi / self._errors.scheme.hi * (1 + 1e-6)

    def _cost(self, family: Family) -> float:
        errors, network = self._errors, self._network
        total = 0.0
        touched: dict[str, Node] = {}
        for name in family.members:
            maker = network.producers.get(name)
            if maker is None or isinstance(maker.op, Sum):
                total += errors.tensor(name, self._scale(name))
            for layer in (maker, *network.consumers[name]):
                if layer is not None and isinstance(layer.op, Linear):
                    touched[layer.name] = layer
        for layer in touched.values():
            scale_in, scale_out = self._scale(layer.inputs[0]), self._scale(layer.output)
            total += errors.shift(layer, scale_in, scale_out)[1]
        return total

    def _choice(self) -> Choice:
        scales = {name: self._scale(name) for name in self._home}
        return Choice(
            scales=scales,
            shifts=shifts(self._errors, scales, self._adds),
            zeros={name: self._errors.zero(name, scales[name]) for name in self._errors.shifted},
        )


def shifts(errors: Errors, scales: Mapping[str, float], adds: Mapping[str, int]) -> dict[str, int]:
    """The shift of every layer that sums, for given scales."""
    found = dict(adds)
    for layer in errors.network.layers:
        ends = scales[layer.inputs[0]], scales[layer.output]
        if isinstance(layer.op, Linear):
            found[layer.name] = errors.shift(layer, *ends)[0]
        elif isinstance(layer.op, AvgPool):
            found[layer.name] = round(log2(ends[1] * prod(layer.op.kernel) / ends[0]))
    return found


def _add_names(network: FloatNetwork) -> tuple[str, ...]:
    return tuple(name for family in families(network) for name in family.adds)


def choose_scales(
    network: FloatNetwork,
    statistics: Statistics,
    scheme: Scheme,
    *,
    shift: bool = True,
    listener: Listener = SILENT,
) -> Choice:
    """The scales with the least error.

    Args:
        network: The network.
        statistics: Of it on the calibration data.
        scheme: The arithmetic.
        shift: Whether inputs may have zero points.
        listener: Told which scale is next.
    """
    return Search(Errors(network, statistics, scheme, shift=shift)).run(listener)
