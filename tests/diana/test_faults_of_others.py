"""Each fault HTVM's and DORY's code for DIANA is known to have, and that ours does right."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from built import Network, assert_exact, bias_for, deploy, prove, shift_by, step_of, weights_for

from htvm.cli.main import run
from htvm.deployment import Deployment
from htvm.errors import UnsupportedModelError
from htvm.ir import ops
from htvm.schedule.kernels import Kernel
from htvm.target.program import Launch, Program, Transfer

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits" / "digits.onnx"
SAME = (1, 1, 1, 1)
BIAS_BYTES = 64


def kernel_of(done: Deployment, name: str) -> Kernel:
    assert done.schedule is not None
    return next(kernel for kernel in done.schedule.kernels if kernel.step.name == name)


def program_of(done: Deployment, name: str) -> Program:
    program = kernel_of(done, name).program
    assert program is not None
    return program


def jobs(done: Deployment, name: str) -> list[Launch]:
    return [step for step in program_of(done, name).steps if isinstance(step, Launch)]


def transfers(done: Deployment, name: str) -> list[Transfer]:
    return [step for step in program_of(done, name).steps if isinstance(step, Transfer)]


def weight_loads(done: Deployment, name: str) -> Iterator[tuple[int, int]]:
    """First byte and length of every transfer of weights."""
    for step in transfers(done, name):
        if step.source.buffer == "weights":
            yield step.source.offset_bytes, step.source.run_bytes


def convolutions(net: Network, x: str, name: str, outputs: int, shift: int = 7) -> str:
    """A 3x3 convolution, and a depthwise one after it."""
    rng = np.random.default_rng(outputs)
    channels = net.shape(x)[0]
    first = net.conv(
        name,
        x,
        weights_for(rng, (outputs, channels, 3, 3), shift),
        shift_by(shift),
        bias=bias_for(rng, outputs, shift),
        pad=SAME,
    )
    return net.conv(
        f"{name}_single",
        first,
        weights_for(rng, (outputs, 1, 3, 3), shift),
        shift_by(shift),
        bias=bias_for(rng, outputs, shift),
        pad=SAME,
        groups=outputs,
    )


def test_width_not_a_multiple_of_16() -> None:
    net = Network()
    widths = (1, 5, 15, 17, 25, 33)
    for width in widths:
        convolutions(net, net.input(7, 6, width), f"w{width}", 9)
    names = [f"w{width}{end}" for width in widths for end in ("", "_single")]
    done = prove(net, *names)
    for name in names:
        for job in jobs(done, name):
            assert job.job["cx_pitch"] % 16 == 0
            assert job.job["cx_pitch"] >= job.job["cx"]


def test_input_channels_not_a_multiple_of_16() -> None:
    """ResNet8's first layer has 496 bytes of weights and bias; DORY reads 2,368."""
    rng = np.random.default_rng(3)
    net = Network()
    net.conv(
        "first", net.input(3, 32, 32), weights_for(rng, (16, 3, 3, 3), 8), shift_by(8), pad=SAME
    )
    convolutions(net, net.input(17, 9, 9), "odd", 16)
    done = prove(net, "first", "odd", "odd_single")
    (constant,) = kernel_of(done, "first").constants
    assert constant.data.size == 3 * 3 * 3 * 16 + BIAS_BYTES == 496
    assert sum(size for _, size in weight_loads(done, "first")) == 496
    assert {job.job["c"] for job in jobs(done, "first")} <= {3, 12}


def test_output_channels_not_a_multiple_of_16() -> None:
    """With weights of zero the bias is all there is, and every channel has its own."""
    net = Network()
    counts = (1, 5, 20, 33, 47)
    for outputs in counts:
        x, bias = net.input(6, 5, 7), 5 * np.arange(outputs) - 120
        net.conv(f"k{outputs}", x, np.zeros((outputs, 6, 3, 3)), shift_by(0), bias=bias)
        wide = bias * 2**20 + 12_345
        net.conv(f"n{outputs}", x, np.zeros((outputs, 6, 3, 3)), shift_by(20), bias=wide)
    names = [f"{kind}{outputs}" for kind in "kn" for outputs in counts]
    prove(net, *names)
    prove(net, *names, settings={"memory.weights.size_bytes": "1024"})


def test_add_followed_by_relu_keeps_the_relu() -> None:
    net = Network()
    a, b = net.input(5, 6, 17), net.input(5, 6, 17)
    net.add("with_relu", a, b, shift_by(1, relu=True))
    plain = net.add("plain", a, b, shift_by(1))
    net.requantise("relu_apart", plain, shift_by(0, relu=True))
    done = prove(net, "with_relu", "plain")
    assert {job.kind for job in jobs(done, "plain")} == {"sum"}
    for job in jobs(done, "with_relu"):
        assert job.kind != "sum"
        assert job.job["relu"] == 1
    assert_exact(deploy(net))


def test_tiled_layers_stay_inside_l1() -> None:
    limit = 8_192
    net = Network()
    end = convolutions(net, net.input(13, 24, 20), "tiled", 40)
    net.add("sum", end, net.input(40, 24, 20), shift_by(1))
    names = ("tiled", "tiled_single", "sum")
    done = prove(net, *names, settings={"memory.l1.size_bytes": str(limit)})
    for name in names:
        program = program_of(done, name)
        assert len(program.tiles) > 1
        for step in transfers(done, name):
            for span in (step.source, step.destination):
                buffer = program.buffers[span.buffer]
                reach = sum((count - 1) * stride for count, stride in span.repeats)
                end_bytes = buffer.offset_bytes + span.offset_bytes + reach + span.run_bytes
                assert buffer.memory != "l1" or end_bytes <= limit
        for job in jobs(done, name):
            record = job.job
            if job.kind == "sum":
                assert record["output"] + record["c"] <= limit
                continue
            planes = -(-record["k"] // 16) * 16
            plane_bytes = record["oy"] * -(-record["ox"] // 16) * 16
            assert record["output"] + planes * plane_bytes <= limit
            assert record["input"] + record["c"] * record["channel_size"] <= limit


def test_weight_offset_of_a_tile_of_depthwise_and_odd_channels() -> None:
    rng = np.random.default_rng(6)
    net = Network()
    net.conv("odd", net.input(5, 9, 9), weights_for(rng, (75, 5, 5, 5), 8), shift_by(8),
             bias=bias_for(rng, 75, 8))  # fmt: skip
    net.conv("single", net.input(37, 9, 9), weights_for(rng, (37, 1, 5, 5), 8), shift_by(8),
             bias=bias_for(rng, 37, 8), groups=37)  # fmt: skip
    settings = {
        "memory.weights.size_bytes": "3072",
        "engine.digital.depthwise_channels_per_launch": "4",
    }
    done = prove(net, "odd", "single", settings=settings)
    assert {job.kind for job in jobs(done, "single")} == {"depthwise"}
    for name, taps in (("odd", 5 * 25), ("single", 25)):
        block = taps * 16 + BIAS_BYTES
        loads = sorted(set(weight_loads(done, name)))
        assert len(loads) > 1
        assert all(start % block == 0 and size % block == 0 for start, size in loads)
        assert sum(size for _, size in loads) == kernel_of(done, name).constant_bytes


def test_two_adds_whose_names_end_in_one_digit() -> None:
    net = Network()
    x = net.input(4, 8, 24)
    for name in ("add_1", "add_11", "block2_add_1"):
        x = net.add(name, x, net.input(4, 8, 24), shift_by(1))
    done = prove(net, "add_1", "add_11", "block2_add_1")
    for name in ("add_1", "add_11", "block2_add_1"):
        for job in jobs(done, name):
            assert len({job.job["input"], job.job["input2"], job.job["output"]}) == 3


def test_rows_of_16_bytes_moved_by_a_dma_of_32() -> None:
    net = Network()
    for height in (5, 12, 17, 26):
        convolutions(net, net.input(10, height, 13), f"h{height}", 11)
    names = [f"h{height}{end}" for height in (5, 12, 17, 26) for end in ("", "_single")]
    done = prove(net, *names, settings={"memory.l1.size_bytes": "9600"})
    assert any(len(program_of(done, name).tiles) > 1 for name in names)
    for name in names:
        for step in transfers(done, name):
            if step.source.buffer == "weights":
                continue
            assert step.destination.run_bytes % 32 == 0
            assert all(
                stride >= step.destination.run_bytes for _, stride in step.destination.repeats
            )


def test_planes_of_65536_bytes_and_more() -> None:
    """The transfers' 16-bit strides wrap."""
    rng = np.random.default_rng(9)
    net = Network()
    x = net.input(3, 260, 256)
    net.conv("huge", x, weights_for(rng, (2, 3, 3, 3), 7), shift_by(7), stride=2, pad=SAME)
    done = prove(
        net, "huge", settings={"memory.l2.size_bytes": "2_000_000"}, random=1, extreme=False
    )
    for step in transfers(done, "huge"):
        repeats = (*step.source.repeats, *step.destination.repeats)
        assert all(stride < 65_536 for _, stride in repeats)


def test_no_solution_is_an_error_with_a_reason() -> None:
    net = Network()
    convolutions(net, net.input(16, 8, 8), "conv", 16)
    tiny = {"memory.l1.size_bytes": "512"}
    with pytest.raises(UnsupportedModelError) as caught:
        deploy(net, settings=tiny, pins={"conv": "digital"})
    assert caught.value.exit_code != 0
    assert "bytes of L1, it has 512" in caught.value.seen
    done = deploy(net, settings=tiny)
    assert_exact(done)
    step = step_of(done, "conv")
    assert step.engine == "cpu"
    assert any("bytes of L1" in other.reason for other in step.alternatives)


def test_no_solution_ends_the_command_with_another_status_than_0(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    tiny = ["--set", "memory.l1.size_bytes=512", "--strict"]
    folder = tmp_path / "out"
    status = run(["deploy", str(DIGITS), "-t", "diana", "-o", str(folder), *tiny])
    assert status == UnsupportedModelError.exit_code != 0
    assert "E250" in capfd.readouterr().err
    assert not folder.exists()


def test_analog_convolutions_of_more_than_1152_rows_run_on_the_digital_core() -> None:
    """The target has no analog layers yet; what is too long for its array is not lost."""
    rng = np.random.default_rng(12)
    net = Network()
    weights = rng.integers(-1, 2, (8, 150, 3, 3))
    assert weights[0].size > 1152
    net.conv("long", net.input(150, 6, 6), weights, shift_by(6), pad=SAME)
    prove(net, "long")


def test_the_batch_norm_stage_of_an_analog_layer_is_not_skipped() -> None:
    """The digital core has neither the converter's 6 bits nor the per-channel stage after it."""
    rng = np.random.default_rng(13)
    net = Network()
    x = net.input(6, 7, 7)
    converted = net.conv("analog", x, rng.integers(-1, 2, (5, 6, 3, 3)), shift_by(4, lo=-32, hi=31))
    norm = shift_by(3, mul=[3, 5, 7, 2, 11], add=[40, -30, 0, 99, -7])
    net.requantise("norm", converted, norm)
    done = deploy(net)
    assert_exact(done)
    assert step_of(done, "analog").engine == "digital"
    assert done.dispatch is not None
    (host,) = (layer for layer in done.dispatch.layers if layer.engine == "cpu")
    left = [node.op for node in host.layer.nodes]
    assert [(op.lo, op.hi) for op in left if isinstance(op, ops.Clip)] == [(-32, 31)]
    assert "norm" in {node.name for node in host.layer.nodes}
