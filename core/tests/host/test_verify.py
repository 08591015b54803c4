"""The generated C against the reference, on a chip with a layout and a scratchpad of its own."""

from dataclasses import replace

import pytest
from acme import Acme
from networks import Builder
from stages import build

from htvm.api import hookimpl
from htvm.errors import MismatchError


def two_convs():
    net = Builder()
    x = net.input("x", (1, 5, 6, 7))
    return net.graph(net.clip(net.conv(net.conv(x, 11, "first"), 3, "second"), "end"))


def residual():
    net = Builder()
    x = net.input("x", (1, 8, 4, 4))
    a = net.conv(x, 8, "a")
    b = net.conv(a, 8, "b")
    return net.graph(net.clip(a, "left"), net.transpose(net.clip(b, "right"), (0, 2, 3, 1), "last"))


@pytest.mark.parametrize("graph", [two_convs(), residual()], ids=["chain", "two outputs"])
@pytest.mark.parametrize("sanitize", [False, True], ids=["plain", "sanitized"])
def test_every_layer_is_bit_exact(graph, sanitize):
    result = build(graph).verify(sanitize=sanitize)
    assert result.first_divergence is None
    assert result.mismatches == 0
    assert result.elements > 0


def test_engine_cycles_counted_by_the_emulator():
    built = build(two_convs())
    counted = {layer.name: layer.cycles for layer in built.verify().layers}
    kernels = {k.step.name: k.timeline for k in built.schedule.kernels if k.timeline}
    assert kernels
    for name, timeline in kernels.items():
        assert counted[name] == timeline.transfer + timeline.compute


class Emitting(Acme):
    """The chip with what it emits for one engine changed."""

    def __init__(self, change):
        self.change = change

    @hookimpl
    def htvm_emit(self, layer, tiling, constants, program, hardware):
        code = Acme.htvm_emit(self, layer, tiling, constants, program, hardware)
        return replace(code, body=self.change(code.body)) if layer.name == "second" else None


def broken(change):
    return build(two_convs(), overrides=[Emitting(change)])


def test_wrong_arithmetic_names_layer_and_element():
    result = broken(lambda body: body.replace(", 6);", ", 5);")).verify()
    assert result.first_divergence.layer == "second"
    assert len(result.first_divergence.index) == 4
    assert result.first_divergence.run == 1
    assert result.mismatches > 0


def test_missing_wait_is_told_by_the_emulator():
    with pytest.raises(MismatchError, match="second") as caught:
        broken(lambda body: body.replace("acme_wait();", "", 1)).verify()
    assert caught.value.code == "E403"
    assert "before waiting" in caught.value.seen


@pytest.mark.parametrize(("sanitize", "code"), [(False, "E403"), (True, "E402")])
def test_write_beyond_the_arena_is_noticed(sanitize, code):
    right = build(two_convs())
    step = next(step for step in right.plan.layers if step.name == "second")
    buffer = right.plan.values[step.output].buffer
    place = next(one.offset_bytes for one in right.memory.blocks if one.name == buffer)
    wrong = broken(lambda body: f"{body}\nout[{right.memory.arena_bytes - place}] = 1;")
    with pytest.raises(MismatchError, match=r"second|end") as caught:
        wrong.verify(sanitize=sanitize)
    assert caught.value.code == code


def test_crash_names_the_layer():
    with pytest.raises(MismatchError, match="crashed in layer second") as caught:
        broken(lambda body: body + "\n*(volatile int *)8 = 0;").verify()
    assert caught.value.code == "E402"


def test_endless_loop_names_the_layer():
    wrong = broken(lambda body: body + "\nfor (volatile int on = 1; on;) { }")
    with pytest.raises(MismatchError, match="come to an end in layer second") as caught:
        wrong.verify(timeout_s=5.0)
    assert caught.value.code == "E404"


def test_limit_is_for_a_layer_and_not_for_all_samples():
    waiting = broken(lambda body: body + "\nfor (volatile int i = 0; i < 20000000; i++) { }")
    assert waiting.verify(timeout_s=3.0, random=50).mismatches == 0


def test_state_kept_between_inferences_is_found():
    def change(body):
        return f"static int8_t calls;\n{body}\nout[0] = (int8_t)(out[0] + calls++);"

    result = broken(change).verify()
    assert result.first_divergence.run == 2


def test_padding_the_layout_promises_is_checked():
    result = broken(lambda body: body + "\nout[3] = 77;").verify()
    assert "padding" in result.first_divergence.inputs
    assert result.first_divergence.seen == 77
