"""Compares what the generated C wrote with the reference, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from htvm.dispatch.plan import Dispatch, Value
from htvm.host.result import Divergence, LayerCheck
from htvm.ir.dtype import DType
from htvm.ir.layout import Addresses
from htvm.ir.tensor import Array

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, eq=False)
class Dump:
    """Where a layer's output lies among the dumped bytes, and how to read it.

    Attributes:
        name: Name of the step.
        value: What it writes.
        start: First byte.
        addresses: Element address of every index.
        free: Element addresses no index has, if the layout promises what they hold.
    """

    name: str
    value: Value
    start: int
    addresses: Addresses
    free: Addresses


def dumps(plan: Dispatch) -> tuple[Dump, ...]:
    """The dump of every step, in execution order."""
    found = []
    start = 0
    for step in plan.steps:
        value = plan.values[step.output]
        found.append(_dump(step.name, value, start))
        start += value.size_bytes
    return tuple(found)


def ends(plan: Dispatch) -> tuple[Dump, ...]:
    """The network's outputs as the caller gets them, which follow the layers' dumps."""
    start = sum(plan.values[step.output].size_bytes for step in plan.steps)
    writers = {plan.values[step.output].buffer: step.name for step in plan.steps}
    found = []
    for name in plan.outputs:
        value = plan.values[name]
        found.append(_dump(writers[value.buffer], value, start))
        start += value.size_bytes
    return tuple(found)


def _dump(name: str, value: Value, start: int) -> Dump:
    addresses = value.layout.addresses(value.tensor.shape)
    free = np.zeros(0, dtype=np.int64)
    if value.layout.fill is not None:
        free = np.setdiff1d(np.arange(value.layout.size), addresses)
    return Dump(name=name, value=value, start=start, addresses=addresses, free=free)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A layer compared on a batch.

    Attributes:
        elements: Elements compared.
        mismatches: Elements that differ.
        first: The first of them; None if there is none.
    """

    elements: int
    mismatches: int
    first: Divergence | None

    def joined(self, other: Compared) -> Compared:
        """Both together."""
        return Compared(
            elements=self.elements + other.elements,
            mismatches=self.mismatches + other.mismatches,
            first=self.first or other.first,
        )


def compare(dump: Dump, runs: Bytes, expected: Array, labels: Sequence[str]) -> Compared:
    """One layer on a batch.

    Args:
        dump: Where the layer's output lies.
        runs: Dumped bytes, shape ``(2 * samples, bytes)``: each sample's two inferences.
        expected: The reference, samples along axis 0.
        labels: What each sample is called.
    """
    value = dump.value
    dtype = value.tensor.dtype
    held = np.ascontiguousarray(runs[:, dump.start : dump.start + value.size_bytes])
    buffers = held.view(dtype.numpy)
    seen = buffers[:, dump.addresses]
    wanted = expected.reshape(len(labels), *value.tensor.shape).repeat(2, axis=0)
    wrong = bits(seen, dtype) != bits(wanted, dtype)
    spoilt = buffers[:, dump.free] != (value.layout.fill or 0)
    first = None
    if wrong.any():
        first = _divergence(dump.name, np.argwhere(wrong)[0], wanted, seen, labels)
    elif spoilt.any():
        run, place = (int(part) for part in np.argwhere(spoilt)[0])
        address = int(dump.free[place])
        first = Divergence(
            layer=dump.name,
            inputs=f"{labels[run // 2]}, padding at element {address} of the buffer",
            index=(),
            expected=float(value.layout.fill or 0),
            seen=float(buffers[run, address].item()),
            run=run % 2 + 1,
        )
    return Compared(
        elements=wrong.size,
        mismatches=int(np.count_nonzero(wrong) + np.count_nonzero(spoilt)),
        first=first,
    )


def bits(array: Array, dtype: DType) -> Array:
    """The elements so that ``==`` compares every bit; signs of zero and NaNs count."""
    return array.view(np.uint32) if dtype is DType.FLOAT32 else array


def _divergence(
    layer: str, where: npt.NDArray[np.int64], wanted: Array, seen: Array, labels: Sequence[str]
) -> Divergence:
    at = tuple(int(part) for part in where)
    return Divergence(
        layer=layer,
        inputs=labels[at[0] // 2],
        index=at[1:],
        expected=float(wanted[at].item()),
        seen=float(seen[at].item()),
        run=at[0] % 2 + 1,
    )


def totals(
    found: Sequence[Dump], compared: Sequence[Mapping[str, Compared]], cycles: Sequence[int] | None
) -> tuple[LayerCheck, ...]:
    """Every layer's comparisons over all batches added up."""
    return tuple(
        LayerCheck(
            name=dump.name,
            elements=sum(batch[dump.name].elements for batch in compared),
            mismatches=sum(batch[dump.name].mismatches for batch in compared),
            cycles=None if cycles is None else cycles[index],
        )
        for index, dump in enumerate(found)
    )
