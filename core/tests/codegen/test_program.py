import pytest

from htvm.api import (
    Buffer,
    Call,
    InternalError,
    Launch,
    Program,
    Span,
    Tile,
    Transfer,
    Wait,
    emit_program,
    struct_call,
    transfer_call,
)

BUFFERS = {
    "in0": Buffer(name="in0", memory="ram", size_bytes=1024, role="input"),
    "out": Buffer(name="out", memory="ram", size_bytes=1024, role="output"),
    "slot": Buffer(name="slot", memory="spm", size_bytes=256, offset_bytes=512),
}


def program(*tiles):
    made = (Tile(label=f"rows {at}", steps=steps) for at, steps in enumerate(tiles))
    return Program(buffers=BUFFERS, tiles=tuple(made))


def load(at, *repeats):
    source = Span(buffer="in0", offset_bytes=at, run_bytes=8, repeats=repeats)
    target = Span(buffer="slot", offset_bytes=16, run_bytes=8)
    return Transfer(queue="load", source=source, destination=target, cycles=0)


def store(at):
    source = Span(buffer="slot", offset_bytes=0, run_bytes=8)
    target = Span(buffer="out", offset_bytes=at, run_bytes=8)
    return Transfer(queue="store", source=source, destination=target, cycles=0)


def call(step, program):
    if isinstance(step, Wait):
        return Call(template="wait();")
    if isinstance(step, Launch):
        return struct_call("start", "record", step.job, {"mode": "FAST"})
    return transfer_call(step, program, load="load", store="store")


def lines(*tiles):
    return emit_program(program(*tiles), call).body.split("\n")


def test_transfers_name_both_ends_and_a_box():
    assert lines((load(24, (4, 64), (2, 16)), Wait(queue="load"), store(40))) == [
        "/* rows 0 */",
        "load(528, in0 + 24, (htvm_box){8, 2, 16, 4, 64});",
        "wait();",
        "store(out + 40, 512, (htvm_box){8, 1, 0, 1, 0});",
    ]


def test_repeats_that_no_box_has_are_refused():
    step = load(0, (2, 64), (2, 16), (2, 8))
    with pytest.raises(InternalError, match="no single transfer"):
        transfer_call(step, program(), load="load", store="store")


def test_jobs_are_records_with_symbols_first():
    job = {"input": 512, "rows": 3}
    launch = Launch(queue="npu", kind="x", job=job, reads=(), writes=(), cycles=0)
    text = "\n".join(lines((launch,)))
    assert ".mode = FAST, .input = 512, .rows = 3" in text
    assert "const record job = {" in text
    assert "start(&job);" in text


def test_tiles_that_alternate_between_two_places_become_a_loop():
    steps = [(load(64 * at), store(8 * (at % 2))) for at in range(6)]
    assert lines(*steps) == [
        "for (uint32_t i = 0; i < 3; i++) {",
        "    for (uint32_t j = 0; j < 2; j++) {",
        "        /* rows i * 2 + j */",
        "        load(528, in0 + i * 128 + j * 64, (htvm_box){8, 1, 0, 1, 0});",
        "        store(out + j * 8, 512, (htvm_box){8, 1, 0, 1, 0});",
        "    }",
        "}",
    ]


def test_includes_and_comment_are_handed_on():
    code = emit_program(program((load(0),)), call, includes=('"x.h"',), comment="does it")
    assert (code.includes, code.comment) == (('"x.h"',), "does it")
    assert code.size_bytes > 0
