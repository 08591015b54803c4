"""What the numbers in a file of samples mean, and how they become the network's own.

One rule for every network. After ``--input-scale`` or ``--input-offset`` the numbers are the
network's own. Without them, an array of the very type of the network's input is taken as it is; any
other array holds real values where the input says what its integers stand for, and the network's
own numbers where it does not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from htvm.errors import UsageError
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.ir.ops import Quantize, Reshape, Transpose
from htvm.ir.tensor import Array, Quantization

Taken = Literal["as they are", "scaled", "real values"]
MUCH_BEYOND = 0.03
"""Share of elements beyond the input's range from which the samples look wrong."""
LITTLE_OF_RANGE = 1 / 16
"""Share of the input's range below which samples that use no more of it look wrong."""


@dataclass(frozen=True, kw_only=True)
class Port:
    """What an input of a network takes.

    Attributes:
        name: Of the input.
        dtype: Element type.
        quantization: What its integers stand for; None if that is not known.
        grid: What its real values are rounded to by the network itself; None if they are not.
    """

    name: str
    dtype: DType
    quantization: Quantization | None = None
    grid: tuple[float, float] | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Reading:
    """The numbers of one input.

    Attributes:
        own: In the input's type.
        real: What they stand for in real numbers; None if that is not known.
        taken: By which rule they were read.
        beyond: Share of elements more than one step beyond what the input can hold; they were
            brought to its ends.
        spread: Share of the input's range they reach; None if the range is not known.
    """

    own: Array
    real: Array | None
    taken: Taken
    beyond: float = 0.0
    spread: float | None = None


def port_of(graph: Graph, name: str) -> Port:
    """An input of an integer network."""
    tensor = graph.tensors[name]
    grid = _grid(graph, name)
    return Port(name=name, dtype=tensor.dtype, quantization=tensor.quantization, grid=grid)


def _grid(graph: Graph, name: str) -> tuple[float, float] | None:
    """The range of the only Quantize that reads a tensor, moved about or not."""
    readers = graph.consumers[name]
    if len(readers) != 1:
        return None
    op = readers[0].op
    if isinstance(op, Reshape | Transpose):
        return _grid(graph, readers[0].output)
    if not isinstance(op, Quantize) or op.scale.size != 1:
        return None
    low, high = (float(op.scale[0]) * (bound - op.zero_point) for bound in (op.lo, op.hi))
    return low, high


def read_numbers(array: Array, port: Port, *, scale: float = 1.0, offset: float = 0.0) -> Reading:
    """An array from a file as the numbers of an input.

    Args:
        array: Any numbers, in the input's shape.
        port: The input.
        scale: Factor applied first.
        offset: Added then.

    Raises:
        UsageError: E126 they are no numbers, E127 NaN or infinite, E128 not the input's integers.
    """
    if array.dtype.kind not in "iufb":
        raise UsageError(
            f"the array for input {port.name!r} does not hold numbers",
            code="E126",
            seen=str(array.dtype),
            accepted=port.dtype.value,
        )
    untouched = scale == 1.0 and offset == 0.0
    if untouched and array.dtype == port.dtype.numpy:
        own = np.ascontiguousarray(array)
        _refuse_infinite(own, port)
        return _told(own, port, "as they are")
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(np.float64) * scale + offset
    _refuse_infinite(values, port)
    if untouched and port.dtype.is_integer and port.quantization is not None:
        return quantised(values, port)
    taken: Taken = "as they are" if untouched else "scaled"
    if not port.dtype.is_integer:
        with np.errstate(over="ignore"):
            own = values.astype(port.dtype.numpy)
        _refuse_infinite(own, port)
        return _told(own, port, taken)
    return _told(_whole(array, values, port, untouched), port, taken)


def quantised(real: Array, port: Port) -> Reading:
    """Real values as the integers of an input whose meaning is known, saturating."""
    quantization = port.quantization
    assert quantization is not None
    low, high = port.dtype.bounds
    with np.errstate(over="ignore"):
        nearest = np.rint(real.astype(np.float64) / quantization.scale[0]) + quantization.zero_point
    beyond = float(np.mean((nearest < low - 1) | (nearest > high + 1)))
    own = np.clip(nearest, low, high).astype(port.dtype.numpy)
    spread = (int(own.max()) - int(own.min())) / (high - low)
    return Reading(own=own, real=real, taken="real values", beyond=beyond, spread=spread)


def doubts(reading: Reading, port: Port) -> tuple[str, ...]:
    """What is wrong with samples by the looks of them, and the options that mend it."""
    remedy = "--input-scale and --input-offset bring them to the network's own numbers"
    if reading.beyond > MUCH_BEYOND:
        return (
            f"{reading.beyond:.0%} of the samples for {port.name} lie beyond what it can hold "
            f"({_range(port)}): is this the data the network was trained on? {remedy}",
        )
    if reading.spread is not None and reading.spread < LITTLE_OF_RANGE:
        return (
            f"the samples for {port.name} reach {reading.spread:.1%} of what it can hold "
            f"({_range(port)}): is this the data the network was trained on? {remedy}",
        )
    return ()


def _told(own: Array, port: Port, taken: Taken) -> Reading:
    """A reading with what can be said of its meaning and its range."""
    quantization, grid = port.quantization, port.grid
    if port.dtype.is_integer:
        real = None
        if quantization is not None:
            real = (own.astype(np.float64) - quantization.zero_point) * quantization.scale[0]
        return Reading(own=own, real=real, taken=taken)
    if grid is None or not own.size:
        return Reading(own=own, real=own, taken=taken)
    low, high = grid
    step, values = (high - low) / 255, own.astype(np.float64)
    beyond = float(np.mean((values < low - step) | (values > high + step)))
    reach = np.clip([values.min(), values.max()], low, high)
    spread = float((reach[1] - reach[0]) / (high - low))
    return Reading(own=own, real=own, taken=taken, beyond=beyond, spread=spread)


def _whole(array: Array, values: Array, port: Port, untouched: bool) -> Array:
    """The integers the values are, exactly; nothing is clipped or rounded in silence."""
    whole = values if untouched else np.rint(values)
    low, high = port.dtype.bounds
    if (whole != np.rint(whole)).any() or whole.min() < low or whole.max() > high:
        raise UsageError(
            f"the array for input {port.name!r} does not fit {port.dtype.value}",
            code="E128",
            seen=f"{array.dtype} from {values.min():g} to {values.max():g}",
            accepted=f"whole numbers from {low} to {high}",
            hint=_scale_hint(port, untouched),
        )
    return whole.astype(port.dtype.numpy)


def _scale_hint(port: Port, untouched: bool) -> str:
    if port.quantization is None:
        return "--input-scale FACTOR --input-offset NUMBER bring other numbers into range"
    if not untouched:
        return "leave out --input-scale and --input-offset if the samples are real values"
    scale, zero = port.quantization.scale[0], port.quantization.zero_point
    return f"real values: --input-scale {1 / scale:.9g} --input-offset {zero}"


def _refuse_infinite(values: Array, port: Port) -> None:
    wrong = ~np.isfinite(values)
    if wrong.any():
        raise UsageError(
            f"the array for input {port.name!r} holds NaN or infinity",
            code="E127",
            seen=f"{wrong.sum()} of {wrong.size} elements, the first in sample "
            f"{np.argwhere(wrong)[0, 0]}",
            accepted=f"numbers that {port.dtype.value} holds",
        )


def _range(port: Port) -> str:
    if port.quantization is not None and port.dtype.is_integer:
        scale, zero = port.quantization.scale[0], port.quantization.zero_point
        low, high = (scale * (bound - zero) for bound in port.dtype.bounds)
        return f"{low:g} to {high:g}"
    if port.grid is not None:
        return f"{port.grid[0]:g} to {port.grid[1]:g}"
    return port.dtype.value
