"""Puts drawn layers, each in one tiling, side by side into one network, and runs its C.

Nothing is dispatched: every layer runs on the engine and in the tiling it was drawn for, between
conversions from and to dense layouts, so that a tiling no network would choose is tried as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from htvm.codegen.project import Project
from htvm.codegen.stage import emit
from htvm.dispatch.plan import ConvertStep, Dispatch, LayerStep, Place, Storage, Value
from htvm.errors import DoesNotFitError
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.layout import Layout, row_major
from htvm.ir.tensor import Tensor
from htvm.memory.plan import MemoryPlan
from htvm.memory.stage import plan_memory
from htvm.partition.names import identifier
from htvm.plugins.session import Session
from htvm.schedule.kernels import Kernel, Schedule
from htvm.schedule.timeline import timeline
from htvm.testing.attempts import Attempt

LAYERS = 40
"""Layers of one network."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A network of layers that have nothing to do with each other.

    Attributes:
        session: The session that writes it.
        attempts: The layers.
        schedule: The network.
        memory: Places in main memory.
        project: Its C.
    """

    session: Session
    attempts: tuple[Attempt, ...]
    schedule: Schedule
    memory: MemoryPlan
    project: Project

    def without(self, name: str) -> Bench | None:
        """The bench without one layer; None if nothing is left."""
        kept = tuple(attempt for attempt in self.attempts if attempt.layer.name != name)
        name = self.schedule.dispatch.graph.name
        return build(kept, self.session, name=name) if kept else None


def benches(
    attempts: Sequence[Attempt], session: Session, name: str = "bench"
) -> Iterator[Bench | DoesNotFitError]:
    """Networks of all layers; an error for a layer that alone does not fit the main memory."""
    for start in range(0, len(attempts), LAYERS):
        yield from _fitting(tuple(attempts[start : start + LAYERS]), session, f"{name}{start}")


def _fitting(
    attempts: tuple[Attempt, ...], session: Session, name: str
) -> Iterator[Bench | DoesNotFitError]:
    try:
        yield build(attempts, session, name=name)
    except DoesNotFitError as error:
        if len(attempts) == 1:
            yield error
            return
        half = len(attempts) // 2
        yield from _fitting(attempts[:half], session, f"{name}a")
        yield from _fitting(attempts[half:], session, f"{name}b")


def build(attempts: tuple[Attempt, ...], session: Session, *, name: str) -> Bench:
    """One network of some layers.

    Raises:
        DoesNotFitError: E301, it is too large for the chip.
        PluginError: A hook for conversions or the runtime fails.
    """
    plan = _Plan(name=name, session=session)
    for attempt in attempts:
        plan.add(attempt)
    schedule = plan.schedule()
    memory = plan_memory(schedule, session.hardware)
    project = emit(schedule, memory, session)
    return Bench(
        session=session, attempts=attempts, schedule=schedule, memory=memory, project=project
    )


@dataclass(kw_only=True, eq=False)
class _Plan:
    """A network being put together."""

    name: str
    session: Session
    values: dict[str, Value] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    kernels: list[Kernel] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    graphs: list[Graph] = field(default_factory=list)

    def add(self, attempt: Attempt) -> None:
        """A layer between conversions."""
        layer, tiling = attempt.layer, attempt.tiling
        self.graphs.append(attempt.case.graph)
        for name in attempt.case.graph.inputs:
            self._input(attempt.case.graph.tensors[name])
        pairs = zip(layer.inputs, tiling.inputs, strict=True)
        read = tuple(self._read(tensor, layout) for tensor, layout in pairs)
        written = self._value(layer.output, tiling.output, layer.output.name)
        step = LayerStep(
            name=layer.name,
            layer=layer,
            tiling=tiling,
            inputs=read,
            output=written.name,
            cost=tiling.cost,
        )
        cycles = None if attempt.program is None else timeline(attempt.program)
        self.kernels.append(
            Kernel(
                step=step,
                constants=attempt.constants,
                program=attempt.program,
                code=attempt.code,
                timeline=cycles,
            )
        )
        self._output(layer.output, written)

    def _input(self, tensor: Tensor) -> None:
        self._value(tensor, row_major(tensor.shape), tensor.name, place="input")
        self.inputs.append(tensor.name)

    def _read(self, tensor: Tensor, layout: Layout) -> str:
        """The input in the layout wanted, by a conversion where it has to be one."""
        if row_major(tensor.shape).serves(layout):
            return tensor.name
        return self._convert(tensor, self.values[tensor.name], layout)

    def _output(self, tensor: Tensor, written: Value) -> None:
        """Hand the result to the caller, rows last."""
        if written.layout.serves(row_major(tensor.shape)):
            storage = self.storages[written.buffer]
            self.storages[written.buffer] = replace(storage, place="output")
            self.outputs.append(written.name)
        else:
            name = self._convert(tensor, written, row_major(tensor.shape))
            self.storages[name] = replace(self.storages[name], place="output")
            self.outputs.append(name)

    def _convert(self, tensor: Tensor, source: Value, layout: Layout) -> str:
        name, number = f"{source.name} as {layout.name}", 1
        while name in self.values:
            number += 1
            name = f"{source.name} as {layout.name} {number}"
        target = self._value(tensor, layout, name)
        args = (tensor.shape, tensor.dtype, source.layout, layout)
        step = ConvertStep(
            name=identifier(name)[:40] + f"_c{len(self.kernels)}",
            source=source.name,
            output=target.name,
            cost=self.session.convert_cost(args),
        )
        code = self.session.convert(args)
        self.kernels.append(Kernel(step=step, constants=(), program=None, code=code))
        return target.name

    def _value(self, tensor: Tensor, layout: Layout, name: str, place: Place = "arena") -> Value:
        value = Value(name=name, tensor=tensor, layout=layout, buffer=name)
        self.values[name] = value
        self.storages[name] = Storage(name=name, size_bytes=value.size_bytes, place=place)
        return value

    def schedule(self) -> Schedule:
        """The network so far."""
        graph = Graph(
            name=self.name,
            inputs=tuple(self.inputs),
            outputs=tuple(self.values[name].tensor.name for name in self.outputs),
            nodes=self._nodes(),
            tensors={n: t for graph in self.graphs for n, t in graph.tensors.items()},
            origin=Origin(path=self.name, format="built"),
        )
        plan = Dispatch(
            graph=graph,
            steps=tuple(kernel.step for kernel in self.kernels),
            views=(),
            values=self.values,
            storages=self.storages,
            inputs=tuple(self.inputs),
            outputs=tuple(self.outputs),
        )
        return Schedule(dispatch=plan, kernels=tuple(self.kernels))

    def _nodes(self) -> tuple[Node, ...]:
        return tuple(node for graph in self.graphs for node in graph.nodes)


def layer_names(attempts: Iterable[Attempt]) -> dict[str, Attempt]:
    """The layers by name."""
    return {attempt.layer.name: attempt for attempt in attempts}
