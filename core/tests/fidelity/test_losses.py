"""Where most is lost: where the ratio falls most below the least of what is read."""

from networks import Builder

from htvm.fidelity.losses import losses
from htvm.fidelity.result import Fidelity, TensorError


def chain():
    net = Builder()
    x = net.input("x", (1, 2, 2, 2))
    a = net.conv(x, 2, "a")
    b = net.conv(a, 2, "b")
    return net.graph(net.clip(b, "c"))


def test_against_the_worst_of_what_is_read():
    lost = losses(chain(), {"x": 40.0, "a": 30.0, "b": 35.0, "c": 28.0})
    assert lost == {"a": 10.0, "b": 0.0, "c": 7.0}


def test_what_nobody_measured_passes_on_what_it_reads():
    assert losses(chain(), {"a": 30.0, "c": 29.0}) == {"a": 70.0, "c": 1.0}


def test_no_error_and_hardly_any_count_the_same():
    assert losses(chain(), {"a": None, "b": 130.0, "c": 60.0}) == {"a": 0.0, "b": 0.0, "c": 40.0}


def errors(**lost):
    return tuple(
        TensorError(tensor=n, elements=1, max_lsb=0, mean_lsb=0, sqnr_db=None, lost_db=db)
        for n, db in lost.items()
    )


def test_the_worst_is_none_where_nothing_is_lost():
    common = {"runtime": "r", "source": "s", "samples": 1, "same_network": True, "agreement": None}
    assert Fidelity(tensors=errors(a=0.0, b=0.0), **common).worst is None
    assert Fidelity(tensors=errors(a=1.0, b=3.0, c=2.0), **common).worst.tensor == "b"
