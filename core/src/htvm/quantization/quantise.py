"""From a float network and calibration data to a quantised network, the best of several ways."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from htvm.quantization.calibrate import Method, Plan, calibrate
from htvm.quantization.calibration import Calibration
from htvm.quantization.equalise import equalise, links
from htvm.quantization.execute import output
from htvm.quantization.integer import IntegerNetwork, logits
from htvm.quantization.network import FloatNetwork, Floats
from htvm.quantization.offset import fits
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.quality import sqnr_db
from htvm.quantization.scales import Choice, choose_scales
from htvm.quantization.scheme import Scheme
from htvm.quantization.statistics import Statistics, gather
from htvm.quantization.threads import one_thread

_EQUALISED: tuple[float | None, ...] = (None, 0.0, 1.0)
"""No equalisation, that of weights, that of weights and activations."""
_METHODS = (Method(refit=False), Method(ridge=0.3), Method(ridge=3.0))
_HELD_OUT = 3
"""One sample in this many is kept back to compare ways by."""
_ENOUGH = 12
"""Samples below which nothing is kept back."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantised:
    """What came out.

    Attributes:
        integers: The integer network.
        network: The float network it was made from, layer by layer; it computes what the one
            given does.
        data: The samples it was made with.
        plan: What was decided before weights were rounded.
        way: How it was made.
        sqnr_db: Power of the float network's output over that of the error, on calibration data.
    """

    integers: IntegerNetwork
    network: FloatNetwork
    data: Mapping[str, Floats]
    plan: Plan
    way: str
    sqnr_db: float

    def leaving(self, real: frozenset[str]) -> IntegerNetwork:
        """The same with some layers in real numbers, the others rounded in view of that.

        Args:
            real: Names of the layers.
        """
        if not real:
            return self.integers
        return calibrate(self.network, self.data, self.plan, real=real)

    def unfitted(self) -> IntegerNetwork:
        """The same with no layer fitted to what the quantised ones before it give.

        So each layer's error is its own.
        """
        plan = replace(self.plan, method=replace(self.plan.method, refit=False))
        return calibrate(self.network, self.data, plan)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Start:
    """A float network, equalised or not, with its data and the scales chosen for it."""

    label: str
    network: FloatNetwork
    data: Mapping[str, Floats]
    statistics: Statistics
    choice: Choice


@one_thread
def quantise(
    network: FloatNetwork,
    calibration: Calibration,
    scheme: Scheme,
    *,
    seed: int = 0,
    listener: Listener = SILENT,
) -> Quantised:
    """Quantise to an engine's arithmetic.

    Several ways are tried on two thirds of the data and compared on the rest; the best is then
    taken with all of it.

    Args:
        network: The float network.
        calibration: Inputs of the kind the network will see.
        scheme: The arithmetic.
        seed: Of what is drawn from the data.
        listener: Told as the work goes on.

    Raises:
        UnsupportedModelError: A layer cannot be held in the arithmetic (E231).
    """
    order = np.random.default_rng(seed).permutation(calibration.samples)
    tried, judged = _split(calibration, order)
    wanted = output(network, judged)
    best: tuple[float, float | None, Method] | None = None
    strengths = _strengths(network)
    count = itertools.count(1)
    for strength in strengths:
        start = _started(network, tried, strength, scheme, seed, listener)
        for method in _METHODS:
            way = f"way {next(count)} of {len(strengths) * len(_METHODS)}"
            made, _ = _made(start, scheme, method, listener.at(way))
            loss = _loss(logits(made, judged), wanted)
            listener.line(f"{start.label}, {_named(method)}: {sqnr_db(wanted, loss):.1f} dB")
            if best is None or loss < best[0]:
                best = loss, strength, method
    assert best is not None
    _, strength, method = best
    start = _started(network, calibration.arrays, strength, scheme, seed, listener)
    told = listener.at("the best way, with all samples")
    integers, plan = _made(start, scheme, method, told)
    loss = _loss(logits(integers, calibration.arrays), start.statistics.output)
    return Quantised(
        integers=integers,
        network=start.network,
        data=start.data,
        plan=plan,
        way=f"{start.label}, {_named(method)}",
        sqnr_db=sqnr_db(start.statistics.output, loss),
    )


def _split(
    calibration: Calibration, order: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[Mapping[str, Floats], Mapping[str, Floats]]:
    if calibration.samples < _ENOUGH:
        return calibration.arrays, calibration.arrays
    kept = len(order) // _HELD_OUT
    parts = (np.sort(order[kept:]), np.sort(order[:kept]))
    first, second = (
        {name: array[part] for name, array in calibration.arrays.items()} for part in parts
    )
    return first, second


def _strengths(network: FloatNetwork) -> tuple[float | None, ...]:
    return _EQUALISED if links(network) else _EQUALISED[:1]


def _started(
    network: FloatNetwork,
    data: Mapping[str, Floats],
    strength: float | None,
    scheme: Scheme,
    seed: int,
    listener: Listener,
) -> _Start:
    label = "as given"
    told = listener.at("looking at the samples")
    statistics = gather(network, data, seed, told)
    if strength is not None:
        network = equalise(network, statistics.channels, activations=strength)
        statistics = gather(network, data, seed, told)
        label = "layers equalised" + (" with activations" if strength else "")
    choice = choose_scales(network, statistics, scheme, listener=listener)
    return _Start(label=label, network=network, data=data, statistics=statistics, choice=choice)


def _made(
    start: _Start, scheme: Scheme, method: Method, listener: Listener
) -> tuple[IntegerNetwork, Plan]:
    plan = Plan(choice=start.choice, scheme=scheme, method=method)
    made = calibrate(start.network, start.data, plan, listener)
    if fits(made):
        return made, plan
    # Without a zero point the biases are as small as they can be.
    choice = choose_scales(start.network, start.statistics, scheme, shift=False)
    plan = replace(plan, choice=choice)
    return calibrate(start.network, start.data, plan, listener), plan


def _loss(given: Floats, wanted: Floats) -> float:
    return float(np.mean((given - wanted) ** 2, dtype=np.float64))


def _named(method: Method) -> str:
    if not method.refit:
        return "weights rounded by their outputs"
    return f"weights refitted ({method.ridge:g}) and rounded by their outputs"
