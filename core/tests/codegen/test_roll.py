from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.codegen.roll import Call, Loop, roll, together, unroll

CALLS = st.builds(
    lambda template, numbers: Call(template=template, numbers=tuple(numbers[: len(template)])),
    st.sampled_from(["", "a", "b", "ab"]),
    st.lists(st.integers(0, 3), min_size=2, max_size=2),
)


def tiles(count, rows):
    """A schedule of ``count`` channel tiles, each of several row tiles."""
    for tile in range(count):
        yield Call(template="weights({})", numbers=(tile * 100,))
        for row in range(rows):
            yield Call(template="load({}, {})", numbers=(row * 64, 32 - row))
            yield Call(template="job({})", numbers=(7,))
            yield Call(template="store({})", numbers=(tile * 1000 + row * 10,))


@settings(derandomize=True, max_examples=300, deadline=None)
@given(st.lists(CALLS, max_size=30))
def test_unrolling_gives_the_calls_back(calls):
    assert unroll(roll(calls)) == tuple(calls)


def test_regular_tiles_become_two_loops():
    calls = tuple(tiles(5, 4))
    (outer,) = roll(calls)
    assert isinstance(outer, Loop)
    assert outer.count == 5
    assert [item.count for item in outer.body if isinstance(item, Loop)] == [4]
    assert unroll([outer]) == calls


def test_an_odd_one_out_stays_outside_the_loop():
    calls = [*tiles(1, 6), Call(template="load({}, {})", numbers=(999, 1))]
    items = roll(calls)
    assert [type(item) for item in items] == [Call, Loop, Call]
    assert unroll(items) == tuple(calls)


def test_what_belongs_together_is_looped_over_as_a_whole():
    job, wait = Call(template="job({})", numbers=(1,)), Call(template="wait()")
    first = together([job, wait])
    items = roll([first, together([job, wait]), together([wait])])
    assert items == (Loop(count=2, body=(first,), steps=(0,)), together([wait]))
    assert unroll(items) == (job, wait, job, wait, wait)


def test_two_short_statements_are_not_worth_a_loop():
    calls = (Call(template="wait()"), Call(template="wait()"))
    assert roll(calls) == calls
