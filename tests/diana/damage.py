"""Damages a scheduled network in one place, and tells who notices."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from built import Network, bias_for, deploy, shift_by, weights_for

from htvm.codegen.stage import emit
from htvm.deployment import Deployment, VerifyOptions
from htvm.dispatch.plan import ConvertStep, LayerStep
from htvm.errors import HtvmError, MismatchError, PluginError
from htvm.host.compiler import find_compiler
from htvm.host.stage import verify
from htvm.ir.layout import Layout
from htvm.memory.plan import MemoryPlan
from htvm.plugins.session import Session, open_session
from htvm.schedule.check import check_program
from htvm.schedule.kernels import Kernel
from htvm.target.program import Launch, Program, Span, Step, Transfer

Bytes = npt.NDArray[np.uint8]
Change = Callable[["Subject"], "Subject"]
SETTINGS = {
    "memory.l1.size_bytes": "8192",
    "memory.weights.size_bytes": "6144",
    "engine.digital.depthwise_channels_per_launch": "4",
}
LAYERS = ("conv", "single", "sum", "half", "dense")


def network() -> Network:
    """Every kind of job, in tiles; stride 2 with zeros in memory; channels off 16."""
    rng = np.random.default_rng(5)
    net = Network(name="subject")

    def conv(name: str, x: str, outputs: int, shift: int, **options: object) -> str:
        groups = int(options.get("groups", 1))  # type: ignore[call-overload]
        weights = weights_for(rng, (outputs, net.shape(x)[0] // groups, 3, 3), shift)
        end = shift_by(shift, relu=bool(options.pop("relu", False)))
        return net.conv(name, x, weights, end, bias=bias_for(rng, outputs, shift), **options)  # type: ignore[arg-type]

    x = net.input(5, 20, 20)
    first = conv("conv", x, 37, 8, pad=(1, 1, 1, 1), relu=True)
    second = conv("single", first, 37, 6, pad=(1, 1, 1, 1), groups=37)
    total = net.add("sum", first, second, shift_by(1))
    half = conv("half", total, 20, 8, pad=(0, 0, 1, 1), stride=2)
    net.requantise("host", half, shift_by(0, mul=3, add=5))
    weights = weights_for(rng, (70, 100), 9)
    net.dense("dense", net.input(100), weights, shift_by(9), bias=bias_for(rng, 70, 9))
    return net


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network, scheduled and placed, that can be damaged.

    Attributes:
        done: Every stage up to the memory plan.
        session: The target.
        text: Replacements in the network's C after it was printed.
    """

    done: Deployment
    session: Session
    text: tuple[tuple[str, str], ...] = ()

    def kernel(self, name: str) -> Kernel:
        """The kernel of a step."""
        assert self.done.schedule is not None
        return next(item for item in self.done.schedule.kernels if item.step.name == name)

    def program(self, name: str) -> Program:
        """The tile program of a layer."""
        program = self.kernel(name).program
        assert program is not None
        return program

    def with_kernel(self, name: str, **changes: object) -> Subject:
        """With fields of one kernel replaced."""
        schedule = self.done.schedule
        assert schedule is not None
        kernels = tuple(
            replace(item, **changes) if item.step.name == name else item  # type: ignore[arg-type]
            for item in schedule.kernels
        )
        return replace(self, done=replace(self.done, schedule=replace(schedule, kernels=kernels)))

    def with_program(self, name: str, program: Program) -> Subject:
        """With another tile program for a layer, and the C that comes of it."""
        kernel = self.kernel(name)
        assert isinstance(kernel.step, LayerStep)
        code = self.session.emit(kernel.step.layer, kernel.step.tiling, kernel.constants, program)
        assert code != kernel.code
        return self.with_kernel(name, program=program, code=code)

    def with_weights(self, name: str, change: Callable[[Bytes], Bytes]) -> Subject:
        """With other packed weights for a layer."""
        (constant,) = self.kernel(name).constants
        data = change(constant.data.copy())
        assert not np.array_equal(data, constant.data)
        return self.with_kernel(name, constants=(replace(constant, data=data),))

    def conversion_for(self, layer: str) -> str:
        """Name of the conversion that makes a layer's first input."""
        plan, (first, *_) = self.done.dispatch, self.kernel(layer).step.inputs
        assert plan is not None
        (step,) = (step for step in plan.steps if step.output == first)
        assert isinstance(step, ConvertStep)
        return step.name

    def with_body(self, name: str, old: str, new: str | Callable[[re.Match[str]], str]) -> Subject:
        """With the first match of a pattern in the C of a step replaced."""
        code = self.kernel(name).code
        body = re.sub(old, new, code.body, count=1)
        assert body != code.body
        return self.with_kernel(name, code=replace(code, body=body))

    def with_conversion(self, layer: str, change: Callable[[Layout], Layout]) -> Subject:
        """With a layer's first input converted into another layout than the one asked for."""
        name = self.conversion_for(layer)
        step, plan = self.kernel(name).step, self.done.dispatch
        assert isinstance(step, ConvertStep)
        assert plan is not None
        source, target = plan.values[step.source], plan.values[step.output]
        layouts = source.layout, change(target.layout)
        code = self.session.convert((source.tensor.shape, source.tensor.dtype, *layouts))
        assert code.body != self.kernel(name).code.body
        return self.with_kernel(name, code=code)

    def with_memory(self, change: Callable[[MemoryPlan], MemoryPlan]) -> Subject:
        """With another memory plan."""
        assert self.done.memory is not None
        return replace(self, done=replace(self.done, memory=change(self.done.memory)))

    def with_offsets(self, change: Callable[[Mapping[str, int]], dict[str, int]]) -> Subject:
        """With buffers at other places."""

        def moved(plan: MemoryPlan) -> MemoryPlan:
            places = {block.name: block.offset_bytes for block in plan.blocks}
            places |= change(places)
            blocks = (replace(one, offset_bytes=places[one.name]) for one in plan.blocks)
            return replace(plan, blocks=tuple(blocks))

        return self.with_memory(moved)


def subject() -> Subject:
    """The sound network, all of it on the digital core."""
    pins = dict.fromkeys(LAYERS, "digital")
    done = deploy(network(), settings=SETTINGS, pins=pins, upto="memory")
    return Subject(done=done, session=open_session("diana", settings=SETTINGS))


@dataclass(frozen=True, kw_only=True)
class Noticed:
    """Who noticed the damage.

    Attributes:
        by: ``"check"``, ``"rules"`` (of the emulated hardware), ``"crash"`` or ``"comparison"``.
        layer: The layer it named.
        text: What it said.
    """

    by: str
    layer: str
    text: str


def statically(damaged: Subject) -> Noticed | None:
    """What the checker of tile programs says."""
    schedule = damaged.done.schedule
    assert schedule is not None
    for kernel in schedule.kernels:
        step = kernel.step
        if kernel.program is None or not isinstance(step, LayerStep):
            continue
        memories = damaged.done.hardware.memories
        try:
            check_program(
                step.name, kernel.program, step.layer.output, step.tiling.output, memories
            )
        except PluginError as error:
            return _noticed("check", error)
    return None


def running(damaged: Subject) -> Noticed | None:
    """What comes of compiling it and running it on the emulated core, unchecked."""
    done = damaged.done
    assert done.schedule is not None
    assert done.memory is not None
    project = emit(done.schedule, done.memory, damaged.session)
    source = project.files["src/subject.c"]
    for old, new in damaged.text:
        assert old in source
        source = source.replace(old, new, 1)
    project = replace(project, files={**project.files, "src/subject.c": source})
    options = VerifyOptions(random=2, extreme=False)
    try:
        found = verify(done.schedule, done.memory, project, options, find_compiler())
    except MismatchError as error:
        return _noticed("crash" if error.code == "E402" else "rules", error)
    first = found.first_divergence
    return None if first is None else Noticed(by="comparison", layer=first.layer, text=str(first))


def _noticed(by: str, error: HtvmError) -> Noticed:
    named = re.search(r"layer (\S+)", error.message)
    return Noticed(by=by, layer=named[1] if named else "", text=f"{error.message}: {error.seen}")


def with_step(program: Program, number: int, change: Callable[[Step], Step | None]) -> Program:
    """A program with one of its steps, counted over all tiles, replaced or left out."""
    tiles, at = [], 0
    number %= len(program.steps)
    for tile in program.tiles:
        steps = []
        for step in tile.steps:
            kept = change(step) if at == number else step
            steps += [] if kept is None else [kept]
            at += 1
        tiles.append(replace(tile, steps=tuple(steps)))
    return replace(program, tiles=tuple(tiles))


def nth(program: Program, wanted: Callable[[Step], bool], which: int = 0) -> int:
    """Number of the first (or another) step for which a question is true."""
    return [number for number, step in enumerate(program.steps) if wanted(step)][which]


def is_load(step: Step) -> bool:
    """Whether a step brings part of an input."""
    return isinstance(step, Transfer) and step.source.buffer.startswith("in")


def is_weight_load(step: Step) -> bool:
    """Whether a step brings weights."""
    return isinstance(step, Transfer) and step.source.buffer == "weights"


def is_store(step: Step) -> bool:
    """Whether a step takes results away."""
    return isinstance(step, Transfer) and step.destination.buffer == "out"


def is_job(step: Step) -> bool:
    """Whether a step is a job."""
    return isinstance(step, Launch)


def moved(span: Span, by: int) -> Span:
    """A span some bytes further on."""
    return replace(span, offset_bytes=span.offset_bytes + by)


def record(**changes: int) -> Callable[[Step], Step]:
    """Changes fields of a job's record by adding to them, and nothing else of the step."""

    def change(step: Step) -> Step:
        assert isinstance(step, Launch)
        job = {**step.job, **{name: step.job[name] + by for name, by in changes.items()}}
        return replace(step, job=job)

    return change


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One kind of damage.

    Attributes:
        name: What is wrong.
        layer: The layers one of which must be named.
        change: Does the damage.
        static: Whether the checker of tile programs must notice it.
    """

    name: str
    layer: str
    change: Change
    static: bool = False
