"""Layouts seen through transposes and reshapes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.dispatch.views import backward, forward, reshaped
from htvm.ir.layout import Axis, Layout, channels_last, row_major, strided
from htvm.ir.ops import Reshape, Transpose


def agrees(layout, before, after, seen):
    """Whether both layouts place every element, in row-major order, alike."""
    return np.array_equal(layout.addresses(before).ravel(), seen.addresses(after).ravel())


def test_transpose_there_and_back():
    shape, op = (1, 3, 4, 5), Transpose(perm=(0, 2, 3, 1))
    layout = channels_last(shape)
    after = (1, 4, 5, 3)
    seen = forward(op, layout, shape, after)
    assert seen == row_major(after)
    assert backward(op, seen, shape, after) == layout


def test_flatten_of_a_dense_map_is_free():
    assert reshaped(row_major((1, 3, 4, 5)), (1, 3, 4, 5), (1, 60)) == row_major((1, 60))


def test_flatten_of_channels_last_is_a_blocked_axis():
    shape = (1, 3, 4, 5)
    seen = reshaped(channels_last(shape), shape, (1, 60))
    assert seen is not None
    assert seen.axes[1] == Axis(stride=1, block=20, inner=3)
    assert agrees(channels_last(shape), shape, (1, 60), seen)


def test_unit_axes_come_and_go():
    pooled = strided("padded", (1, 3, 1, 1), (16, 1, 16, 16), size=16, fill=0)
    seen = reshaped(pooled, (1, 3, 1, 1), (1, 3))
    assert seen == strided("padded", (1, 3), (16, 1), size=16, fill=0)


def test_padded_rows_merge_with_nothing():
    padded = strided("padded", (1, 2, 3, 5), (0, 32, 8, 1), size=64, fill=0)
    assert reshaped(padded, (1, 2, 3, 5), (1, 30)) is None
    rows = reshaped(padded, (1, 2, 3, 5), (1, 6, 5))
    assert rows is not None
    assert agrees(padded, (1, 2, 3, 5), (1, 6, 5), rows)


def test_axis_with_an_offset_stays_whole():
    axes = (Axis(stride=0), Axis(stride=36), Axis(stride=6, offset=1), Axis(stride=1, offset=1))
    layout = Layout(name="bordered", axes=axes, size=72, fill=0)
    shape = (1, 2, 4, 4)
    assert reshaped(layout, shape, (1, 2, 16)) is None
    kept = reshaped(layout, shape, (2, 1, 4, 4))
    assert kept is not None
    assert agrees(layout, shape, (2, 1, 4, 4), kept)
    assert forward(Reshape(shape=shape), layout, shape, shape) == layout


shapes = st.lists(st.sampled_from([1, 2, 3, 4, 6, 8]), min_size=1, max_size=4).map(tuple)


@st.composite
def layouts(draw):
    shape = draw(shapes)
    order = draw(st.permutations(range(len(shape))))
    axes: dict[int, Axis] = {}
    step = 1
    for axis in order:
        block = draw(st.sampled_from([1, 1, 2, 4]))
        pad = draw(st.integers(0, 1))
        if block > 1 and shape[axis] % block == 0:
            axes[axis] = Axis(stride=step * block, block=block, inner=step)
        else:
            axes[axis] = Axis(stride=step)
        step *= shape[axis] + pad
    return shape, Layout(name="any", axes=tuple(axes[at] for at in range(len(shape))), size=step)


@st.composite
def reshapes(draw):
    shape, layout = draw(layouts())
    left = list(shape)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(left) - 1))
        if left[at] % 2 == 0 and draw(st.booleans()):
            left[at : at + 1] = draw(st.sampled_from([[2, left[at] // 2], [left[at] // 2, 2]]))
        elif at + 1 < len(left):
            left[at : at + 2] = [left[at] * left[at + 1]]
        else:
            left.append(1)
    return layout, shape, tuple(left)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(reshapes())
def test_a_view_never_moves_an_element(case):
    layout, before, after = case
    seen = reshaped(layout, before, after)
    if seen is not None:
        assert agrees(layout, before, after, seen)
    if layout.size == np.prod(before) and layout.axes == row_major(before).axes:
        assert seen is not None
