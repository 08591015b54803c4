"""Trained networks against their own runtimes, every tensor."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from htvm.fidelity.stage import compare
from htvm.frontend import integerise, read
from htvm.host.inputs import InputSpec, load_inputs

SAMPLES = 3


@pytest.fixture
def models() -> Path:
    """Where the real networks are."""
    root = Path(__file__).resolve().parents[3]
    folder = Path(os.environ.get("HTVM_MODELS") or root.parent / "shared/models")
    if not folder.is_dir():
        pytest.skip("no real networks: set HTVM_MODELS or put them in ../shared/models")
    return folder


def against_itself(file, inputs, key):
    source = read(file)
    graph = integerise(source)
    given = load_inputs(InputSpec(path=str(inputs), key=key), graph)
    few = {name: array[:SAMPLES] for name, array in given.arrays.items()}
    few_real = {name: array[:SAMPLES] for name, array in given.reals.items()}
    given = replace(given, arrays=few, source=few, reals=few_real, samples=SAMPLES, labels=None)
    return compare(graph, source, given, same_network=True)


@pytest.mark.parametrize(
    ("file", "samples", "least"),
    [
        ("resnet8/resnet8_int8_tfl_qdq.onnx", "resnet8/resnet8_samples.npz:input_int8", 14),
        ("resnet8/resnet8_int8_tfl_qop.onnx", "resnet8/resnet8_samples.npz:input_int8", 14),
        ("ad/ad_ptq_pc_qdq.onnx", "ad/ad_samples.npz:input_float", 10),
        ("ad/ad_diana_ql.onnx", "ad/ad_diana_ql_io.npz:input_int8_nchw", 10),
    ],
)
def test_onnx_is_equal_in_every_element(models, file, samples, least):
    pytest.importorskip("onnxruntime")
    path, key = samples.split(":")
    found = against_itself(models / file, models / path, key)
    assert len(found.tensors) >= least
    assert [error.tensor for error in found.tensors if error.max_lsb] == []


@pytest.mark.parametrize(
    ("file", "samples", "least"),
    [
        ("sww/str_ww_ref_model.tflite", "sww/sww_samples.npz:input_int8", 10),
        ("vww/vww_96_int8.tflite", "vww/vww_samples.npz:input_int8", 28),
    ],
)
def test_tflite_differs_at_most_where_litert_rounds_dense_layers_its_own_way(
    models, file, samples, least
):
    pytest.importorskip("ai_edge_litert")
    path, key = samples.split(":")
    found = against_itself(models / file, models / path, key)
    assert len(found.tensors) >= least
    off = [error for error in found.tensors if error.max_lsb]
    assert all(error.max_lsb == 1 and error in found.tensors[-2:] for error in off)
