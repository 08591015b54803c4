"""A whole integer graph as one C file through TVM: the baseline of the benchmarks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from htvm.codegen.text import array_rows
from htvm.ir.graph import Graph, Node
from htvm.ir.ops import Reshape
from htvm.memory.allocate import allocate, arena_bytes
from htvm.memory.lifetimes import Lifetime
from htvm.tvm.names import identifier

if TYPE_CHECKING:
    from htvm.tvm.function import Function, Lowering

_ALIGN_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class NetworkCode:
    """A network as one C99 file.

    Attributes:
        source: The file.
        function: Its one public function, ``void NAME(const T *input0, .., T *output0, ..,
            uint8_t *arena)``; tensors are row-major in the graph's own shapes.
        arena_bytes: Size of ``arena``, which must be aligned to 16 bytes.
    """

    source: str
    function: str
    arena_bytes: int


def lower_graph(graph: Graph, *, lowering: Lowering = "default") -> NetworkCode:
    """Lower every node to one function of its own, and call them in order.

    Args:
        graph: The network.
        lowering: See :func:`htvm.tvm.function.lower`.

    Raises:
        ToolError: if TVM is missing or another version than htvm works with.
    """
    from htvm.tvm.function import lower

    views = _views(graph)
    steps = [node for node in graph.nodes if node.output not in views]
    functions = [lower([node], graph.tensors, _computed(graph, node), lowering) for node in steps]
    memory = _memory(graph, steps, functions, views)
    items = tuple(memory.values())
    offsets = allocate(items, 0)
    places = dict(zip(memory, offsets, strict=True))
    name = f"{identifier(graph.name)}_run"
    return NetworkCode(
        source=_source(graph, steps, functions, _Pointers(graph, views, places), name),
        function=name,
        arena_bytes=arena_bytes(items, offsets),
    )


@dataclass(frozen=True)
class _Pointers:
    """Where each tensor is, as a C expression."""

    graph: Graph
    views: Mapping[str, str]
    places: Mapping[str, int]

    def tensor(self, name: str) -> str:
        owner = self.views.get(name, name)
        for kind, names in (("input", self.graph.inputs), ("output", self.graph.outputs)):
            if owner in names:
                return f"{kind}{names.index(owner)}"
        kind = self.graph.tensors[owner].dtype.c_name
        return f"({kind} *)(arena + {self.places[owner]})"

    def scratch(self, node: Node) -> str:
        return f"arena + {self.places[_scratch(node)]}"


def _views(graph: Graph) -> dict[str, str]:
    """Reshaped tensors that need no memory, with the tensor whose memory they show."""
    views: dict[str, str] = {}
    for node in graph.nodes:
        if isinstance(node.op, Reshape) and node.output not in graph.outputs:
            views[node.output] = views.get(node.inputs[0], node.inputs[0])
    return views


def _computed(graph: Graph, node: Node) -> list[str]:
    names = dict.fromkeys(node.inputs)
    return [name for name in names if not graph.tensors[name].is_constant]


def _scratch(node: Node) -> str:
    return f"scratch of {node.name}"


def _memory(
    graph: Graph, steps: Sequence[Node], functions: Sequence[Function], views: Mapping[str, str]
) -> dict[str, Lifetime]:
    """What the arena holds, and when."""
    spans: dict[str, tuple[int, int]] = {}
    sizes = {}
    for index, (node, function) in enumerate(zip(steps, functions, strict=True)):
        for name in (*_computed(graph, node), node.output):
            owner = views.get(name, name)
            if owner not in (*graph.inputs, *graph.outputs):
                spans[owner] = (spans.get(owner, (index, index))[0], index)
                sizes[owner] = graph.tensors[owner].size_bytes
        if function.body.scratch_bytes:
            spans[_scratch(node)] = (index, index)
            sizes[_scratch(node)] = function.body.scratch_bytes
    return {
        name: Lifetime(
            names=(name,),
            size_bytes=-(-sizes[name] // _ALIGN_BYTES) * _ALIGN_BYTES,
            first=first,
            last=last,
        )
        for name, (first, last) in spans.items()
    }


def _source(
    graph: Graph,
    steps: Sequence[Node],
    functions: Sequence[Function],
    pointers: _Pointers,
    name: str,
) -> str:
    headers = {"stdint.h", *(header for item in functions for header in item.body.headers)}
    helpers = dict.fromkeys(text for item in functions for text in item.body.helpers)
    parts = ["\n".join(f"#include <{header}>" for header in sorted(headers)), *helpers]
    calls = []
    for number, (node, function) in enumerate(zip(steps, functions, strict=True)):
        parts += _arrays(function, number)
        parts.append(_definition(graph, node, function, number))
        calls.append(_call(graph, node, function, number, pointers))
    parts.append(_run(graph, name, calls))
    return "\n\n".join(parts) + "\n"


def _arrays(function: Function, number: int) -> list[str]:
    return [
        f"static const {item.dtype.c_name} node{number}_{item.name}[{item.data.size}] = {{\n"
        f"{array_rows(item.data, item.dtype)}\n}};"
        for item in function.constants
    ]


def _definition(graph: Graph, node: Node, function: Function, number: int) -> str:
    inputs = [graph.tensors[name].dtype.c_name for name in _computed(graph, node)]
    parameters = [(f"const {kind}", f"in{at}") for at, kind in enumerate(inputs)]
    parameters.append((graph.tensors[node.output].dtype.c_name, "out"))
    if function.body.scratch_bytes:
        parameters.append(("uint8_t", "scratch"))
    parameters += [(f"const {item.dtype.c_name}", item.name) for item in function.constants]
    head = ", ".join(f"{kind} *restrict {name}" for kind, name in parameters)
    used = set(re.findall(r"\w+", function.body.text))
    unused = [f"(void){name};" for _, name in parameters if name not in used]
    body = indent("\n".join([*unused, function.body.text]), "    ")
    return f"static void node{number}({head})\n{{\n{body}\n}}"


def _call(graph: Graph, node: Node, function: Function, number: int, pointers: _Pointers) -> str:
    arguments = [pointers.tensor(name) for name in (*_computed(graph, node), node.output)]
    if function.body.scratch_bytes:
        arguments.append(pointers.scratch(node))
    arguments += [f"node{number}_{item.name}" for item in function.constants]
    return f"    node{number}({', '.join(arguments)});"


def _run(graph: Graph, name: str, calls: Sequence[str]) -> str:
    inputs = [graph.tensors[tensor].dtype.c_name for tensor in graph.inputs]
    outputs = [graph.tensors[tensor].dtype.c_name for tensor in graph.outputs]
    parameters = [f"const {kind} *input{at}" for at, kind in enumerate(inputs)]
    parameters += [f"{kind} *output{at}" for at, kind in enumerate(outputs)]
    head = f"void {name}({', '.join([*parameters, 'uint8_t *arena'])})"
    body = "\n".join(["    (void)arena;", *calls])
    return f"{head};\n\n{head}\n{{\n{body}\n}}"
