"""Matrix products: on plain vectors, or on maps whose padding meets weights of zero."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from htvm.api import Layout
from htvm_diana import layouts, pack
from htvm_diana.forms import Matrix
from htvm_diana.problem import Planes, Problem, vector
from htvm_diana.rewrites.realisation import Realisation


def multiplied(
    form: Matrix, source: tuple[int, ...], result: tuple[int, ...], weight_bytes: int
) -> Iterator[Realisation]:
    """Every useful way to run a matrix product.

    Args:
        form: Weights for the elements of the input in row-major order.
        source: Shape of the input, a vector or an image to be flattened.
        result: Shape of the output.
        weight_bytes: Weight memory.
    """
    plain = layouts.vector(source)
    choices = dict.fromkeys([plain, *(_maps(source) if len(source) == 4 else ())])
    for layout in choices:
        length = form.weights.shape[1] if layout == plain else layout.size
        if pack.dense_block_bytes(length) > weight_bytes:
            continue
        weights = form.weights
        if layout != plain:
            weights = np.zeros((form.weights.shape[0], length), np.int8)
            weights[:, _places(layout, source)] = form.weights
        yield Realisation(
            problem=_problem(form, length, layout.size),
            inputs=(layout,),
            output=layouts.vector(result),
            weights=weights,
            bias=form.bias,
            shift=form.shift,
            relu=form.relu,
            rewrites=() if layout == plain else (f"flattened as it lies ({layout.name})",),
        )


def _maps(shape: tuple[int, ...]) -> tuple[Layout, ...]:
    return layouts.rows(shape), layouts.columns(shape), layouts.flat(shape)


def _places(layout: Layout, shape: tuple[int, ...]) -> layouts.Places:
    """Where the core finds each element, in row-major order of the elements."""
    return replace(layout, word_bytes=1).addresses(shape).reshape(-1)


def _problem(form: Matrix, length: int, size_bytes: int) -> Problem:
    source: Planes = replace(vector(length), size_bytes=size_bytes)
    output = vector(form.weights.shape[0])
    return Problem(kind="dense", inputs=(source,), output=output, macs=form.macs)
