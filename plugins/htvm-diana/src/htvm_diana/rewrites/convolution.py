"""Convolutions: as they stand, transposed, flattened, or as a matrix product."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from htvm.api import Engine, Layout, Offers
from htvm_diana import forms, layouts
from htvm_diana.forms import Convolution, Matrix
from htvm_diana.geometry import Window, windows
from htvm_diana.problem import Problem, planes
from htvm_diana.rewrites.dense import multiplied
from htvm_diana.rewrites.realisation import Realisation

_COLUMNS = 16


def convolved(
    form: Convolution, offers: Offers, core: Engine, weight_bytes: int
) -> Iterator[Realisation]:
    """Every useful way to run a convolution.

    Args:
        form: What to compute.
        offers: Layouts the neighbours have or want.
        core: The digital core.
        weight_bytes: Weight memory.
    """
    yield from _slid(form, core, lambda layout: layout, ())
    if _worth_transposing(form, offers):
        yield from _slid(forms.transposed(form), core, layouts.mirrored, ("map transposed",))
    if form.pointwise:
        yield from _flattened(form)
    if form.output_shape[1:] == (1, 1) and form.groups == 1:
        yield from _as_matrix(form, weight_bytes)


def _slid(
    form: Convolution,
    core: Engine,
    orient: Callable[[Layout], Layout],
    rewrites: tuple[str, ...],
) -> Iterator[Realisation]:
    """With each window, on the map as it lies or transposed."""
    output = orient(layouts.rows((1, *form.output_shape)))
    for window in windows(form, core):
        turned = replace(window, layout=orient(window.layout))
        yield from _run(form, turned, output, (*rewrites, *window.rewrites))


def _run(
    form: Convolution, window: Window, output: Layout, rewrites: tuple[str, ...]
) -> Iterator[Realisation]:
    """With one window; a depthwise layer by channel, or 16 channels at once on the diagonal."""
    problem = Problem(
        kind="conv2d",
        inputs=(planes(window.channels, window.rows, window.columns),),
        output=planes(*form.output_shape),
        kernel=(window.weights.shape[2], window.weights.shape[3]),
        stride=window.stride,
        pad_top=window.pad_top,
        pad_bottom=window.pad_bottom,
        pad_side=window.pad_side,
        macs=form.macs,
    )
    one = Realisation(
        problem=problem,
        inputs=(window.layout,),
        output=output,
        weights=window.weights,
        bias=form.bias,
        shift=form.shift,
        relu=form.relu,
        rewrites=rewrites,
    )
    if window.weights.shape[1] == window.channels:
        yield one
        return
    yield replace(one, problem=replace(problem, kind="depthwise"))
    diagonal = (*rewrites, "depthwise as block-diagonal convolution")
    yield replace(one, problem=replace(problem, diagonal=True), rewrites=diagonal)


def _worth_transposing(form: Convolution, offers: Offers) -> bool:
    """Whether the transposed map fills the array better, or a neighbour has it anyway."""
    if form.input_shape[1] == form.input_shape[2] and form.output_shape[1] == form.output_shape[2]:
        return False
    height, width = form.output_shape[1:]
    if layouts.ceil16(height) * width <= layouts.ceil16(width) * height:
        return True
    wanted = layouts.columns((1, *form.input_shape)), layouts.columns((1, *form.output_shape))
    return wanted[0] in offers.inputs[0] or wanted[1] in offers.output


def _flattened(form: Convolution) -> Iterator[Realisation]:
    """A pointwise layer on planes without row padding, cut into lines of 16."""
    channels, height, width = form.input_shape
    source = layouts.flat((1, *form.input_shape))
    if source == layouts.rows((1, *form.input_shape)):
        return
    lines = layouts.ceil16(height * width) // _COLUMNS
    window = Window(
        weights=form.weights, layout=source, channels=channels, rows=lines, columns=_COLUMNS
    )
    lined = replace(form, output_shape=(form.output_shape[0], lines, _COLUMNS))
    yield from _run(lined, window, layouts.flat((1, *form.output_shape)), ("plane flattened",))


def _as_matrix(form: Convolution, weight_bytes: int) -> Iterator[Realisation]:
    """A single output pixel: one row of a matrix for each output channel."""
    channels, height, width = form.input_shape
    top, left = form.pad
    weights = np.zeros((form.output_shape[0], channels, height, width), np.int8)
    seen = form.weights[:, :, top : top + height, left : left + width]
    weights[:, :, : seen.shape[2], : seen.shape[3]] = seen
    matrix = Matrix(
        weights=weights.reshape(weights.shape[0], -1),
        bias=form.bias,
        shift=form.shift,
        relu=form.relu,
        macs=form.macs,
    )
    shapes = (1, *form.input_shape), (1, *form.output_shape)
    for one in multiplied(matrix, *shapes, weight_bytes):
        yield replace(one, rewrites=("one output pixel as a dense layer", *one.rewrites))
