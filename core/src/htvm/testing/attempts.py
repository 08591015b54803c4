"""Accepted layers taken through tiling, packing, scheduling and writing C, every tiling of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from htvm.errors import DoesNotFitError, HtvmError
from htvm.ir.layout import Layout, channels_last, row_major
from htvm.plugins.patience import NoAnswerError
from htvm.plugins.session import Session
from htvm.target.layer import Layer, Offers, Tiling
from htvm.target.program import Program
from htvm.target.source import Constant, LayerCode
from htvm.testing.cases import Case, judge, prefixed
from htvm.testing.outcome import Fault

TILINGS = 2
"""Tilings of one layer that are run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attempt:
    """A layer in one tiling.

    Attributes:
        session: The session that answered.
        case: The drawn layer.
        layer: The layer as the pattern takes it.
        tiling: How it runs.
        constants: As packed.
        program: The tile program; None for host code.
        code: The C.
    """

    session: Session
    case: Case
    layer: Layer
    tiling: Tiling
    constants: tuple[Constant, ...]
    program: Program | None
    code: LayerCode

    @property
    def about(self) -> str:
        """The layer and its tiling, for messages."""
        tile = f", {self.tiling.summary}" if self.tiling.summary else ""
        return f"{self.case.name} ({features_text(self.layer)}{tile})"

    def fault(self, what: str, where: str) -> Fault:
        """Something wrong with it, and in which part of its engine to look."""
        return self.case.fault(f"{self.about}: {what}", where)


@dataclass(kw_only=True, eq=False)
class Answers:
    """What the tiling hooks said to every accepted layer.

    Attributes:
        attempts: Layers that got as far as C.
        faults: What went wrong on the way.
        misfits: Layers that fit no memory, with the reason.
        tilings: Tilings of each accepted layer.
    """

    attempts: list[Attempt] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    misfits: list[tuple[Case, str]] = field(default_factory=list)
    tilings: list[tuple[Case, tuple[Tiling, ...]]] = field(default_factory=list)


def offers_of(layer: Layer) -> Offers:
    """Dense layouts of every tensor: rows last and, for images, channels last."""

    def layouts(shape: tuple[int, ...]) -> tuple[Layout, ...]:
        found = (row_major(shape), channels_last(shape)) if len(shape) == 4 else (row_major(shape),)
        return tuple(dict.fromkeys(found))

    return Offers(
        inputs=tuple(layouts(tensor.shape) for tensor in layer.inputs),
        output=layouts(layer.output.shape),
    )


def ask_all(cases: Iterable[Case], session: Session) -> Answers:
    """Take every accepted layer as far as C."""
    answers = Answers()
    for case in cases:
        if case.layer is not None:
            _ask(case, case.layer, session, answers)
    return answers


def _ask(case: Case, layer: Layer, session: Session, answers: Answers) -> None:
    where = f"htvm_tilings of the engine {layer.engine}"
    try:
        tilings = session.tilings(layer, offers_of(layer))
    except DoesNotFitError as error:
        answers.misfits.append((case, error.seen or error.message))
        return
    except NoAnswerError:
        raise
    except Exception as error:
        answers.faults.append(fault_of(error, case, where))
        return
    if not tilings:
        answers.misfits.append((case, "no reason given"))
        return
    answers.tilings.append((case, tilings))
    for index in range(min(TILINGS, len(tilings))):
        attempt = _attempt(case, session, index, answers.faults)
        if attempt is not None:
            answers.attempts.append(attempt)


def _attempt(case: Case, session: Session, index: int, faults: list[Fault]) -> Attempt | None:
    """The case in one of its tilings; a copy of it under other names for all but the first."""
    named = case if index == 0 else _copy(case, session, index)
    layer = named.layer
    if layer is None:
        what = f"{case.name} is turned down under other names: {named.reason}"
        faults.append(Fault(subject=case.pattern.name, what=what, where=_constraints(case)))
        return None
    step = "htvm_tilings"
    try:
        tiling = session.tilings(layer, offers_of(layer))[index]
        step = "htvm_pack"
        constants = session.pack(layer, tiling)
        step = "htvm_schedule"
        program = session.schedule(layer, tiling, constants)
        step = "htvm_emit"
        code = session.emit(layer, tiling, constants, program)
    except NoAnswerError:
        raise
    except Exception as error:
        faults.append(fault_of(error, case, f"{step} of the engine {layer.engine}"))
        return None
    return Attempt(
        session=session,
        case=named,
        layer=layer,
        tiling=tiling,
        constants=constants,
        program=program,
        code=code,
    )


def _copy(case: Case, session: Session, index: int) -> Case:
    graph = prefixed(case.graph, f"v{index}_")
    return judge(graph, case.pattern, session.hardware, case.number)


def _constraints(case: Case) -> str:
    return f"the constraints of pattern {case.pattern.name!r}"


def fault_of(error: Exception, case: Case, where: str) -> Fault:
    """An error as a fault."""
    text = str(error)
    if isinstance(error, HtvmError):
        parts = (f"{error.message} [HTVM-{error.code}]", error.seen)
        text = ": ".join(part for part in parts if part)
    elif not text:
        text = type(error).__name__
    about = f"{case.name} ({features_text(case.layer)})" if case.layer else case.name
    return Fault(subject=case.pattern.name, what=f"{about}: {text}", where=where)


def features(layer: Layer) -> dict[str, str]:
    """What tells a layer from others of its pattern, by name."""
    found: dict[str, str] = {"input": "x".join(map(str, layer.inputs[0].shape[1:]))}
    found["output"] = "x".join(map(str, layer.output.shape[1:]))
    found["types"] = f"{layer.inputs[0].dtype} to {layer.output.dtype}"
    for node in layer.nodes:
        for name, read in _FEATURES.items():
            value = getattr(node.op, name, None)
            if value is not None:
                found[name] = read(value)
        weights = layer.tensors[node.inputs[1]] if len(node.inputs) > 1 else None
        if weights is not None and len(weights.shape) == 4 and weights.is_constant:
            found["kernel"] = f"{weights.shape[2]}x{weights.shape[3]}"
    return found


def _plain(value: object) -> str:
    return str(value)


def _parameters(value: object) -> str:
    size = getattr(value, "size", 1)
    return "by channel" if size > 1 else str(getattr(value, "flat", [value])[0])


_FEATURES: dict[str, Callable[[object], str]] = {
    "stride": _plain,
    "pad": _plain,
    "dilation": _plain,
    "groups": _plain,
    "input_zero_point": _plain,
    "weight_zero_point": _plain,
    "mode": _plain,
    "mul": _parameters,
    "add": _parameters,
    "shift": _parameters,
    "zero_point": _plain,
    "lo": _plain,
    "hi": _plain,
    "function": _plain,
}
_DULL = {
    "add": "0",
    "dilation": "(1, 1)",
    "groups": "1",
    "input_zero_point": "0",
    "weight_zero_point": "0",
}


def features_text(layer: Layer) -> str:
    """A layer in a few words."""
    found = features(layer)
    told = [f"{found.pop('input')} to {found.pop('output')}", found.pop("types")]
    told += [f"{key} {value}" for key, value in found.items() if _DULL.get(key) != value]
    return ", ".join(told)


def common(failing: Iterable[Layer], passing: Iterable[Layer]) -> tuple[str, ...]:
    """What all failing layers have and no passing one does: where to look first."""
    bad, good = [features(layer) for layer in failing], [features(layer) for layer in passing]
    if not bad or not good:
        return ()
    shared = set(bad[0].items()).intersection(*(one.items() for one in bad))
    return tuple(sorted(f"{k} {v}" for k, v in shared if all(g.get(k) != v for g in good)))


def programs(attempts: Iterable[Attempt]) -> Iterator[tuple[Attempt, Program]]:
    """The attempts that have a tile program."""
    for attempt in attempts:
        if attempt.program is not None:
            yield attempt, attempt.program
