"""Turns the search's actions into the plan: values, buffers and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from htvm.dispatch.alternatives import alternatives
from htvm.dispatch.candidates import Candidate
from htvm.dispatch.plan import ConvertStep, Dispatch, LayerStep, Step, Storage, Value, ViewStep
from htvm.dispatch.search import Action, Conversion, Run, View
from htvm.dispatch.tables import Layouts
from htvm.partition.matches import Matches
from htvm.partition.names import identifier


class Assembly:
    """A plan being put together."""

    def __init__(
        self,
        matches: Matches,
        found: Sequence[Candidate],
        tables: Mapping[str, Layouts],
    ) -> None:
        self._matches = matches
        self._graph = matches.graph
        self._found = found
        self._tables = tables
        self._held: dict[tuple[str, int], Value] = {}
        self._values: dict[str, Value] = {}
        self._storages: dict[str, Storage] = {}
        self._steps: list[Step] = []
        self._views: list[ViewStep] = []

    def plan(self, actions: Sequence[Action]) -> Dispatch:
        """The plan of a complete path."""
        for name in self._graph.inputs:
            value = self._new(name, 0)
            self._storages[value.buffer] = replace(self._storages[value.buffer], place="input")
        for action in actions:
            if isinstance(action, Run):
                self._run(action)
            elif isinstance(action, View):
                self._view(action)
            else:
                self._convert(action)
        outputs = tuple(self._output(name) for name in self._graph.outputs)
        return Dispatch(
            graph=self._graph,
            steps=tuple(self._steps),
            views=tuple(self._views),
            values=self._values,
            storages=self._storages,
            inputs=tuple(self._held[name, 0].name for name in self._graph.inputs),
            outputs=outputs,
        )

    def _new(self, tensor: str, number: int, *, buffer: str = "") -> Value:
        """A new value, in a buffer of its own unless one is given."""
        table = self._tables[tensor]
        layout = table.layouts[number]
        name = tensor if tensor not in self._values else f"{tensor} as {layout.name}"
        count = 1
        while name in self._values:
            count += 1
            name = f"{tensor} as {layout.name} {count}"
        value = Value(name=name, tensor=table.tensor, layout=layout, buffer=buffer or name)
        if not buffer:
            self._storages[name] = Storage(name=name, size_bytes=value.size_bytes, place="arena")
        self._values[name] = value
        self._held.setdefault((tensor, number), value)
        return value

    def _serving(self, tensor: str, wanted: int) -> Value:
        """The value that is read where a layout is wanted."""
        held = sum(1 << number for name, number in self._held if name == tensor)
        return self._held[tensor, self._tables[tensor].obtain(held, wanted)[1]]

    def _run(self, run: Run) -> None:
        layer = run.layer
        read = tuple(
            self._serving(tensor.name, number).name
            for tensor, number in zip(layer.inputs, run.inputs, strict=True)
        )
        written = self._new(layer.output.name, run.output)
        step = LayerStep(
            name=layer.name,
            layer=layer,
            tiling=run.tiling,
            inputs=read,
            output=written.name,
            cost=run.tiling.cost,
            alternatives=alternatives(self._matches, self._found, layer),
        )
        self._steps.append(step)

    def _view(self, view: View) -> None:
        source = view.node.inputs[0]
        for number, image in view.images:
            seen = self._held[source, number]
            if (view.node.output, image) in self._held:
                continue
            value = self._new(view.node.output, image, buffer=seen.buffer)
            name = self._matches.names[view.node.name]
            step = ViewStep(name=name, node=view.node.name, source=seen.name, output=value.name)
            self._views.append(step)

    def _convert(self, conversion: Conversion) -> Value:
        table = self._tables[conversion.tensor]
        source = self._held[conversion.tensor, conversion.source]
        value = self._new(conversion.tensor, conversion.target)
        step = ConvertStep(
            name=self._convert_name(conversion.tensor, value),
            source=source.name,
            output=value.name,
            cost=table.cost(conversion.source, conversion.target),
        )
        self._steps.append(step)
        return value

    def _convert_name(self, tensor: str, value: Value) -> str:
        producer = self._graph.producers.get(tensor)
        start = self._matches.names[producer.name] if producer else identifier(tensor)
        base = f"{start}_as_{identifier(value.layout.name, fallback='layout')}"
        taken = {step.name for step in self._steps} | set(self._matches.names.values())
        name, count = base, 1
        while name in taken:
            count += 1
            name = f"{base}_{count}"
        return name

    def _output(self, tensor: str) -> str:
        """Put a graph output into the caller's buffer, by a copy if it cannot be made there."""
        value = self._serving(tensor, 0)
        storage = self._storages[value.buffer]
        if storage.place != "arena" or storage.size_bytes != value.size_bytes:
            value = self._convert(Conversion(tensor=tensor, source=0, target=0))
            storage = self._storages[value.buffer]
        self._storages[value.buffer] = replace(storage, place="output")
        return value.name
