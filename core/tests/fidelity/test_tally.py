"""Errors in steps of ours, whatever the source's numbers look like."""

import numpy as np
import pytest

from htvm.fidelity.meaning import Meaning
from htvm.fidelity.runtimes.runtime import Shown
from htvm.fidelity.tally import Tally
from htvm.ir.dtype import DType
from htvm.ir.tensor import Quantization, Tensor

OURS = np.array([[3, -5, 127]], np.int8)
MEANING = Meaning(step=np.array([0.5]), zero_point=1)


def tally(*, meaning=MEANING, shape=(1, 3), dtype=DType.INT8, quantization=None, **options):
    chosen = {"channels_last": False, "same": False, "carried": False, **options}
    tensor = Tensor(name="t", shape=shape, dtype=dtype, quantization=quantization)
    return Tally(tensor=tensor, meaning=meaning, **chosen)


def test_real_numbers_of_a_source():
    found = tally()
    assert found.add(OURS, Shown(array=np.array([[1.0, -3.5, 64.0]], np.float32)))
    assert found.elements == 3
    assert found.most == 2.0
    assert found.steps == 3.0
    assert found.signal == pytest.approx(1 + 3.5**2 + 64**2)
    assert found.noise == pytest.approx(0.5**2 + 1)


def test_integers_of_a_source_with_a_scale_of_their_own():
    found = tally()
    shown = Shown(
        array=np.array([[10, 0, 136]], np.uint8),
        quantization=Quantization(scale=(0.5,), zero_point=8),
    )
    assert found.add(OURS, shown)
    assert found.most == 2.0


def test_integers_of_the_same_network_mean_the_same():
    found = tally(same=True, meaning=Meaning(step=None))
    assert found.add(OURS, Shown(array=OURS.copy()))
    assert found.sqnr_db is None
    assert found.add(OURS, Shown(array=OURS - np.int8(1)))
    assert (found.most, found.elements) == (1.0, 6)


def test_sums_shown_in_place_of_values_are_not_compared():
    assert not tally(same=True).add(OURS, Shown(array=OURS.astype(np.int32)))
    assert not tally(same=True).add(OURS, Shown(array=OURS.astype(np.float32)))
    assert tally(same=True, carried=True).add(OURS, Shown(array=OURS.astype(np.float32)))
    assert not tally().add(OURS, Shown(array=OURS))
    assert not tally(meaning=Meaning(step=None)).add(OURS, Shown(array=np.ones((1, 3), np.float32)))


@pytest.mark.parametrize(("scale", "zero_point"), [(0.25, 1), (0.5, 2)])
def test_integers_of_the_same_network_on_another_grid_are_not_compared(scale, zero_point):
    found = tally(same=True, quantization=Quantization(scale=(0.5,), zero_point=1))
    theirs = Quantization(scale=(scale,), zero_point=zero_point)
    assert not found.add(OURS, Shown(array=OURS, quantization=theirs))
    assert found.add(OURS, Shown(array=OURS, quantization=found.tensor.quantization))


def test_channels_last_and_factors_of_channels():
    ours = np.arange(6, dtype=np.int8).reshape(1, 2, 3, 1)
    step = np.array([2.0, 3.0]).reshape(1, 2, 1, 1)
    found = tally(shape=ours.shape, meaning=Meaning(step=step), channels_last=True)
    theirs = (ours * step).transpose(0, 2, 3, 1).astype(np.float32)
    assert found.add(ours, Shown(array=theirs))
    assert found.sqnr_db is None
    assert not found.add(ours, Shown(array=theirs[:, :2]))
