"""The target under test, with everything found out about it so far; each thing is done once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from htvm.deployment import VerifyOptions
from htvm.errors import DoesNotFitError, HtvmError, MismatchError, ToolError
from htvm.host.compiler import Compiler, find_compiler
from htvm.host.process import sanitizer_runtime
from htvm.host.result import Verification
from htvm.host.stage import verify
from htvm.ir.graph import Graph
from htvm.plugins.patience import Patience
from htvm.plugins.session import Session, open_session
from htvm.plugins.switches import timeout_s
from htvm.target.base import Target
from htvm.target.hardware import Hardware, Memory
from htvm.target.layer import Layer
from htvm.target.pattern import Constraint, Pattern
from htvm.testing.attempts import Answers, Attempt, ask_all
from htvm.testing.bench import Bench, benches
from htvm.testing.blame import blamed
from htvm.testing.cases import LAYERS, LEAST, PLAIN, Case, cases_of, judge, prefixed
from htvm.testing.deploying import Deployed, deploy
from htvm.testing.networks import networks

HOST = "cpu"
TIGHT = 3
"""The largest of so many accepted layers is also run in small scratchpads."""
TIGHT_BYTES = 8_192
"""Size of a small scratchpad; at most half of the real one."""
RETRIES = 3
"""Layers left out of a network one after the other because they keep it from running."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A bench that was run.

    Attributes:
        bench: The layers that ran.
        verification: What came of it; None if nothing ran to the end.
        errors: What kept layers from running, by layer name; ``""`` if no layer is known.
    """

    bench: Bench
    verification: Verification | None
    errors: tuple[tuple[str, HtvmError], ...]


class Subject:
    """A target under test.

    Attributes:
        target: Its id, or its class.
        settings: Hardware keys and options changed for the test.
        networks: Networks to deploy besides the kit's own.
        layers: Layers that should be accepted, all patterns together.
        patience: How long each answer of the target may take.
    """

    def __init__(
        self,
        target: str | type[Target],
        *,
        settings: Mapping[str, str] | None = None,
        given: Sequence[Graph] = (),
        layers: int = LAYERS,
    ) -> None:
        self.target = target
        self.settings = settings or {}
        self.networks = tuple(given)
        self.layers = layers
        self.patience = Patience(timeout_s())
        self._deployed: dict[Graph, Deployed] = {}

    def fresh_session(self) -> Session:
        """A session that shares nothing with another.

        Raises:
            HtvmError: The target cannot be loaded.
        """
        return self._open(self.settings)

    @cached_property
    def session(self) -> Session:
        """The session of all checks."""
        return self.fresh_session()

    @cached_property
    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns under test: the accelerators', or the host's where there are none."""
        found = self.session.patterns()
        own = tuple(pattern for pattern in found if pattern.engine != HOST)
        return tuple(self._impatient(pattern) for pattern in own or found)

    @cached_property
    def engines(self) -> tuple[str, ...]:
        """The engines under test."""
        return tuple(dict.fromkeys(pattern.engine for pattern in self.patterns))

    @cached_property
    def cases(self) -> tuple[Case, ...]:
        """Layers drawn for every pattern."""
        found: list[Case] = []
        wanted = max(LEAST, self.layers // max(1, len(self.patterns)))
        for pattern in self.patterns:
            found += cases_of(pattern, self.session.hardware, wanted, len(found))
        return tuple(found)

    @cached_property
    def accepted(self) -> tuple[Case, ...]:
        """The drawn layers a pattern takes."""
        return tuple(case for case in self.cases if case.layer is not None)

    @cached_property
    def answers(self) -> Answers:
        """What the tiling hooks say to them."""
        return ask_all(self.accepted, self.session)

    @cached_property
    def tight_session(self) -> Session | None:
        """A session with small scratchpads; None for a target that has none."""
        hardware = self.session.hardware
        small = {
            f"memory.{memory.name}.size_bytes": str(_small(memory))
            for memory in hardware.memories.values()
            if memory.name != hardware.main_memory
        }
        if not small:
            return None
        return self._open({**self.settings, **small})

    @cached_property
    def tight_answers(self) -> Answers:
        """What the tiling hooks say to some of the layers when scratchpads are small."""
        session = self.tight_session
        if session is None:
            return Answers()
        again = (
            judge(prefixed(case.graph, "tight_"), case.pattern, session.hardware, case.number)
            for case in sorted(self.accepted, key=_elements)[-len(self.accepted) // TIGHT :]
        )
        return ask_all(again, session)

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every layer that got as far as C."""
        return (*self.answers.attempts, *self.tight_answers.attempts)

    @cached_property
    def benches(self) -> tuple[Bench | DoesNotFitError, ...]:
        """The layers side by side in networks.

        Raises:
            HtvmError: Core's own hooks fail: conversions, the runtime.
        """
        usual = benches(self.answers.attempts, self.session)
        if self.tight_session is None:
            return tuple(usual)
        tight = benches(self.tight_answers.attempts, self.tight_session, "tight")
        return (*usual, *tight)

    @cached_property
    def compiler(self) -> Compiler:
        """The C compiler.

        Raises:
            ToolError: There is none.
        """
        return find_compiler()

    @cached_property
    def sanitizes(self) -> bool:
        """Whether the compiler has sanitizers."""
        try:
            sanitizer_runtime(self.compiler)
        except ToolError:
            return False
        return True

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """Every bench compiled with sanitizers, run and compared with the reference."""
        ready = (bench for bench in self.benches if not isinstance(bench, DoesNotFitError))
        return tuple(self._run(bench) for bench in ready)

    @cached_property
    def small_networks(self) -> tuple[Graph, ...]:
        """The kit's networks, in the arithmetic the engines under test state."""
        engines = self.session.hardware.engines
        stated = (c for name in self.engines for c in engines[name].contracts)
        return tuple(networks(next(stated, PLAIN)))

    def deployed(self, graph: Graph) -> Deployed:
        """A network deployed and verified, once.

        Raises:
            HtvmError: Whatever keeps it from being deployed.
        """
        if graph not in self._deployed:
            self._deployed[graph] = deploy(
                graph, self.session, self.compiler, sanitize=self.sanitizes
            )
        return self._deployed[graph]

    def _open(self, settings: Mapping[str, str]) -> Session:
        with self.patience.waiting(f"target {self.target!r}", "loading"):
            return open_session(self.target, settings=settings, patience=self.patience)

    def _impatient(self, pattern: Pattern) -> Pattern:
        """The pattern, its constraints with a limit to their time."""

        def limited(constraint: Constraint) -> Constraint:
            def check(layer: Layer, hardware: Hardware) -> str | None:
                what = f"the constraint {constraint.text!r}"
                with self.patience.waiting(f"pattern {pattern.name!r} of {pattern.engine}", what):
                    return constraint.check(layer, hardware)

            return replace(constraint, check=check)

        return replace(pattern, constraints=tuple(map(limited, pattern.constraints)))

    def _run(self, bench: Bench) -> Run:
        """Run a bench, leaving out layers that keep it from running to the end."""
        errors: list[tuple[str, HtvmError]] = []
        current: Bench | None = bench
        while current is not None and len(errors) <= RETRIES:
            try:
                return Run(bench=current, verification=self.verify(current), errors=tuple(errors))
            except (MismatchError, ToolError) as error:
                guilty = guilty_layer(error, current)
                errors.append((guilty, error))
                current = current.without(guilty) if guilty else None
        return Run(bench=current or bench, verification=None, errors=tuple(errors))

    def verify(self, bench: Bench, *, sanitize: bool | None = None) -> Verification:
        """Compile, run and compare.

        Raises:
            MismatchError: The C crashed or broke a rule of the emulation.
            ToolError: The C does not compile.
        """
        wanted = self.sanitizes if sanitize is None else sanitize
        options = VerifyOptions(random=1, sanitize=wanted, required=True)
        return verify(bench.schedule, bench.memory, bench.project, options, self.compiler)


def _elements(case: Case) -> int:
    """Elements of a layer's constants, inputs and output."""
    layer = case.layer
    return sum(tensor.elements for tensor in layer.tensors.values()) if layer else 0


def _small(memory: Memory) -> int:
    """The size of a scratchpad in which most drawn layers take several tiles."""
    size = min(TIGHT_BYTES, memory.size_bytes // 2)
    return max(size // memory.align_bytes, 1) * memory.align_bytes


def guilty_layer(error: HtvmError, bench: Bench) -> str:
    """The layer an error names; empty if it names none."""
    names = {attempt.layer.name for attempt in bench.attempts}
    pointed = blamed(error.seen, bench.project)
    if pointed in names:
        return pointed
    words = error.message.replace(",", " ").split()
    return next((word for word in words if word in names), "")
