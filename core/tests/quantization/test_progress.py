"""People are told what quantising is at, and BLAS is left as it was."""

from __future__ import annotations

import numpy as np
import pytest
from quantize_nets import FloatNet, network, residual, samples
from threadpoolctl import threadpool_info

from htvm.cli.status import StatusLine
from htvm.quantization.calibration import checked
from htvm.quantization.progress import Listener
from htvm.quantization.quantise import quantise
from htvm.quantization.scheme import Scheme
from htvm.quantization.threads import one_thread


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_every_way_and_layer_is_told(tmp_path) -> None:
    found = network(residual(FloatNet(tmp_path)))
    lines, statuses = [], []
    listener = Listener(line=lines.append, status=statuses.append)
    quantise(found, checked({"x": samples(24, 1)}, "x"), Scheme(engine="e"), listener=listener)
    ways, layers = len(lines), len(found.layers)
    for way in range(1, ways + 1):
        told = [text for text in statuses if text.startswith(f"way {way} of {ways}: layer")]
        assert len(told) == layers
        assert told[-1].startswith(f"way {way} of {ways}: layer {layers} of {layers}")


def test_blas_runs_on_one_thread_and_gets_its_threads_back() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    before = blas_threads()

    @one_thread
    def fails() -> None:
        assert blas_threads() <= {1}
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert blas_threads() == before


@pytest.fixture
def terminal(monkeypatch) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "30"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("terminal")
def test_a_status_is_one_line_of_the_terminal_written_over(capsys) -> None:
    with StatusLine() as status:
        status.show("layer 1 of 2, \x1b[2Jevil" + "x" * 80)
        status.show("layer 2 of 2")
        status.before(print)("done")
    written = capsys.readouterr()
    assert written.out == "done\n"
    assert "\n" not in written.err
    first, second, last = written.err.split("\r\x1b[2K")[1:]
    assert "layer 1 of 2, \\x1b" in first
    assert "x" * 30 not in first
    assert "layer 2 of 2" in second
    assert last == ""


def test_without_a_terminal_there_is_no_status(capsys, monkeypatch) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    with StatusLine() as status:
        status.show("layer 1 of 2")
    assert capsys.readouterr().err == ""
