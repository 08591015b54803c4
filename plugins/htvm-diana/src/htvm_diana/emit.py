"""From the tile program to the C that runs it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import count

from htvm.api import Buffer, Launch, LayerCode, Program, Step, Tile, Transfer, Wait
from htvm_diana.roll import Call, Item, Loop, roll, together

HEADER = '"htvm_diana.h"'
_MODE_NAMES = ("DENSE", "CONV2D", "DEPTHWISE", "SUM")
_FIELDS_A_LINE = 6
_CALL_BYTES, _NUMBER_BYTES, _LOOP_BYTES = 8, 6, 24

Steps = tuple[tuple[str, int], ...]
"""Loop variables with what one turn adds."""


def emit(program: Program, comment: str) -> LayerCode:
    """The body of a layer's function: a call for each step, loops where tiles repeat.

    Args:
        program: The tile program.
        comment: What the function does, for its head.
    """
    items = roll([together(roll(tuple(_items(tile, program)))) for tile in program.tiles])
    return LayerCode(
        body="\n".join(_print(items)),
        includes=(HEADER,),
        comment=comment,
        size_bytes=sum(_size(item) for item in items),
    )


def _items(tile: Tile, program: Program) -> Iterator[Item]:
    """A comment that names the tile, and every start together with the waits that follow it."""
    yield _template(f"/* {tile.label} */")
    group: list[Item] = []
    for step in tile.steps:
        if group and not isinstance(step, Wait):
            yield together(group)
            group = []
        group.append(_call(step, program))
    if group:
        yield together(group)


def _call(step: Step, program: Program) -> Call:
    if isinstance(step, Wait):
        return Call(template="htvm_diana_wait();")
    return _start(step) if isinstance(step, Launch) else _move(step, program)


def _start(step: Launch) -> Call:
    fields = [f".mode = HTVM_DIANA_{_MODE_NAMES[step.job['mode']]}"]
    numbers = {name: value for name, value in step.job.items() if name != "mode"}
    fields += [f".{name} = {{}}" for name in numbers]
    lines = [
        ", ".join(fields[at : at + _FIELDS_A_LINE]) for at in range(0, len(fields), _FIELDS_A_LINE)
    ]
    inner = ",\n        ".join(lines)
    text = f"{{{{\n    const htvm_diana_job job = {{{{\n        {inner}\n    }}}};\n"
    text += "    htvm_diana_start(&job);\n}}"
    return Call(template=text, numbers=tuple(numbers.values()))


def _move(step: Transfer, program: Program) -> Call:
    ends = step.source, step.destination
    main, local = sorted(ends, key=lambda span: program.buffers[span.buffer].role == "local")
    address = _address(program.buffers[local.buffer], local.offset_bytes)
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


def _address(buffer: Buffer, offset_bytes: int) -> int:
    return buffer.offset_bytes + offset_bytes


def _template(text: str) -> Call:
    """Text with its numbers taken out."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", text))
    return Call(template=re.sub(r"\d+", "{}", text), numbers=numbers)


def _print(items: Sequence[Item], indent: str = "") -> Iterator[str]:
    numbers = [number for item in items for number in item.numbers]
    yield from _lines(items, [()] * len(numbers), indent, 0)


def _lines(items: Sequence[Item], steps: Sequence[Steps], indent: str, depth: int) -> Iterator[str]:
    """The lines of some items whose numbers grow with the loops around them."""
    at = 0
    for item in items:
        size = len(item.numbers)
        own = steps[at : at + size]
        at += size
        if isinstance(item, Call):
            parts = map(_expression, item.numbers, own)
            yield from (indent + line for line in item.template.format(*parts).split("\n"))
            continue
        if item.count == 1:
            yield from _lines(item.body, own, indent, depth)
            continue
        name = _variable(depth)
        yield f"{indent}for (uint32_t {name} = 0; {name} < {item.count}; {name}++) {{"
        inner = [(*outer, (name, step)) for outer, step in zip(own, item.steps, strict=True)]
        yield from _lines(item.body, inner, indent + "    ", depth + 1)
        yield f"{indent}}}"


def _expression(number: int, steps: Steps) -> str:
    terms = [(name, step) for name, step in steps if step]
    text = str(number) if number or not terms else ""
    for name, step in terms:
        sign = "-" if step < 0 else "+"
        product = name if abs(step) == 1 else f"{name} * {abs(step)}"
        text = f"{text} {sign} {product}" if text or step < 0 else product
    return text.strip()


def _variable(depth: int) -> str:
    return next(name for number, name in zip(count(), "ijklmnpq", strict=False) if number == depth)


def _size(item: Item) -> int:
    if isinstance(item, Loop):
        return _LOOP_BYTES + sum(_size(inner) for inner in item.body)
    return 0 if item.template.startswith("/*") else _CALL_BYTES + _NUMBER_BYTES * len(item.numbers)
