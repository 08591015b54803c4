import numpy as np
import pytest
from diana_layers import (
    HARDWARE,
    add_graph,
    all_tilings,
    conv_graph,
    dense_graph,
    layer_of,
    no_offers,
    shift_requant,
)

from htvm.api import Offers, channels_last, row_major
from htvm_diana import layouts
from htvm_diana.forms import convolution
from htvm_diana.geometry import windows
from htvm_diana.rewrites import realisations


def rewrites_of(graph, offers=None):
    layer = layer_of(graph)
    return realisations(layer, offers or no_offers(layer), HARDWARE)


def notes(graph):
    return [note for one in rewrites_of(graph) for note in one.rewrites]


def conv2d(x, weights, stride, pad, size):
    """Plain convolution by its definition; zeros wherever the map does not reach."""
    wide = np.zeros((x.shape[0], 200, 200), np.int64)
    wide[:, 50 : 50 + x.shape[1], 50 : 50 + x.shape[2]] = x
    kernel = weights.shape[2:]
    out = np.zeros((weights.shape[0], *size), np.int64)
    for row in range(size[0]):
        for column in range(size[1]):
            top, left = 50 + row * stride - pad[0], 50 + column * stride - pad[1]
            seen = wide[:, top : top + kernel[0], left : left + kernel[1]]
            out[:, row, column] = np.tensordot(weights.astype(np.int64), seen, axes=3)
    return out


@pytest.mark.parametrize(
    "options",
    [
        {"shape": (2, 9, 8), "stride": (2, 2), "pad": (0, 0, 1, 1)},
        {"shape": (2, 9, 8), "kernel": (2, 4), "pad": (0, 1, 1, 2)},
        {"shape": (2, 20, 9), "kernel": (10, 4), "stride": (2, 2), "pad": (4, 1, 5, 1)},
        {"shape": (1, 11, 13), "kernel": (7, 7), "stride": (2, 2), "pad": (2, 3, 3, 2)},
        {"shape": (2, 12, 12), "kernel": (4, 4), "stride": (4, 4), "pad": (0, 0, 0, 0)},
        {"shape": (2, 12, 12), "kernel": (3, 3), "stride": (3, 1), "pad": (1, 0, 1, 2)},
    ],
    ids=str,
)
def test_every_window_is_the_same_convolution(options):
    layer = layer_of(conv_graph(1, outputs=3, **options))
    form = convolution(layer, HARDWARE)
    x = np.random.default_rng(2).integers(-128, 128, layer.inputs[0].shape).astype(np.int8)
    stride, size = form.stride, form.output_shape[1:]
    full_size = (size[0] * stride[0], size[1] * stride[1])
    full = conv2d(x[0], form.weights, 1, form.pad, full_size)
    expected = full[:, :: stride[0], :: stride[1]]
    found = windows(form, HARDWARE.engines["digital"])
    assert found
    for window in found:
        bytes_seen = window.layout.pack(x).reshape(-1, 4)[:, ::-1].reshape(-1)
        pitch = layouts.ceil16(window.columns)
        held = bytes_seen[: window.channels * window.rows * pitch]
        planes = held.reshape(window.channels, window.rows, pitch)[..., : window.columns]
        pad = (window.pad_top, window.pad_side)
        assert np.array_equal(conv2d(planes, window.weights, window.stride, pad, size), expected)
        reach = (size[1] - 1) * window.stride + window.weights.shape[3]
        assert reach <= window.columns + 2 * window.pad_side
        assert set(window.weights.shape[2:]) <= {1, 3, 5, 7}


def test_side_padding_grows_the_kernel_no_more_than_it_must():
    (embedded, stored) = rewrites_of(
        conv_graph(0, shape=(3, 8, 8), outputs=4, stride=(2, 2), pad=(0, 0, 1, 1))
    )
    assert embedded.problem.kernel == (3, 5)
    assert embedded.problem.pad_side == 2
    assert stored.problem.kernel == (3, 3)
    assert stored.inputs[0].fill == 0


def test_upper_and_lower_padding_cost_nothing():
    (one,) = rewrites_of(conv_graph(0, shape=(3, 8, 8), outputs=4, pad=(0, 1, 2, 1)))
    assert not one.rewrites
    assert (one.problem.pad_top, one.problem.pad_bottom) == (0, 2)


def test_keyword_spotting_starts_with_space_to_depth():
    graph = conv_graph(
        0, shape=(1, 49, 10), outputs=64, kernel=(10, 4), stride=(2, 2), pad=(4, 1, 5, 1)
    )
    plain, turned = rewrites_of(graph)
    assert plain.problem.kernel == (5, 3)
    assert turned.problem.kernel == (3, 5)
    assert plain.problem.c == turned.problem.c == 4
    assert plain.problem.stride == 1


def test_a_narrow_map_is_offered_transposed_and_a_square_one_is_not():
    narrow = conv_graph(0, shape=(16, 25, 5), outputs=16)
    assert "map transposed" in notes(narrow)
    assert "map transposed" not in notes(conv_graph(0, shape=(16, 8, 8), outputs=16))
    best = min(all_tilings(layer_of(narrow)), key=lambda tiling: tiling.cost.total)
    assert best.rewrites == ("map transposed",)
    assert best.inputs == (layouts.columns((1, 16, 25, 5)),)


def test_a_wide_map_is_transposed_only_for_a_neighbour():
    wide = conv_graph(0, shape=(16, 5, 25), outputs=16)
    assert "map transposed" not in notes(wide)
    offers = Offers(inputs=((layouts.columns((1, 16, 5, 25)),),))
    assert any("map transposed" in one.rewrites for one in rewrites_of(wide, offers))


def test_a_pointwise_layer_is_offered_flat_where_rows_are_padded():
    options = {"outputs": 16, "kernel": (1, 1), "pad": (0, 0, 0, 0)}
    assert "plane flattened" in notes(conv_graph(0, shape=(16, 6, 6), **options))
    assert "plane flattened" not in notes(conv_graph(0, shape=(16, 6, 16), **options))
    assert "plane flattened" not in notes(conv_graph(0, shape=(16, 6, 6), stride=(2, 2), **options))


def test_sixteen_depthwise_channels_at_once_are_over_twice_as_fast():
    single, diagonal = all_tilings(
        layer_of(conv_graph(0, shape=(16, 16, 16), outputs=16, groups=16))
    )
    assert single.realisation.problem.kind == "depthwise"
    assert diagonal.realisation.problem.diagonal
    assert single.cost.compute > 2.2 * diagonal.cost.compute


def test_a_single_output_pixel_is_a_dense_layer():
    graph = conv_graph(0, shape=(40, 1, 1), outputs=20, kernel=(1, 1), pad=(0, 0, 0, 0))
    kinds = {one.problem.kind for one in rewrites_of(graph)}
    assert kinds == {"conv2d", "dense"}


def test_dense_reads_an_image_as_it_lies():
    shape = (1, 3, 4, 5)
    found = {one.inputs[0] for one in rewrites_of(dense_graph(0, shape=shape[1:], outputs=3))}
    assert {layouts.rows(shape), layouts.columns(shape), layouts.flat(shape)} <= found


def test_the_plain_sum_uses_the_core_s_sum_and_relu_never_does():
    (plain,) = rewrites_of(add_graph(shape=(3, 8, 8), op=shift_requant(1)))
    (relu,) = rewrites_of(add_graph(shape=(3, 8, 8), op=shift_requant(1, lo=0)))
    assert plain.problem.kind == "sum"
    assert relu.problem.kind == "conv2d"
    assert relu.relu


def test_a_sum_takes_whatever_layout_its_neighbours_share():
    shape = (1, 3, 8, 8)
    near = channels_last(shape)
    offers = Offers(inputs=((near,), (row_major(shape),)), output=(layouts.flat(shape),))
    found = [one.output for one in rewrites_of(add_graph(shape=shape[1:]), offers)]
    assert found == [layouts.rows(shape), near, row_major(shape), layouts.flat(shape)]


def test_a_buffer_of_odd_length_is_no_sum_for_the_core():
    shape = (1, 3, 3, 3)
    offers = Offers(inputs=((row_major(shape),), ()))
    found = [one.output for one in rewrites_of(add_graph(shape=shape[1:]), offers)]
    assert found == [layouts.rows(shape)]
