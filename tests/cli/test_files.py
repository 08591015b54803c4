"""Files that are no networks, and networks that cannot be taken: each refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.helper import make_node, make_tensor_value_info
from shell import DIGITS, tree
from spoilt import network


def path_for(kind: str, folder: Path) -> Path:
    """A file of the kind."""
    path = folder / ("net.tflite" if "tflite" in kind else "net.onnx")
    data = DIGITS.read_bytes()
    contents = {
        "empty": b"",
        "text": b"not a network at all, just some words\n",
        "random tflite": np.random.default_rng(7).bytes(4096),
        "zeros tflite": bytes(4096),
        "truncated": data[: len(data) // 2],
        "identifier only tflite": b"\x1c\0\0\0TFL3",
        "random tflite after the identifier": b"\x1c\0\0\0TFL3"
        + np.random.default_rng(3).bytes(999),
    }
    if kind == "folder":
        path.mkdir()
    elif kind in contents:
        path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", "E101"),
        ("folder", "E101"),
        ("empty", "E102"),
        ("text", "E102"),
        ("random tflite", "E102"),
        ("zeros tflite", "E102"),
        ("truncated", "E103"),
        ("identifier only tflite", "E103"),
        ("random tflite after the identifier", "E103"),
    ],
)
@pytest.mark.parametrize("verb", ["deploy", "verify", "explain", "inspect"])
def test_no_network(htvm, tmp_path, monkeypatch, kind, code, verb):
    monkeypatch.chdir(tmp_path)
    path = path_for(kind, tmp_path)
    before = tree(tmp_path)
    target = () if verb == "inspect" else ("-t", "cpu")
    htvm(verb, path, *target).refuses(2, code, str(path))
    assert tree(tmp_path) == before


@pytest.mark.parametrize("length", [1, 2, 5, 100, 20_000, 118_000])
def test_onnx_cut_anywhere(htvm, tmp_path, length):
    path = tmp_path / "net.onnx"
    path.write_bytes(DIGITS.read_bytes()[:length])
    outcome = htvm("inspect", path)
    assert outcome.code in {2, 3}, outcome.err
    assert "HTVM-E001" not in outcome.err


def test_onnx_with_any_byte_changed(htvm, tmp_path):
    data = DIGITS.read_bytes()
    random = np.random.default_rng(11)
    path = tmp_path / "net.onnx"
    for place in random.integers(0, len(data), 60):
        changed = bytearray(data)
        changed[place] ^= int(random.integers(1, 256))
        path.write_bytes(changed)
        outcome = htvm("inspect", path)
        assert outcome.code in {0, 2, 3}, (place, outcome.err)


def test_float_network_says_what_to_do(htvm, save):
    weights = np.random.default_rng(0).normal(size=(4, 4, 3, 3)).astype(np.float32)
    model = network(
        make_node("Conv", ["x", "w"], ["s"], name="c"),
        make_node("Relu", ["s"], ["y"], name="r"),
        weights={"w": weights},
    )
    path = save(model)
    htvm("deploy", path, "-t", "cpu").refuses(3, "E201", "float network", "quantise")
    shown = htvm("inspect", path)
    assert shown.code == 0
    assert "a float network" in shown.err
    found = htvm("inspect", path, "--json").document
    assert (found["macs"], found["inputs"][0]["dtype"]) == (weights.size * 6 * 6, "float32")


def test_float_twin_of_the_example(htvm):
    path = DIGITS.with_name("digits_float.onnx")
    htvm("deploy", path, "-t", "cpu").refuses(3, "E201", str(path), "try:")


def test_dynamic_batch_becomes_one(htvm, digits, save):
    digits.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    outcome = htvm("inspect", save(digits), "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["inputs"][0]["shape"] == [1, 1, 8, 8]


def test_dynamic_image_needs_a_shape(htvm, digits, save):
    for axis, name in ((2, "height"), (3, "width")):
        digits.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    path = save(digits)
    htvm("inspect", path).refuses(3, "E204", "image", "height", "--shape image=")
    outcome = htvm("inspect", path, "--shape", "image=1x1x8x8", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.document["inputs"][0]["shape"] == [1, 1, 8, 8]


@pytest.mark.parametrize(
    ("shape", "code"),
    [
        ("nosuch=1x1x8x8", "E104"),
        ("image=1x3x8x8", "E203"),
        ("image", "E130"),
        ("=1x2", "E130"),
        ("image=", "E130"),
        ("image=0x1x8x8", "E131"),
        ("image=-1x1x8x8", "E131"),
        ("image=1x1x8x²", "E131"),
        ("image=1x1x8x" + "9" * 5000, "E131"),
        ("image=1x1x8x8.0", "E131"),
        ("image=1x1x999999999x999999999", "E206"),
    ],
)
def test_shapes_that_make_no_sense(htvm, shape, code):
    outcome = htvm("inspect", DIGITS, "--shape", shape)
    outcome.refuses(3 if code > "E200" else 2, code)


@pytest.mark.parametrize("shape", ["image=1x1x8", "image=8", "image=1x1x1x1", "image=2x1x8x8"])
def test_shapes_that_do_not_suit_the_network(htvm, shape):
    outcome = htvm("inspect", DIGITS, "--shape", shape)
    assert outcome.code in {2, 3}, outcome.err


def test_unknown_op(htvm, digits, save):
    digits.graph.node[2].op_type = "Frobnicate"
    htvm("inspect", save(digits)).refuses(3, "E202", "'stem_floor'", "Frobnicate")


def test_op_of_another_domain(htvm, digits, save):
    digits.graph.node[2].domain = "com.acme"
    htvm("inspect", save(digits)).refuses(3, "E202", "'stem_floor'", "com.acme.Floor")


def test_three_dimensional_convolution(htvm, save):
    weights = np.ones((4, 4, 3, 3, 3), np.float32)
    model = network(
        make_node("Conv", ["x", "w"], ["s"], name="volume"),
        make_node("Div", ["s", "d"], ["q"], name="q"),
        make_node("Floor", ["q"], ["f"], name="f"),
        make_node("Clip", ["f", "lo", "hi"], ["y"], name="clip"),
        shape=(1, 4, 8, 8, 8),
        weights={
            "w": weights,
            "d": np.float32(16),
            "lo": np.float32(0),
            "hi": np.float32(255),
        },
    )
    htvm("inspect", save(model)).refuses(3, "E203", "'volume'", "Conv")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("tensor", ["stem_weight", "stem_bias", "stem_step"])
def test_numbers_that_are_no_weights(htvm, digits, save, tensor, value):
    for stored in digits.graph.initializer:
        if stored.name == tensor:
            array = np.array(onnx.numpy_helper.to_array(stored))
            array.reshape(-1)[0] = value
            stored.CopyFrom(onnx.numpy_helper.from_array(array, tensor))
    outcome = htvm("inspect", save(digits))
    assert outcome.code == 3, outcome.err
    assert "HTVM-E2" in outcome.err
    if np.isnan(value):
        outcome.refuses(3, "E205", tensor, "NaN")


def test_tensor_that_declares_a_terabyte(htvm, digits, save):
    digits.graph.initializer[0].dims[:] = [1 << 20, 1 << 20, 1, 1]
    htvm("inspect", save(digits)).refuses(3, "E206", "'stem_weight'", "1048576")


def test_tensor_that_declares_more_than_it_holds(htvm, digits, save):
    digits.graph.initializer[0].dims[:] = [16, 100, 3, 3]
    htvm("inspect", save(digits)).refuses(2, "E103", "'stem_weight'")


def test_input_that_declares_a_terabyte(htvm, digits, save):
    dims = digits.graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_value = dims[3].dim_value = 1 << 20
    htvm("inspect", save(digits)).refuses(3, "E206", "'image'")


@pytest.mark.parametrize(
    "node",
    [
        make_node("Expand", ["one", "huge"], ["big"], name="bomb"),
        make_node("Tile", ["one", "huge"], ["big"], name="bomb"),
        make_node("ConstantOfShape", ["huge"], ["big"], name="bomb"),
        make_node("Range", ["zero", "count", "one0"], ["big"], name="bomb"),
        make_node("Pad", ["one", "pads"], ["big"], name="bomb"),
    ],
    ids=lambda node: node.op_type,
)
def test_small_file_that_unfolds_to_a_terabyte(htvm, save, node):
    model = network(
        node,
        make_node("Add", ["x", "big"], ["s"], name="s"),
        make_node("Floor", ["s"], ["y"], name="f"),
        weights={
            "one": np.ones((1, 1), np.float32),
            "huge": np.array([1 << 20, 1 << 20], np.int64),
            "pads": np.array([0, 0, 1 << 20, 1 << 20], np.int64),
            "zero": np.float32(0),
            "one0": np.float32(1),
            "count": np.float32(1 << 40),
        },
    )
    outcome = htvm("inspect", save(model))
    assert outcome.code == 3, outcome.err
    assert "bomb" in outcome.err or "tensor 'big' is too large" in outcome.err


@pytest.mark.parametrize("kind", ["absolute", "parent", "link", "missing", "short", "device"])
def test_external_data_outside_the_folder(htvm, digits, tmp_path, kind):
    outside = tmp_path / "outside.bin"
    outside.write_bytes(bytes(576))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link.bin").symlink_to(outside)
    (folder / "short.bin").write_bytes(bytes(10))
    places = {
        "absolute": str(outside),
        "parent": "../outside.bin",
        "link": "link.bin",
        "missing": "nothing.bin",
        "short": "short.bin",
        "device": "/dev/zero",
    }
    stored = digits.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.ClearField("float_data")
    stored.data_location = onnx.TensorProto.EXTERNAL
    stored.external_data.add(key="location", value=places[kind])
    path = folder / "net.onnx"
    path.write_bytes(digits.SerializeToString())
    htvm("inspect", path).refuses(2, "E105", "'stem_weight'", places[kind])


def test_graph_that_bites_its_tail(htvm, digits, save):
    digits.graph.node[0].input[0] = digits.graph.node[-1].output[0]
    htvm("inspect", save(digits)).refuses(3, "E207", "cycle")


@pytest.mark.parametrize(
    "spoil", ["no output", "no nodes", "unknown output", "input twice", "weight twice"]
)
def test_graphs_that_make_no_sense(htvm, digits, save, spoil):
    graph = digits.graph
    if spoil == "no output":
        del graph.output[:]
    elif spoil == "no nodes":
        del graph.node[:]
    elif spoil == "unknown output":
        graph.output[0].name = "nowhere"
    elif spoil == "weight twice":
        graph.initializer.append(graph.initializer[0])
    else:
        graph.input.append(make_tensor_value_info("image", 1, (1, 1, 8, 8)))
    outcome = htvm("inspect", save(digits))
    assert outcome.code == 3, outcome.err
    assert "HTVM-E207" in outcome.err


def test_network_larger_than_the_chip(htvm, tmp_path):
    outcome = htvm(
        "deploy",
        DIGITS,
        "-t",
        "diana",
        "--set",
        "memory.l2.size_bytes=20000",
        "-o",
        tmp_path / "out",
    )
    outcome.refuses(4, "E301", "l2", "20,000")
    assert not (tmp_path / "out").exists()
