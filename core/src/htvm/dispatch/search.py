"""Finds the cover of the network by layers, and the layouts between them, that runs fastest.

Dynamic programming over the nodes in execution order. A state says which nodes passed so far wait
for a later layer to take them in, and which layouts every live tensor exists in. At a node either
a layer that ends there runs, or the node waits. States that another one reaches more cheaply,
conversions between their layouts included, are dropped, which loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from htvm.dispatch.candidates import Candidate
from htvm.dispatch.tables import Layouts
from htvm.dispatch.views import backward, forward, is_view
from htvm.ir.graph import Graph, Node
from htvm.target.layer import Layer, Tiling

BEAM = 2000
"""States kept after a node. A safety net: the networks known need some dozens."""

PRICE_SPREAD = 0.3
"""How much more a byte of constants costs in the first layer than in the last."""

Held = tuple[tuple[str, int], ...]
"""Live tensors by name, each with the set of layouts it exists in."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Conversion:
    """A copy of a tensor from one numbered layout to another."""

    tensor: str
    source: int
    target: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A layer runs.

    Attributes:
        layer: The layer.
        tiling: How.
        inputs: Numbers of its inputs' layouts.
        output: Number of its output's layout.
        waiting: The set of its nodes but the last.
        cost: Its cycles and the price of its constants.
    """

    layer: Layer
    tiling: Tiling
    inputs: tuple[int, ...]
    output: int
    waiting: int
    cost: int


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A transpose or reshape: pairs of its input's and its output's layout numbers."""

    node: Node
    images: tuple[tuple[int, int], ...]


Action = Conversion | Run | View


@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """The cheapest way found to a state."""

    cost: int
    actions: tuple[Action, ...] = ()
    before: Path | None = None

    def all_actions(self) -> tuple[Action, ...]:
        """Everything done, in order."""
        parts: list[tuple[Action, ...]] = []
        path: Path | None = self
        while path is not None:
            parts.append(path.actions)
            path = path.before
        return tuple(action for part in reversed(parts) for action in part)


State = tuple[int, Held]
States = dict[State, Path]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stuck:
    """No cover exists: ``node`` is where every attempt ended."""

    node: Node


class Search:
    """One search. Holds what does not change while it runs."""

    def __init__(
        self,
        graph: Graph,
        candidates: Sequence[Candidate],
        tables: Mapping[str, Layouts],
        byte_price: float = 0.0,
    ) -> None:
        """Prepare to search.

        Args:
            graph: The network.
            candidates: Layers that may be chosen.
            tables: The layouts of every computed tensor.
            byte_price: Cycles that a byte of constants is worth.
        """
        self._byte_price = byte_price
        self._graph = graph
        self._tables = tables
        self._position = {node.name: at for at, node in enumerate(graph.nodes)}
        self._runs: list[list[Run]] = [[] for _ in graph.nodes]
        self._takers: list[list[int]] = [[] for _ in graph.nodes]
        for candidate in candidates:
            self._add(candidate)
        self._readers = {
            name: sum(1 << self._position[node.name] for node in nodes)
            for name, nodes in graph.consumers.items()
        }

    def _add(self, candidate: Candidate) -> None:
        layer = candidate.layer
        *inner, root = [self._position[node.name] for node in layer.nodes]
        # Layers alike would all give way at one price; falling prices let them go one by one.
        price = self._byte_price * (1 + PRICE_SPREAD * (1 - root / len(self._graph.nodes)))
        for tiling in candidate.tilings:
            numbers = (
                self._tables[tensor.name].number(layout)
                for tensor, layout in zip(layer.inputs, tiling.inputs, strict=True)
            )
            run = Run(
                layer=layer,
                tiling=tiling,
                inputs=tuple(numbers),
                output=self._tables[layer.output.name].number(tiling.output),
                waiting=sum(1 << at for at in inner),
                cost=tiling.cost.total + round(price * constant_bytes(layer, tiling)),
            )
            self._keep(self._runs[root], run)
        if candidate.tilings:
            for at in inner:
                self._takers[at].append(root)

    @staticmethod
    def _keep(runs: list[Run], run: Run) -> None:
        """Add a run unless one that does the same is no dearer."""
        for at, rival in enumerate(runs):
            if (rival.waiting, rival.inputs, rival.output) == (run.waiting, run.inputs, run.output):
                runs[at] = min(rival, run, key=lambda item: item.cost)
                return
        runs.append(run)

    def solve(self) -> Path | Stuck:
        """The cheapest path, or the node nothing gets past."""
        start = tuple(sorted((name, 1) for name in self._graph.inputs))
        states: States = {(0, start): Path(cost=0)}
        for at, node in enumerate(self._graph.nodes):
            following: States = {}
            for (waiting, held), path in states.items():
                for state, step in self._from(at, node, waiting, dict(held)):
                    total = Path(cost=path.cost + step.cost, actions=step.actions, before=path)
                    if state not in following or total.cost < following[state].cost:
                        following[state] = total
            if not following:
                return Stuck(node=node)
            states = self._pruned(following)
        return min((self._ended(held, path) for (_, held), path in states.items()), key=_cost)

    def _from(
        self, at: int, node: Node, waiting: int, held: dict[str, int]
    ) -> Iterator[tuple[State, Path]]:
        """Every state reached from one by passing a node, with what is done on the way."""
        if any(root > at for root in self._takers[at]):
            yield from self._settled(at, waiting | 1 << at, held, Path(cost=0))
        for run in self._runs[at]:
            ready = all(tensor.name in held for tensor in run.layer.inputs)
            if ready and run.waiting & ~waiting == 0:
                after, path = self._run(run, held)
                yield from self._settled(at, waiting & ~run.waiting, after, path)
        if is_view(node.op) and node.inputs[0] in held:
            for after, path in self._view(node, held):
                yield from self._settled(at, waiting, after, path)

    def _settled(
        self, at: int, waiting: int, held: dict[str, int], path: Path
    ) -> Iterator[tuple[State, Path]]:
        """The state with dead tensors dropped, unless a waiting node now waits in vain."""
        number, rest = 0, waiting
        while rest:
            if rest & 1 and not any(root > at for root in self._takers[number]):
                return
            rest >>= 1
            number += 1
        users = waiting | ~((2 << at) - 1)
        live = (
            (name, mask)
            for name, mask in sorted(held.items())
            if self._readers[name] & users or name in self._graph.outputs
        )
        yield (waiting, tuple(live)), path

    def _run(self, run: Run, held: dict[str, int]) -> tuple[dict[str, int], Path]:
        after = dict(held)
        cost = run.cost
        actions: list[Action] = []
        for tensor, wanted in zip(run.layer.inputs, run.inputs, strict=True):
            cost += self._obtain(tensor.name, wanted, after, actions)
        after[run.layer.output.name] = 1 << run.output
        return after, Path(cost=cost, actions=(*actions, run))

    def _obtain(self, tensor: str, wanted: int, held: dict[str, int], actions: list[Action]) -> int:
        cost, source = self._tables[tensor].obtain(held[tensor], wanted)
        if cost:
            actions.append(Conversion(tensor=tensor, source=source, target=wanted))
            held[tensor] |= 1 << wanted
        return cost

    def _view(self, node: Node, held: dict[str, int]) -> Iterator[tuple[dict[str, int], Path]]:
        """See the input through the node; convert it first only where that cannot be."""
        source = node.inputs[0]
        images = self._images(node, held[source])
        if images:
            yield (
                self._seen(node, held, images),
                Path(cost=0, actions=(View(node=node, images=images),)),
            )
            return
        for wanted in self._viewable(node):
            after = dict(held)
            actions: list[Action] = []
            cost = self._obtain(source, wanted, after, actions)
            images = self._images(node, after[source])
            done = (*actions, View(node=node, images=images))
            yield self._seen(node, after, images), Path(cost=cost, actions=done)

    def _seen(
        self, node: Node, held: dict[str, int], images: tuple[tuple[int, int], ...]
    ) -> dict[str, int]:
        mask = 0
        for _, image in images:
            mask |= 1 << image
        return {**held, node.output: mask}

    def _images(self, node: Node, mask: int) -> tuple[tuple[int, int], ...]:
        table = self._tables[node.inputs[0]]
        before, after = table.tensor.shape, self._graph.tensors[node.output].shape
        found = []
        for number in range(mask.bit_length()):
            if mask >> number & 1:
                image = forward(node.op, table.layouts[number], before, after)
                if image is not None:
                    found.append((number, self._tables[node.output].number(image)))
        return tuple(found)

    def _viewable(self, node: Node) -> tuple[int, ...]:
        """Layouts of a view's input worth converting to: those its readers could use."""
        table = self._tables[node.inputs[0]]
        before, after = table.tensor.shape, self._graph.tensors[node.output].shape
        wanted = [0]
        for layout in tuple(self._tables[node.output].layouts):
            source = backward(node.op, layout, before, after)
            if source is not None:
                wanted.append(table.number(source))
        return tuple(dict.fromkeys(wanted))

    def _pruned(self, states: States) -> States:
        """The states no other reaches more cheaply, cheapest first."""
        kept: dict[tuple[int, tuple[str, ...]], list[tuple[Held, Path]]] = {}
        result: States = {}
        for (waiting, held), path in sorted(states.items(), key=lambda item: item[1].cost):
            rivals = kept.setdefault((waiting, tuple(name for name, _ in held)), [])
            if not any(self._beats(rival, held, path) for rival in rivals):
                rivals.append((held, path))
                result[waiting, held] = path
            if len(result) == BEAM:
                break
        return result

    def _beats(self, rival: tuple[Held, Path], held: Held, path: Path) -> bool:
        slack = path.cost - rival[1].cost
        for (name, has), (_, wanted) in zip(rival[0], held, strict=True):
            if wanted & ~has:
                slack -= self._tables[name].gap(has, wanted)
                if slack < 0:
                    return False
        return True

    def _ended(self, held: Held, path: Path) -> Path:
        """The path with every graph output brought to row-major order."""
        masks = dict(held)
        actions: list[Action] = []
        cost = path.cost
        for name in self._graph.outputs:
            cost += self._obtain(name, 0, masks, actions)
        return Path(cost=cost, actions=tuple(actions), before=path)


def constant_bytes(layer: Layer, tiling: Tiling) -> int:
    """Main memory a layer's constants take; as the network holds them where no tiling says."""
    held = (tensor.size_bytes for tensor in layer.tensors.values() if tensor.is_constant)
    return tiling.constant_bytes or sum(held)


def _cost(path: Path) -> int:
    return path.cost
