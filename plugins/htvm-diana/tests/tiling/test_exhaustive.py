"""The vectorised search against plain loops over everything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiling_enumeration import cheapest
from tiling_problems import convolutions, cores

from htvm_diana.problem import NoFit, Problem, vector
from htvm_diana.tiling import choose


@settings(max_examples=80, deadline=None, derandomize=True)
@given(problem=convolutions(), core=cores())
def test_never_worse_than_trying_everything(problem, core):
    choice = choose(problem, core)
    best = cheapest(problem, core)

    assert (None if isinstance(choice, NoFit) else choice.cost.total) == best
