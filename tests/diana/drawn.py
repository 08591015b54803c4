"""Draws layers for the digital core: every kernel, stride and kind of padding, at odd sizes.

What must all occur is enumerated; only sizes, weights and the way layers follow one another come
from a seeded generator, so that each run draws the same networks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal

import numpy as np
from built import Network, Pads, bias_for, shift_by, weights_for

Kind = Literal["conv", "depthwise", "dense", "add"]
Padding = Literal["none", "symmetric", "asymmetric"]

KERNELS = tuple(product((1, 3, 5, 7), repeat=2))
PADDINGS: tuple[Padding, ...] = ("none", "symmetric", "asymmetric")
GREATEST_EXTENT = 80
GREATEST_VECTOR = 700
MOST_MACS = 600_000
MOST_BYTES = 30_000


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A layer before its sizes are drawn."""

    kind: Kind
    number: int = 0
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: Padding = "none"
    relu: bool = False

    @property
    def shift(self) -> int:
        """Each of 0 to 31 in turn."""
        return self.number % 32

    @property
    def name(self) -> str:
        """Tells in an error what the layer is."""
        start = f"L{self.number:03}_{self.kind}"
        if self.kind not in ("conv", "depthwise"):
            return start
        size = f"{self.kernel[0]}x{self.kernel[1]}s{self.stride}"
        return f"{start}_{size}_{self.padding}_shift{self.shift}"


def specs(rounds: int) -> tuple[Spec, ...]:
    """The layers of one group, in an order in which they follow one another well."""
    windows = list(product(KERNELS, (1, 2), PADDINGS))
    found = [
        Spec(kind="conv", kernel=kernel, stride=stride, padding=padding)
        for kernel, stride, padding in windows * rounds
    ]
    found += [
        Spec(kind="depthwise", kernel=kernel, stride=stride, padding=padding)
        for kernel, stride, padding in windows[rounds % 2 :: 2]
    ]
    found += [Spec(kind="dense")] * 24
    found += [Spec(kind="add")] * 24
    order = np.random.default_rng(rounds).permutation(len(found))
    return tuple(
        replace(found[at], number=number, relu=number % 3 == 0) for number, at in enumerate(order)
    )


def networks(wanted: Sequence[Spec], seed: int, size: int) -> Iterator[Network]:
    """Networks of ``size`` layers each, in branches of up to three layers."""
    for start in range(0, len(wanted), size):
        rng = np.random.default_rng([seed, start])
        network = Network()
        last: str | None = None
        for place, spec in enumerate(wanted[start : start + size]):
            source = last if last and place % 3 and _takes(network.shape(last), spec, rng) else None
            last = _append(network, spec, source, rng)
        yield network


def _append(network: Network, spec: Spec, source: str | None, rng: np.random.Generator) -> str:
    if spec.kind == "dense":
        return _dense(network, spec, source, rng)
    if spec.kind == "add":
        return _add(network, spec, source, rng)
    return _conv(network, spec, source, rng)


def _conv(network: Network, spec: Spec, source: str | None, rng: np.random.Generator) -> str:
    pad = _pads(spec, rng)
    shape = network.shape(source) if source else _image(spec, pad, rng)
    depthwise = spec.kind == "depthwise"
    rows, columns = _output(shape, spec, pad)
    taps = spec.kernel[0] * spec.kernel[1] * (1 if depthwise else shape[0])
    most = min(GREATEST_EXTENT, MOST_MACS // (rows * columns * taps))
    outputs = shape[0] if depthwise else _size(rng, max(1, most))
    per_channel = bias_for(rng, outputs, spec.shift)
    as_bias = rng.random() < 0.5
    return network.conv(
        spec.name,
        source or network.input(*shape),
        weights_for(rng, (outputs, 1 if depthwise else shape[0], *spec.kernel), spec.shift),
        shift_by(spec.shift, relu=spec.relu, add=0 if as_bias else per_channel),
        bias=per_channel if as_bias else None,
        stride=spec.stride,
        pad=pad,
        groups=shape[0] if depthwise else 1,
    )


def _dense(network: Network, spec: Spec, source: str | None, rng: np.random.Generator) -> str:
    x = source or network.input(int(rng.integers(1, GREATEST_VECTOR + 1)))
    length, outputs = int(np.prod(network.shape(x))), int(rng.integers(1, GREATEST_EXTENT + 1))
    return network.dense(
        spec.name,
        x,
        weights_for(rng, (outputs, length), spec.shift),
        shift_by(spec.shift, relu=spec.relu),
        bias=bias_for(rng, outputs, spec.shift),
    )


def _add(network: Network, spec: Spec, source: str | None, rng: np.random.Generator) -> str:
    drawn = (_size(rng), _size(rng), int(rng.integers(1, GREATEST_EXTENT + 1)))
    x = source or network.input(*drawn)
    other = network.input(*network.shape(x))
    shift = spec.shift if spec.number % 2 else spec.shift % 4
    return network.add(spec.name, x, other, shift_by(shift, relu=spec.relu))


def _takes(shape: tuple[int, ...], spec: Spec, rng: np.random.Generator) -> bool:
    """Whether a layer can follow a tensor of this shape."""
    if spec.kind == "add":
        return True
    if spec.kind == "dense":
        return int(np.prod(shape)) <= GREATEST_VECTOR
    if len(shape) == 1:
        return False
    rows, columns = _output(shape, spec, (0, 0, 0, 0))
    work = shape[0] * shape[1] * shape[2] * spec.kernel[0] * spec.kernel[1]
    return min(rows, columns) > 0 and work <= MOST_MACS // 4


def _image(spec: Spec, pad: Pads, rng: np.random.Generator) -> tuple[int, int, int]:
    """A drawn (C, H, W) with an output, not too much work, and not too many bytes."""
    while True:
        shape = (_size(rng), _size(rng), int(rng.integers(1, GREATEST_EXTENT + 1)))
        rows, columns = _output(shape, spec, pad)
        work = rows * columns * spec.kernel[0] * spec.kernel[1] * shape[0]
        if min(rows, columns) > 0 and work <= MOST_MACS and np.prod(shape) <= MOST_BYTES:
            return shape


def _pads(spec: Spec, rng: np.random.Generator) -> Pads:
    rows, columns = spec.kernel
    if spec.padding == "none":
        return 0, 0, 0, 0
    if spec.padding == "symmetric":
        return rows // 2, columns // 2, rows // 2, columns // 2
    top, left = int(rng.integers(0, rows // 2 + 1)), int(rng.integers(0, columns // 2 + 1))
    return top, left, int(rng.integers(top, rows + 1)), left + 1


def _output(shape: tuple[int, ...], spec: Spec, pad: Pads) -> tuple[int, int]:
    rows = shape[1] + pad[0] + pad[2] - spec.kernel[0]
    columns = shape[2] + pad[1] + pad[3] - spec.kernel[1]
    return rows // spec.stride + 1, columns // spec.stride + 1


def _size(rng: np.random.Generator, most: int = GREATEST_EXTENT) -> int:
    """1 to ``most``, small ones more often."""
    return int(np.exp(rng.uniform(0, np.log(most + 0.99))))
