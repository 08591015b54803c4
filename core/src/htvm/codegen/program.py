"""Prints a tile program as C, with loops where tiles repeat.

A plug-in says how each step is called; which calls belong together, what becomes a loop and how
numbers grow with it is the same for every chip.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count

from htvm.codegen.roll import Call, Item, Loop, roll, together
from htvm.errors import InternalError
from htvm.target.program import Program, Span, Step, Tile, Transfer, Wait
from htvm.target.source import LayerCode

_FIELDS_A_LINE = 6
_CALL_BYTES, _NUMBER_BYTES, _LOOP_BYTES = 8, 6, 24

_Steps = tuple[tuple[str, int], ...]
"""Loop variables with what one turn adds."""


def emit_program(
    program: Program,
    call: Callable[[Step, Program], Call],
    *,
    includes: tuple[str, ...] = (),
    comment: str = "",
) -> LayerCode:
    """The C of a layer: a call for each step, loops where tiles repeat.

    Args:
        program: The tile program.
        call: The C of one step; see :class:`~htvm.codegen.roll.Call` and :func:`struct_call`.
        includes: Headers the calls need.
        comment: What the function does, for its head.
    """
    items = roll([together(roll(tuple(_items(tile, program, call)))) for tile in program.tiles])
    return LayerCode(
        body="\n".join(_print(items)),
        includes=includes,
        comment=comment,
        size_bytes=sum(_size(item) for item in items),
    )


def struct_call(
    function: str,
    record: str,
    fields: Mapping[str, int],
    symbols: Mapping[str, str] | None = None,
) -> Call:
    """A call of ``function`` with the address of a ``record`` that has these fields.

    Args:
        function: Name of a function of one ``const record *``.
        record: Name of the struct's type.
        fields: Field name -> value, in the struct's order.
        symbols: Fields set to a named constant, before the others.
    """
    texts = [f".{name} = {symbol}" for name, symbol in (symbols or {}).items()]
    texts += [f".{name} = {{}}" for name in fields]
    rows = (texts[at : at + _FIELDS_A_LINE] for at in range(0, len(texts), _FIELDS_A_LINE))
    inner = ",\n        ".join(", ".join(row) for row in rows)
    text = f"{{{{\n    const {record} job = {{{{\n        {inner}\n    }}}};\n"
    return Call(template=f"{text}    {function}(&job);\n}}}}", numbers=tuple(fields.values()))


def transfer_call(step: Transfer, program: Program, *, load: str, store: str) -> Call:
    """A call that starts a transfer between main memory and packed bytes of a scratchpad.

    The functions are ``load(address, main, box)`` and ``store(main, address, box)``, where the
    ``htvm_box`` of ``htvm.h`` says which bytes of main memory are meant.

    Raises:
        InternalError: The bytes lie in more than two nested repeats, or not packed.
    """
    loads = program.buffers[step.destination.buffer].role == "local"
    main, local = (step.source, step.destination)[:: 1 if loads else -1]
    if len(main.repeats) > 2 or local.repeats:
        raise InternalError(f"no single transfer moves {step.source} to {step.destination}")
    outer, inner = ((1, 0), (1, 0), *main.repeats)[-2:]
    address, box = local_address(program, local), (main.run_bytes, *inner, *outer)
    numbers = (address, main.offset_bytes) if loads else (main.offset_bytes, address)
    places = f"{{}}, {main.buffer} + {{}}" if loads else f"{main.buffer} + {{}}, {{}}"
    literal = f"(htvm_box){{{{{', '.join(['{}'] * len(box))}}}}}"
    text = f"{load if loads else store}({places}, {literal});"
    return Call(template=text, numbers=(*numbers, *box))


def local_address(program: Program, span: Span) -> int:
    """First byte of a span of a scratchpad buffer, counted from the scratchpad's start."""
    return program.buffers[span.buffer].offset_bytes + span.offset_bytes


def _items(tile: Tile, program: Program, call: Callable[[Step, Program], Call]) -> Iterator[Item]:
    """A comment that names the tile, and every start together with the waits that follow it."""
    yield _numbered(f"/* {tile.label} */")
    group: list[Item] = []
    for step in tile.steps:
        if group and not isinstance(step, Wait):
            yield together(group)
            group = []
        group.append(call(step, program))
    if group:
        yield together(group)


def _numbered(text: str) -> Call:
    """Text with its numbers taken out."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", text))
    return Call(template=re.sub(r"\d+", "{}", text), numbers=numbers)


def _print(items: Sequence[Item], indent: str = "") -> Iterator[str]:
    numbers = [number for item in items for number in item.numbers]
    yield from _lines(items, [()] * len(numbers), indent, 0)


def _lines(
    items: Sequence[Item], steps: Sequence[_Steps], indent: str, depth: int
) -> Iterator[str]:
    """The lines of some items whose numbers grow with the loops around them."""
    at = 0
    for item in items:
        size = len(item.numbers)
        own = steps[at : at + size]
        at += size
        if isinstance(item, Call):
            parts = map(_expression, item.numbers, own)
            text = item.template.format(*parts).replace(" + 0,", ",")
            yield from (indent + line for line in text.split("\n"))
            continue
        if item.count == 1:
            yield from _lines(item.body, own, indent, depth)
            continue
        name = _variable(depth)
        yield f"{indent}for (uint32_t {name} = 0; {name} < {item.count}; {name}++) {{"
        inner = [(*outer, (name, step)) for outer, step in zip(own, item.steps, strict=True)]
        yield from _lines(item.body, inner, indent + "    ", depth + 1)
        yield f"{indent}}}"


def _expression(number: int, steps: _Steps) -> str:
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
