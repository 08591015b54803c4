"""The text that is printed: exact numbers, safe names, the same every time, nothing at import."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from htvm.errors import InternalError, ToolError
from htvm.ir import ops
from htvm.tvm import pins
from htvm.tvm.expressions import float32, integer
from htvm.tvm.names import Names, identifier
from htvm.tvm.tail import lower_tail

_PRINT_DIGEST = """
import hashlib, runpy, sys
conftest = runpy.run_path(sys.argv[1])
import numpy as np
from htvm.ir import ops
from htvm.tvm.tail import lower_tail
x = np.arange(24, dtype=np.int8).reshape(1, 2, 3, 4)
step = (ops.AvgPool2d(kernel=(2, 2), stride=(1, 1), pad=(1, 0, 0, 1)), "x")
body = lower_tail(conftest["make_sample"]({"x": x}, [step]).layer).body
print(hashlib.sha256(body.encode()).hexdigest())
"""


@settings(derandomize=True)
@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(value):
    text = float32(value)

    assert text.endswith("f")
    assert np.float32(float.fromhex(text[:-1])).tobytes() == np.float32(value).tobytes()


def test_infinite_floats_are_refused():
    with pytest.raises(InternalError):
        float32(float("inf"))


@pytest.mark.parametrize(
    ("value", "dtype", "text"),
    [
        (-(2**31), "int32", "INT32_MIN"),
        (-(2**63), "int64", "INT64_MIN"),
        (-7, "int64", "-INT64_C(7)"),
        (2**32 - 1, "uint32", "4294967295u"),
        (2**64 - 1, "uint64", "UINT64_C(18446744073709551615)"),
    ],
)
def test_integers_have_their_type(value, dtype, text):
    assert integer(value, dtype).code == text


def test_names_are_c_identifiers_and_unique():
    names = Names(("in0",))

    assert [names.unique(text) for text in ("in0", "a b", "a-b", "int", "3x")] == [
        "in0_1",
        "a_b",
        "a_b_1",
        "int_1",
        "_3x",
    ]
    assert identifier("é*/") == "___"


def test_same_text_in_fresh_processes(request):
    conftest = request.path.parent / "conftest.py"
    command = [sys.executable, "-c", _PRINT_DIGEST, str(conftest)]
    runs = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2)]

    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == hashlib.sha256().digest_size * 2


def test_equal_layers_with_other_constants_share_their_text(samples):
    def body():
        weight = np.random.default_rng().integers(-128, 128, (4, 8)).astype(np.int8)
        sample = samples({"x": np.zeros((1, 8), np.int8)}, [(ops.Dense(), "x", weight)])
        return lower_tail(sample.layer).body

    assert body() == body()


def test_importing_the_api_does_not_import_tvm():
    code = "import sys, htvm.api; print([m for m in ('tvm', 'tvm_ffi') if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "[]\n"


def test_importing_tvm_keeps_the_exception_hook():
    code = (
        "import sys; before = sys.excepthook; import htvm.tvm.load; print(sys.excepthook is before)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert result.stdout == "True\n"


def test_another_tvm_is_refused_with_the_command_that_helps(monkeypatch):
    installed = {**pins.PINS, "apache-tvm-ffi": "0.1.15.post2"}
    monkeypatch.setattr(pins, "version", installed.__getitem__)

    with pytest.raises(ToolError) as caught:
        pins.check_versions()

    assert "apache-tvm-ffi 0.1.15.post2" in caught.value.seen
    assert "pip install apache-tvm==0.27.0.post1 apache-tvm-ffi==0.1.14.post1" in caught.value.hint
