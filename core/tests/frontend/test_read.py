from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from htvm.errors import UsageError
from htvm.frontend import integerise, read


def refusal(path):
    with pytest.raises(UsageError) as caught:
        integerise(read(path))
    error = caught.value
    assert error.seen
    assert error.hint
    return error


def test_missing_file(tmp_path):
    error = refusal(tmp_path / "none.onnx")
    assert (error.code, error.exit_code) == ("E101", 2)
    assert "none.onnx" in error.message


@pytest.mark.parametrize("name", ["a\0b.onnx", "."])
def test_names_that_are_no_files(name):
    assert refusal(name).code == "E101"


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, this is a text\n", b"\x89PNG\r\n\x1a\n", b"{}", "größe".encode()],
)
def test_files_of_other_kinds(tmp_path, content):
    path = tmp_path / "net.onnx"
    path.write_bytes(content)
    assert refusal(path).code in {"E102", "E103"}


@pytest.mark.parametrize("name", ["net.onnx", "net.tflite", "net"])
def test_the_content_decides_not_the_name(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x1c\0\0\0TFL3" + bytes(40))
    assert read(path).format == "tflite"
    path.write_bytes(b"\x08\x07\x12\x00")
    assert read(path).format == "onnx"


def test_source_keeps_bytes_digest_and_shapes(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"\x08\x07")
    source = read(path, shapes={"x": (1, 2)})
    assert source.data == b"\x08\x07"
    assert source.sha256 == hashlib.sha256(source.data).hexdigest()
    assert source.shapes == {"x": (1, 2)}


def test_reading_loads_neither_onnx_nor_tvm():
    program = "import htvm.frontend, sys; print({'onnx', 'tvm', 'numpy'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_nobody_writes_to_is_not_waited_for(tmp_path):
    pipe = tmp_path / "net.onnx"
    os.mkfifo(pipe)
    assert refusal(pipe).code == "E101"
