"""The vectorised search against plain loops over everything."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tiling_enumeration import cheapest
from tiling_problems import convolutions, cores

from htvm_diana.problem import NoFit, Problem, vector
from htvm_diana.tiling import choose

WIDE = st.integers(33, 120)


def assert_cheapest(problem, core):
    choice = choose(problem, core)

    assert (None if isinstance(choice, NoFit) else choice.cost.total) == cheapest(problem, core)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(problem=convolutions(), core=cores())
def test_convolutions(problem, core):
    assert_cheapest(problem, core)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(problem=convolutions(columns=WIDE), core=cores())
def test_wide_convolutions(problem, core):
    assert_cheapest(problem, core)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(inputs=st.integers(1, 400), outputs=st.integers(1, 400), core=cores())
def test_dense_layers(inputs, outputs, core):
    problem = Problem(kind="dense", inputs=(vector(inputs),), output=vector(outputs))
    assert_cheapest(problem, core)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(length=st.integers(1, 30_000), core=cores())
def test_sums(length, core):
    operand = vector(length)
    assert_cheapest(Problem(kind="sum", inputs=(operand, operand), output=operand), core)
