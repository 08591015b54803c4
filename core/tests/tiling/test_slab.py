from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.api import InternalError, channel_blocks, channels_last, row_major, slab, strided

LAYOUTS = {
    "channels last": channels_last,
    "channels last, padded": lambda shape: channels_last(shape, 8),
    "blocks": lambda shape: channel_blocks(shape, 4),
    "row-major": row_major,
}


def bytes_of(span):
    starts = [range(count) for count, _ in span.repeats]
    strides = [stride for _, stride in span.repeats]
    found = []
    for turns in product(*starts):
        start = span.offset_bytes + sum(t * s for t, s in zip(turns, strides, strict=True))
        found += range(start, start + span.run_bytes)
    return found


def part(draw, extent, step=1):
    start = draw(st.integers(0, (extent - 1) // step)) * step
    stop = draw(st.integers(start // step + 1, extent // step)) * step
    return range(start, stop)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(sorted(LAYOUTS)))
def test_a_slab_is_exactly_the_bytes_of_its_elements(data, name):
    shape = (1, *(data.draw(st.sampled_from(sizes)) for sizes in ((4, 8, 12), (1, 3, 5), (1, 4))))
    layout = LAYOUTS[name](shape)
    ranges = (
        range(1),
        part(data.draw, shape[1], 4),
        part(data.draw, shape[2]),
        part(data.draw, shape[3]),
    )
    span = slab("x", layout, ranges)
    wanted = layout.addresses(shape)[np.ix_(*ranges)]
    assert sorted(bytes_of(span)) == sorted(wanted.flat)


def test_a_whole_tensor_is_one_run():
    shape = (1, 16, 3, 5)
    for layout in (channels_last(shape), channel_blocks(shape, 8), row_major(shape)):
        span = slab("x", layout, [range(extent) for extent in shape])
        assert (span.offset_bytes, span.run_bytes, span.repeats) == (0, 240, ())


def test_runs_follow_the_layout():
    span = slab("x", channels_last((1, 16, 4, 5)), (range(1), range(8, 16), range(1, 3), range(5)))
    assert (span.offset_bytes, span.run_bytes, span.repeats) == (88, 8, ((10, 16),))
    span = slab("x", channels_last((1, 16, 4, 5)), (range(1), range(8), range(1, 3), range(4)))
    assert span.repeats == ((2, 80), (4, 16))


def test_elements_have_their_size():
    span = slab("x", row_major((4, 6)), (range(1, 3), range(2)), element_bytes=4)
    assert (span.offset_bytes, span.run_bytes, span.repeats) == (24, 8, ((2, 24),))


def test_boxes_that_no_span_can_name_are_refused():
    with pytest.raises(InternalError, match="split a block"):
        slab("x", channel_blocks((1, 16, 3, 5), 8), (range(1), range(4, 12), range(3), range(5)))
    reversed_words = strided("words", (1, 8), (0, 1), word_bytes=4)
    with pytest.raises(InternalError, match="reverses bytes"):
        slab("x", reversed_words, (range(1), range(8)))
