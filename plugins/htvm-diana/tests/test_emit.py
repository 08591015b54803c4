import re

from diana_layers import Case, all_tilings, conv_graph, layer_of, with_memories

from htvm.api import Buffer, Launch, Program, Span, Tile, Transfer, Wait
from htvm_diana.emit import emit

SMALL = with_memories(l1=20_000)
LOCAL = {
    "in0": Buffer(name="in0", memory="l2", size_bytes=1024, role="input"),
    "out": Buffer(name="out", memory="l2", size_bytes=1024, role="output"),
    "l1_in0": Buffer(name="l1_in0", memory="l1", size_bytes=256, offset_bytes=512),
}


def transfer(main, local, *, count=1):
    repeats = ((count, 128),) if count > 1 else ()
    return Transfer(
        queue="dma",
        source=Span(buffer="in0", offset_bytes=main, run_bytes=32, repeats=repeats),
        destination=Span(
            buffer="l1_in0",
            offset_bytes=local,
            run_bytes=32,
            repeats=((count, 32),) if count > 1 else (),
        ),
        cycles=0,
    )


def test_addresses_in_l1_are_absolute():
    program = Program(
        buffers=LOCAL,
        tiles=(Tile(label="rows 0..3", steps=(transfer(64, 16, count=3), Wait(queue="dma"))),),
    )
    assert emit(program, "").body.split("\n") == [
        "/* rows 0..3 */",
        "htvm_diana_load(528, in0 + 64, 32, 3, 32, 128);",
        "htvm_diana_wait();",
    ]


def test_tiles_that_repeat_become_a_loop():
    tiles = tuple(
        Tile(label=f"rows {4 * n}..{4 * n + 3}", steps=(transfer(64 * n, 0), Wait(queue="dma")))
        for n in range(5)
    )
    assert emit(Program(buffers=LOCAL, tiles=tiles), "").body.split("\n") == [
        "for (uint32_t i = 0; i < 5; i++) {",
        "    /* rows i * 4..3 + i * 4 */",
        "    htvm_diana_load(512, in0 + i * 64, 32, 1, 0, 0);",
        "    htvm_diana_wait();",
        "}",
    ]


def test_a_falling_number_is_subtracted():
    tiles = tuple(Tile(label="x", steps=(transfer(96 - 32 * n, 0),)) for n in range(4))
    body = emit(Program(buffers=LOCAL, tiles=tiles), "").body
    assert "in0 + 96 - i * 32" in body


def test_a_job_names_its_mode_and_every_field():
    job = {"mode": 3, "input": 0, "input2": 16, "output": 32, "c": 16, "shift": 1}
    launch = Launch(queue="digital", kind="sum", job=job, reads=(), writes=(), cycles=0)
    body = emit(Program(buffers=LOCAL, tiles=(Tile(label="x", steps=(launch,)),)), "").body
    assert ".mode = HTVM_DIANA_SUM" in body
    assert re.findall(r"\.(\w+) = (\d+)", body) == [
        (name, str(value)) for name, value in job.items() if name != "mode"
    ]


def test_code_grows_with_the_kinds_of_tiles_not_with_their_number():
    def body_of(channels):
        layer = layer_of(graph := conv_graph(0, shape=(16, 64, 32), outputs=channels), SMALL)
        tiling = all_tilings(layer, SMALL)[0]
        case = Case(graph=graph, layer=layer, tiling=tiling)
        return case.code, len(case.program.steps)

    (few, few_calls), (many, many_calls) = body_of(48), body_of(96)
    assert many_calls > 1.5 * few_calls
    assert many.size_bytes <= 1.2 * few.size_bytes
