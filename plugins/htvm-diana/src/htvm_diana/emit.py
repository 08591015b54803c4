"""The C that starts, and awaits, each step of a tile program."""

from __future__ import annotations

from htvm.api import (
    Call,
    Launch,
    LayerCode,
    Program,
    Step,
    Transfer,
    Wait,
    emit_program,
    local_address,
    struct_call,
)

HEADER = '"htvm_diana.h"'
_MODE_NAMES = ("DENSE", "CONV2D", "DEPTHWISE", "SUM")


def emit(program: Program, comment: str) -> LayerCode:
    """The body of a layer's function: a call for each step, loops where tiles repeat.

    Args:
        program: The tile program.
        comment: What the function does, for its head.
    """
    return emit_program(program, _call, includes=(HEADER,), comment=comment)


def _call(step: Step, program: Program) -> Call:
    if isinstance(step, Wait):
        return Call(template="htvm_diana_wait();")
    return _start(step) if isinstance(step, Launch) else _move(step, program)


def _start(step: Launch) -> Call:
    mode = f"HTVM_DIANA_{_MODE_NAMES[step.job['mode']]}"
    numbers = {name: value for name, value in step.job.items() if name != "mode"}
    return struct_call("htvm_diana_start", "htvm_diana_job", numbers, {"mode": mode})


def _move(step: Transfer, program: Program) -> Call:
    ends = step.source, step.destination
    main, local = sorted(ends, key=lambda span: program.buffers[span.buffer].role == "local")
    address = local_address(program, local)
    if program.buffers[local.buffer].memory == "weights":
        text = f"htvm_diana_load_weights({{}}, {main.buffer} + {{}}, {{}});"
        return Call(template=text, numbers=(address, main.offset_bytes, main.run_bytes))
    chunks, main_stride = main.repeats[0] if main.repeats else (1, 0)
    local_stride = local.repeats[0][1] if local.repeats else 0
    shape = (main.run_bytes, chunks, local_stride, main_stride)
    if main is step.source:
        text = f"htvm_diana_load({{}}, {main.buffer} + {{}}, {{}}, {{}}, {{}}, {{}});"
        return Call(template=text, numbers=(address, main.offset_bytes, *shape))
    text = f"htvm_diana_store({main.buffer} + {{}}, {{}}, {{}}, {{}}, {{}}, {{}});"
    return Call(template=text, numbers=(main.offset_bytes, address, *shape))
