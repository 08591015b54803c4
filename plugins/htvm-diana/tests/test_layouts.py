import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm_diana import layouts
from htvm_diana.problem import planes

SHAPES = st.tuples(st.just(1), st.integers(1, 20), st.integers(1, 40), st.integers(1, 40))


def core_view(layout, tensor):
    """The buffer's bytes in the order the core sees them."""
    return layout.pack(tensor).reshape(-1, 4)[:, ::-1].reshape(-1)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SHAPES)
def test_rows_are_planes_of_padded_rows(shape):
    layout = layouts.rows(shape)
    expected = planes(*shape[1:])
    tensor = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    seen = core_view(layout, tensor)[: shape[1] * expected.plane_stride_bytes]
    pitch = expected.row_pitch_bytes
    assert layout.size == expected.size_bytes
    assert np.array_equal(seen.reshape(shape[1], shape[2], pitch)[..., : shape[3]], tensor[0])


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SHAPES)
def test_columns_are_the_rows_of_the_transposed_map(shape):
    turned = (1, shape[1], shape[3], shape[2])
    tensor = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    as_columns = layouts.columns(shape)
    assert as_columns == layouts.mirrored(layouts.rows(turned))
    as_rows = layouts.rows(turned).pack(np.swapaxes(tensor, 2, 3))
    assert np.array_equal(as_columns.pack(tensor), as_rows)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(SHAPES)
def test_flat_planes_differ_from_rows_only_by_padding(shape):
    assert (layouts.flat(shape) == layouts.rows(shape)) == (shape[3] % 16 == 0 or shape[2] == 1)


def test_blocks_of_pixels_become_channels():
    tensor = np.arange(1, 16, dtype=np.int8).reshape(1, 1, 3, 5)
    layout = layouts.stored((1, 1, 3, 5), (2, 2), (1, 0), (2, 3))
    seen = core_view(layout, tensor).reshape(4, 2, 16)
    assert seen[0, :, :3].tolist() == [[0, 0, 0], [6, 8, 10]]
    assert seen[1, :, :3].tolist() == [[0, 0, 0], [7, 9, 0]]
    assert seen[2, :, :3].tolist() == [[1, 3, 5], [11, 13, 15]]
    assert seen[3, :, :3].tolist() == [[2, 4, 0], [12, 14, 0]]


def test_zero_columns_lie_in_memory():
    tensor = np.ones((1, 2, 3, 16), np.int8)
    layout = layouts.stored(tensor.shape, (1, 1), (0, 2), (3, 20))
    seen = core_view(layout, tensor).reshape(2, 3, 32)
    assert np.array_equal(seen[..., :19], np.pad(tensor[0], [(0, 0), (0, 0), (2, 1)]))
    assert not seen[..., 18:].any()


@pytest.mark.parametrize(("length", "size"), [(1, 32), (32, 32), (33, 64), (640, 640)])
def test_vectors_end_on_a_whole_transfer(length, size):
    assert layouts.vector((1, length)).size == size


def test_a_vector_is_the_same_whatever_its_shape():
    assert layouts.vector((1, 40, 1, 1)).pack(np.arange(40).reshape(1, 40, 1, 1)).tolist() == (
        layouts.vector((1, 40)).pack(np.arange(40).reshape(1, 40)).tolist()
    )
