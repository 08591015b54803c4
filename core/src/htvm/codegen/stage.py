"""The code generation stage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jinja2

from htvm.codegen import calls, constants, functions, places
from htvm.codegen.interface import ports
from htvm.codegen.naming import project_name
from htvm.codegen.project import Project
from htvm.codegen.runtimes import Joined, join
from htvm.codegen.text import array_rows, comment_text, not_finite
from htvm.ir.tensor import Array
from htvm.memory.plan import MemoryPlan
from htvm.numerics import execute, random_inputs
from htvm.plugins.session import Session
from htvm.schedule.kernels import Schedule
from htvm.target.hardware import Hardware

GOLDEN_SEED = 1


def emit(schedule: Schedule, memory: MemoryPlan, session: Session) -> Project:
    """Print the C project of a scheduled network.

    Byte for byte the same for the same network, target and settings.
    """
    runtime = join(session.runtimes())
    brought = (*runtime.headers, *runtime.device, *runtime.emulation)
    net = project_name(schedule.dispatch.graph.name, brought)
    build = {
        "sources": (f"src/{net}.c", f"src/{net}_weights.c"),
        "device_sources": _compiled("device", runtime.device),
        "emulation_sources": _compiled("emulation", runtime.emulation),
    }
    view = {
        **_network(schedule, memory, session.hardware, net),
        **_code(schedule, memory, runtime, net),
        **_golden(schedule),
        **build,
        "device_flags": "".join(f"{flag} " for flag in runtime.device_flags),
        "errors": runtime.errors,
    }
    return Project(name=net, files=_files(net, view, runtime), runtime=runtime, **build)


def _compiled(folder: str, files: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}" for name in files if name.endswith(".c"))


def _files(net: str, view: Mapping[str, Any], runtime: Joined) -> Mapping[str, str]:
    loader = jinja2.Environment(
        loader=jinja2.PackageLoader("htvm.codegen"),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - C, not HTML
    )
    templates = {
        "include/htvm.h": "htvm.h.j2",
        f"include/{net}.h": "network.h.j2",
        f"src/{net}.c": "network.c.j2",
        f"src/{net}_weights.h": "weights.h.j2",
        f"src/{net}_weights.c": "weights.c.j2",
        "test/main.c": "main.c.j2",
        "test/golden.h": "golden.h.j2",
        "Makefile": "Makefile.j2",
        "CMakeLists.txt": "CMakeLists.txt.j2",
    }
    files = {
        path: loader.get_template(template).render(view) for path, template in templates.items()
    }
    files |= {f"include/{name}": text for name, text in runtime.headers.items()}
    files |= {f"device/{name}": text for name, text in runtime.device.items()}
    files |= {f"emulation/{name}": text for name, text in runtime.emulation.items()}
    return dict(sorted(files.items()))


def _network(
    schedule: Schedule, memory: MemoryPlan, hardware: Hardware, net: str
) -> dict[str, Any]:
    """What the header and the tests say."""
    plan = schedule.dispatch
    inputs, outputs = ports(plan)
    return {
        "net": net,
        "upper": net.upper(),
        "guard": f"HTVM_NETWORK_{net.upper()}",
        "target": comment_text(hardware.name),
        "origin": comment_text(plan.graph.origin.path),
        "inputs": inputs,
        "outputs": outputs,
        "align": memory.align_bytes,
        "arena_bytes": max(memory.arena_bytes, memory.align_bytes),
        "uses_arena": memory.arena_bytes > 0,
        "budget": memory.budget,
        "layers": len(plan.steps),
        "cycles": plan.cycles,
        "milliseconds": f"{1e3 * plan.cycles / hardware.clock_hz:.3f}",
        "clock_hz": hardware.clock_hz,
    }


def _code(schedule: Schedule, memory: MemoryPlan, runtime: Joined, net: str) -> dict[str, Any]:
    """The functions, the arrays and the calls."""
    arena = places.collect(schedule.dispatch, memory)
    arrays = constants.collect(schedule, net)
    found = functions.collect(schedule)
    regions = tuple(symbol for symbol in arrays.symbols if symbol.engine_reads)
    ports_in, ports_out = ports(schedule.dispatch)
    count = 1 + len(ports_in) + len(ports_out) + len(regions)
    begins = [
        text.replace("{regions}", "regions").replace("{count}", str(count))
        for text in runtime.begins
    ]
    quoted = [f'"{name}"' for name in runtime.headers]
    local = [name for name in found.includes if name.startswith('"')]
    return {
        "symbols": arrays.symbols,
        "regions": regions,
        "uses_regions": any("{regions}" in text for text in runtime.begins),
        "weights_need_math": any(not_finite(symbol.data) for symbol in arrays.symbols),
        "needs_libm": "<math.h>" in found.includes,
        "functions": found.functions,
        "helpers": found.helpers,
        "system_includes": [name for name in found.includes if name.startswith("<")],
        "local_includes": list(dict.fromkeys([*quoted, *local])),
        "places": arena.places,
        "places_width": max((len(place.text) for place in arena.places), default=0),
        "calls": calls.collect(schedule, arena, arrays, found),
        "begins": begins,
        "ends": runtime.ends,
    }


def _golden(schedule: Schedule) -> dict[str, Any]:
    """An input and the reference's output, as rows of initialisers."""
    graph = schedule.dispatch.graph
    given = random_inputs(graph, 1, GOLDEN_SEED)
    values: Mapping[str, Array] = {**given, **execute(graph, given)}
    inputs, outputs = ports(schedule.dispatch)
    both = (*inputs, *outputs)
    return {
        "golden": [
            (port, array_rows(values[port.tensor.name], port.tensor.dtype)) for port in both
        ],
        "golden_needs_math": any(not_finite(values[port.tensor.name]) for port in both),
    }
