from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.api import Grid, cheapest, grids, tile_label

EXTENTS = {"outputs": 24, "rows": 5}
ORDERS = (("outputs", "rows"), ("rows", "outputs"))


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 8))
def test_every_grid_covers_every_iteration_once(outputs, rows, step):
    extents = {"outputs": outputs, "rows": rows}
    wanted = sorted(product(range(outputs), range(rows)))
    for grid in grids(extents, steps={"outputs": step}, orders=ORDERS):
        tiles = list(grid.tiles())
        covered = [at for tile in tiles for at in product(tile["outputs"], tile["rows"])]
        assert sorted(covered) == wanted
        assert len(tiles) == grid.count()
        assert all(tile["outputs"].start % step == 0 for tile in tiles)


def test_sizes_are_the_smallest_for_each_number_of_tiles():
    sizes = {grid.sizes["rows"] for grid in grids({"rows": 10})}
    assert sizes == {10, 5, 4, 3, 2, 1}
    assert {g.sizes["outputs"] for g in grids({"outputs": 40}, steps={"outputs": 16})} == {
        40,
        32,
        16,
    }


def test_orders_that_cut_alike_are_tried_once():
    found = list(grids(EXTENTS, steps={"outputs": 8}, orders=ORDERS))
    cuts = [(tuple(g.sizes.values()), tuple(n for n in g.order if g.count(n) > 1)) for g in found]
    assert len(cuts) == len(set(cuts))


def test_cheapest_agrees_with_trying_everything_and_does_not_depend_on_luck():
    def cost(grid):
        return 100 * grid.count() + grid.sizes["outputs"] % 3

    def fits(grid):
        return grid.sizes["outputs"] * grid.sizes["rows"] <= 40

    tried = [grid for grid in grids(EXTENTS, orders=ORDERS) if fits(grid)]
    best = cheapest(grids(EXTENTS, orders=ORDERS), fits=fits, cost=cost, keep=2)
    assert [cost(grid) for grid in best] == sorted(map(cost, tried))[:2]
    assert best == cheapest(grids(EXTENTS, orders=ORDERS), fits=fits, cost=cost, keep=2)
    assert cheapest(grids(EXTENTS), fits=lambda grid: False, cost=cost) == ()


@pytest.mark.parametrize(
    ("order", "weights", "input_loads"), [(ORDERS[0], 3, 15), (ORDERS[1], 15, 5)]
)
def test_an_operand_is_loaded_when_one_of_its_loops_moves_on(order, weights, input_loads):
    grid = Grid(extents=EXTENTS, sizes={"outputs": 8, "rows": 1}, order=order)
    assert grid.loads("outputs") == weights
    assert grid.loads("rows") == input_loads
    assert grid.loads() == 1


def test_an_operand_whose_loops_are_not_cut_is_loaded_once():
    grid = Grid(extents=EXTENTS, sizes={"outputs": 8, "rows": 5}, order=ORDERS[1])
    assert grid.loads("rows") == 1
    assert grid.summary == "outputs 8 of 24"


def test_tiles_are_labelled_by_their_ends():
    assert tile_label({"rows": range(4, 8), "columns": range(1)}) == "rows 4..7, columns 0..0"
