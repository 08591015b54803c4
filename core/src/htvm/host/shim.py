"""What is compiled for verification: the network, the target's emulation and a shim."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import jinja2

from htvm.codegen.interface import ports
from htvm.codegen.project import Project
from htvm.host.compiler import Build
from htvm.host.worker import Sizes
from htvm.memory.plan import MemoryPlan
from htvm.schedule.kernels import Schedule

GUARD_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class _Buffer:
    name: str
    type: str
    bytes: int
    is_input: bool = False


def sizes(schedule: Schedule) -> Sizes:
    """Bytes of what goes in and out of the library."""
    plan = schedule.dispatch
    inputs, outputs = ports(plan)
    return Sizes(
        inputs=[port.tensor.size_bytes for port in inputs],
        outputs=[port.tensor.size_bytes for port in outputs],
        dump=sum(plan.values[step.output].size_bytes for step in plan.steps),
        layers=len(plan.steps),
    )


def verification_build(
    schedule: Schedule, memory: MemoryPlan, project: Project, *, sanitize: bool
) -> Build:
    """The sources of the library the worker loads."""
    shim = _shim(schedule, memory, project)
    return Build(
        files={**project.files, "shim.c": shim},
        sources=(*project.sources, *project.emulation_sources, "shim.c"),
        include_dirs=project.host_folders,
        sanitize=sanitize,
    )


def _shim(schedule: Schedule, memory: MemoryPlan, project: Project) -> str:
    plan = schedule.dispatch
    inputs, outputs = ports(plan)
    arguments = [
        _Buffer(
            name=f"{port.role}_{at}",
            type=f"const {port.type}" if port.role == "input" else port.type,
            bytes=port.tensor.size_bytes,
            is_input=port.role == "input",
        )
        for at, port in enumerate((*inputs, *outputs))
    ]
    arena = _Buffer(name="arena", type="uint8_t", bytes=max(memory.arena_bytes, memory.align_bytes))
    dumps = [plan.values[step.output].size_bytes for step in plan.steps]
    step = 2 * memory.align_bytes
    loader = jinja2.Environment(
        loader=jinja2.PackageLoader("htvm.host"),
        trim_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,  # noqa: S701 - C, not HTML
    )
    return loader.get_template("shim.c.j2").render(
        net=project.name,
        align=memory.align_bytes,
        guard_bytes=-(-GUARD_BYTES // step) * step + memory.align_bytes,
        buffers=[arena, *arguments],
        arguments=arguments,
        layers=len(plan.steps),
        dump_offsets=[0, *accumulate(dumps)][:-1],
        dump_sizes=dumps,
        cycles=project.runtime.cycles,
        errors=project.runtime.errors,
    )
