"""Checks of the arrays a caller gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

from htvm.errors import UsageError
from htvm.ir.graph import Graph
from htvm.ir.tensor import Array, Tensor

_CODE = "E110"


def count_samples(graph: Graph, inputs: Mapping[str, Array]) -> int:
    """How many samples the arrays hold.

    Raises:
        UsageError: an array is missing, unknown, of the wrong type or shape, or two arrays hold
            different numbers of samples.
    """
    if set(inputs) != set(graph.inputs):
        _refuse(
            f"the inputs given are not those of network {graph.name}",
            seen=", ".join(sorted(inputs)) or "none",
            accepted=", ".join(graph.inputs) or "none",
        )
    counts = {name: _samples_in(graph.tensors[name], inputs[name]) for name in graph.inputs}
    if len(set(counts.values())) > 1:
        _refuse(
            f"the inputs of network {graph.name} hold different numbers of samples",
            seen=", ".join(f"{name}: {count}" for name, count in counts.items()),
            accepted="the same number for every input",
        )
    return next(iter(counts.values()), 1)


def _samples_in(tensor: Tensor, array: Array) -> int:
    if array.dtype != tensor.dtype.numpy:
        _refuse(
            f"input {tensor.name} has the wrong element type",
            seen=str(array.dtype),
            accepted=str(tensor.dtype),
        )
    if array.shape == tensor.shape:
        return 1
    batches = array.ndim == len(tensor.shape) and array.shape[1:] == tensor.shape[1:]
    if not batches or not array.shape[0] or array.shape[0] % tensor.shape[0]:
        _refuse(
            f"input {tensor.name} has the wrong shape",
            seen=str(array.shape),
            accepted=f"{tensor.shape}, or several samples of it along axis 0",
        )
    return int(array.shape[0] // tensor.shape[0])


def _refuse(message: str, *, seen: str, accepted: str) -> NoReturn:
    raise UsageError(
        message,
        code=_CODE,
        seen=seen,
        accepted=accepted,
        hint="htvm inspect MODEL lists the inputs",
    )
