from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from htvm.errors import HtvmError, UnsupportedModelError, UsageError
from htvm.frontend import integerise, read


def quantised(n, shape=(1, 3, 8, 8), **options):
    """A network every part of which can be taken."""
    x = n.qdq(n.input("x", shape), 0.02)
    return n.q(n.op("Conv", x, n.weights(4, 3, 3, 3), n.const(np.zeros(4)), **options), 0.1)


def taken(path, **options):
    return integerise(read(path, **options))


def refusal(path, **options):
    with pytest.raises(HtvmError) as caught:
        taken(path, **options)
    error = caught.value
    assert error.seen
    assert error.accepted
    assert error.hint
    return error


def edited(n, output, edit):
    """The network's file after an edit of its protobuf."""
    path = n.save(output)
    model = onnx.load(path)
    edit(model)
    path.write_bytes(model.SerializeToString())
    return path


def test_every_cut_of_a_file_is_refused_politely(net):
    n = net()
    data = n.save(quantised(n)).read_bytes()
    path = n.folder / "cut.onnx"
    for size in range(1, len(data), 37):
        path.write_bytes(data[:size])
        with pytest.raises(HtvmError):
            taken(path)


def test_random_damage_never_ends_in_a_traceback(net):
    n = net()
    data = bytearray(n.save(quantised(n)).read_bytes())
    path = n.folder / "damaged.onnx"
    for _ in range(150):
        broken = bytearray(data)
        for place in n.random.integers(0, len(data), 3):
            broken[place] = n.random.integers(0, 256)
        path.write_bytes(broken)
        try:
            taken(path)
        except HtvmError as error:
            assert error.message


def test_float_network_says_what_to_do(net):
    n = net()
    y = n.op("Conv", n.input("x", (1, 3, 8, 8)), n.const(n.random.normal(size=(4, 3, 3, 3))))
    error = refusal(n.save(n.op("Relu", y)))
    assert (error.code, error.exit_code) == ("E201", 3)
    assert "quantize" in error.hint


def test_computed_weights_are_named(net):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    kernel = n.op("Sigmoid", n.qdq(n.input("kernel", (4, 3, 3, 3)), 0.02))
    error = refusal(n.save(n.q(n.op("Conv", x, kernel, name="stem"), 0.1)))
    assert "stem" in error.message
    assert kernel in error.seen


def test_weights_that_are_no_numbers_are_named(net):
    n = net()
    kernel = np.full((4, 3, 3, 3), 0.5)
    kernel[1, 2, 0, 0] = np.nan
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    error = refusal(n.save(n.q(n.op("Conv", x, n.const(kernel, name="kernel")), 0.1)))
    assert error.code == "E205"
    assert "kernel" in error.message


def test_unknown_op_is_named(net):
    n = net()
    error = refusal(n.save(n.op("NonZero", n.qdq(n.input("x", (1, 3)), 0.02), name="odd one")))
    assert error.code == "E202"
    assert "odd one" in error.message
    assert "Conv" in error.accepted


@pytest.mark.parametrize("domain", ["", "ai.onnx"])
def test_both_names_of_the_standard_domain(net, domain):
    n = net()
    output = quantised(n)

    def edit(model):
        for node in model.graph.node:
            node.domain = domain

    assert taken(edited(n, output, edit)).nodes


def test_custom_domain_is_refused(net):
    n = net()
    output = quantised(n)

    def edit(model):
        model.graph.node[-2].domain = "acme.ops"

    assert "acme.ops" in refusal(edited(n, output, edit)).seen


def test_three_dimensional_convolution(net):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8, 8)), 0.02)
    error = refusal(n.save(n.q(n.op("Conv", x, n.weights(4, 3, 3, 3, 3)), 0.1)))
    assert "3 spatial dimensions" in error.seen


@pytest.mark.parametrize("batch", [None, "N", 0])
def test_dynamic_batch_becomes_one(net, batch):
    n = net()
    output = quantised(n, (batch, 3, 8, 8))
    assert taken(n.save(output)).tensors["x"].shape == (1, 3, 8, 8)


def test_other_dynamic_shapes_need_a_shape(net):
    n = net()
    path = n.save(quantised(n, ("N", 3, "H", 8)))
    error = refusal(path)
    assert error.code == "E204"
    assert "--shape x=" in error.hint
    assert taken(path, shapes={"x": (1, 3, 6, 8)}).tensors["x"].shape == (1, 3, 6, 8)


@pytest.mark.parametrize("shapes", [{"y": (1, 3, 8, 8)}, {"x": (0, 3, 8, 8)}])
def test_shape_options_that_cannot_be(net, shapes):
    n = net()
    error = refusal(n.save(quantised(n)), shapes=shapes)
    assert (error.code, error.exit_code) == ("E104", 2)


def test_shape_that_does_not_fit_the_weights(net):
    n = net()
    assert refusal(n.save(quantised(n)), shapes={"x": (1, 5, 8, 8)}).code == "E203"


def test_fixed_batch_above_one(net):
    n = net()
    path = n.save(quantised(n, (4, 3, 8, 8)))
    assert "[4, 3, 8, 8]" in refusal(path).seen
    assert taken(path, shapes={"x": (1, 3, 8, 8)}).nodes


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -0.5])
def test_scales_must_be_positive_numbers(net, bad):
    n = net()
    error = refusal(n.save(n.q(n.input("x", (1, 8)), bad)))
    assert error.code == "E205"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_biases_must_be_numbers(net, bad):
    n = net()
    x = n.qdq(n.input("x", (1, 3, 8, 8)), 0.02)
    bias = n.const([0, bad, 1, 2], name="the bias")
    error = refusal(n.save(n.q(n.op("Conv", x, n.weights(4, 3, 3, 3), bias), 0.1)))
    assert error.code == "E205"
    assert "the bias" in error.message


def huge_initializer(model):
    model.graph.initializer.append(
        TensorProto(name="huge", dims=[2**20, 2**20], data_type=TensorProto.INT8)
    )


def huge_input(model):
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 2**40


def huge_fill(model):
    shape = helper.make_tensor("s", TensorProto.INT64, [2], [2**20, 2**20])
    model.graph.node.insert(0, helper.make_node("Constant", [], ["s"], "s", value=shape))
    model.graph.node.insert(1, helper.make_node("ConstantOfShape", ["s"], ["huge"], "huge"))


@pytest.mark.parametrize("edit", [huge_initializer, huge_input, huge_fill])
def test_huge_tensors_are_refused_without_making_them(net, edit):
    n = net()
    error = refusal(edited(n, quantised(n), edit))
    assert error.code == "E206"


def unsorted(model):
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))


def cyclic(model):
    model.graph.node[0].input[0] = model.graph.node[-1].output[0]


def written_twice(model):
    model.graph.node.append(model.graph.node[0])


def two_outputs(model):
    model.graph.output.append(model.graph.output[0])


def no_nodes(model):
    del model.graph.node[:]


def no_opset(model):
    del model.opset_import[:]


def far_opset(model):
    model.opset_import[0].version = 9999


def lost_output(model):
    model.graph.output[0].name = "nowhere"


@pytest.mark.parametrize(
    "edit",
    [unsorted, cyclic, written_twice, no_nodes, no_opset, far_opset, lost_output],
)
def test_malformed_graphs(net, edit):
    n = net()
    error = refusal(edited(n, quantised(n), edit))
    assert error.code == "E207"
    assert isinstance(error, UnsupportedModelError)


def test_a_second_output_is_refused_without_calling_the_graph_malformed(net):
    n = net()
    error = refusal(edited(n, quantised(n), two_outputs))
    assert error.code == "E200"
    assert error.seen.startswith("2 outputs")


def test_subgraphs_are_refused(net):
    n = net()
    output = quantised(n)

    def edit(model):
        body = helper.make_graph([], "body", [], [])
        node = helper.make_node("If", ["x"], ["y"], "maybe", then_branch=body, else_branch=body)
        model.graph.node.append(node)

    error = refusal(edited(n, output, edit))
    assert "maybe" in error.message


def external(location):
    def edit(model):
        tensor = model.graph.initializer[0]
        for weights in model.graph.initializer:
            if len(weights.dims) == 4:
                tensor = weights
        tensor.data_location = TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location

    return edit


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "../secret.bin", "a/../../secret.bin", "link.bin", "gone.bin", ""]
)
def test_external_data_stays_inside_the_folder(net, tmp_path, location):
    n = net()
    n.folder = tmp_path / "inner"
    n.folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(b"\1" * 4096)
    (n.folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    error = refusal(edited(n, quantised(n), external(location)))
    assert (error.code, error.exit_code) == ("E105", 2)
    assert isinstance(error, UsageError)


def test_external_data_beside_the_network(net):
    n = net()
    path = edited(n, quantised(n), external("w.bin"))
    (n.folder / "w.bin").write_bytes(bytes(range(108)))
    weights = next(t for t in taken(path).tensors.values() if t.shape == (4, 3, 3, 3))
    assert weights.value.reshape(-1).tolist() == list(range(108))


def test_external_data_that_is_too_short(net):
    n = net()
    path = edited(n, quantised(n), external("w.bin"))
    (n.folder / "w.bin").write_bytes(bytes(100))
    assert "100" in refusal(path).seen


def test_odd_element_types(net):
    n = net()
    output = quantised(n)

    def edit(model):
        model.graph.input[0].type.tensor_type.elem_type = TensorProto.STRING

    assert "STRING" in refusal(edited(n, output, edit)).seen
