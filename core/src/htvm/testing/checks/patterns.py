"""Level 1: patterns take what they should, and say why they turn down the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from htvm.ir.dtype import DType
from htvm.ir.graph import Graph
from htvm.ir.requant import Requant
from htvm.target.contract import Contract
from htvm.target.pattern import Pattern
from htvm.testing.attempts import fault_of, features_text
from htvm.testing.cases import Case, contract_of, judge
from htvm.testing.checks.check import Check, counted
from htvm.testing.outcome import Fault, Verdict
from htvm.testing.subject import Subject


def accepts(subject: Subject) -> Verdict:
    """Every pattern takes some of the layers drawn for it."""
    drawn = Counter(case.pattern.name for case in subject.cases)
    taken = Counter(case.pattern.name for case in subject.accepted)
    faults = []
    for pattern in subject.patterns:
        if not taken[pattern.name]:
            reasons = Counter(_refusal(c) for c in subject.cases if c.pattern is pattern)
            most = reasons.most_common(1)[0][0] if reasons else "its template fits nothing drawn"
            what = f"{pattern.name} takes none of {drawn[pattern.name]} layers, mostly: {most}"
            faults.append(_about(pattern, what))
    total = counted(len(subject.accepted), "layer")
    detail = f"{total} of {len(subject.cases)} drawn, {counted(len(subject.patterns), 'pattern')}"
    return Verdict(looked_at=detail, faults=tuple(faults))


def _refusal(case: Case) -> str:
    if case.error is not None:
        return f"{case.error.message}: {case.error.seen}"
    return case.reason or "the pattern matches only a part of it"


def reasons(subject: Subject) -> Verdict:
    """Every constraint has a text, and every refusal says what was seen."""
    faults = [fault for pattern in subject.patterns for fault in _untold(pattern)]
    refused = [case for case in subject.cases if case.layer is None]
    told: set[str] = set()
    for case in subject.cases:
        if case.error is not None and case.error.seen not in told:
            told.add(case.error.seen)
            where = f"the constraints of pattern {case.pattern.name!r}"
            faults.append(fault_of(case.error, case, where))
        for text in case.odd:
            if text not in told:
                told.add(text)
                what = f"{case.name}: {text}; it has to be None or what was seen, in words"
                faults.append(_about(case.pattern, what))
    return Verdict(looked_at=counted(len(refused), "refusal"), faults=tuple(faults))


def _untold(pattern: Pattern) -> Iterator[Fault]:
    texts = Counter(constraint.text.strip() for constraint in pattern.constraints)
    if texts[""]:
        yield _about(pattern, f"{pattern.name} has a constraint without a text")
    for text, count in texts.items():
        if text and count > 1:
            yield _about(pattern, f"{pattern.name} states twice: {text}")


def steady(subject: Subject) -> Verdict:
    """Asked again, a pattern says the same."""
    faults = []
    hardware = subject.session.hardware
    for case in subject.cases:
        again = judge(case.graph, case.pattern, hardware, case.number)
        if (case.layer is None, case.reason) != (again.layer is None, again.reason):
            what = f"{case.name}: first {_verdict(case)}, then {_verdict(again)}"
            faults.append(_about(case.pattern, what))
    return Verdict(looked_at=counted(len(subject.cases), "layer"), faults=tuple(faults))


def _verdict(case: Case) -> str:
    return "taken" if case.layer is not None else f"turned down ({case.reason})"


def examples(subject: Subject) -> Verdict:
    """Patterns take and turn down the networks they bring as examples."""
    faults, count = [], 0
    for pattern in subject.patterns:
        for graph, taken in _examples(pattern):
            count += 1
            case = judge(graph, pattern, subject.session.hardware, count)
            if (case.layer is not None) != taken:
                wanted = "take" if taken else "turn down"
                what = f"{pattern.name} should {wanted} its example {graph.name!r}, which is"
                faults.append(_about(pattern, f"{what} {_verdict(case)}"))
    if not count:
        return Verdict(absent="no pattern brings examples; layers are drawn from its template")
    return Verdict(looked_at=counted(count, "example"), faults=tuple(faults))


def _examples(pattern: Pattern) -> Iterator[tuple[Graph, bool]]:
    for give, taken in ((pattern.accepts, True), (pattern.rejects, False)):
        for graph in give() if give is not None else ():
            yield graph, taken


def contracts(subject: Subject) -> Verdict:
    """What a pattern takes is what the contract of its engine states."""
    engines = subject.session.hardware.engines
    without = [name for name in subject.engines if not engines[name].contracts]
    faults = []
    for case in subject.accepted:
        contract = contract_of(case.pattern, engines.get(case.pattern.engine))
        beyond = _beyond(case, contract) if contract is not None else ""
        if beyond:
            faults.append(_about(case.pattern, f"{case.name} is taken, but {beyond}"))
    if len(without) == len(subject.engines):
        return Verdict(absent=f"no contract is stated for {', '.join(without)}")
    return Verdict(looked_at=counted(len(subject.accepted), "layer"), faults=tuple(faults))


def _beyond(case: Case, contract: Contract) -> str:
    """What an accepted layer asks for beyond a contract; only what no rewrite can bring back."""
    if case.layer is None:
        return ""
    layer = case.layer
    last = layer.nodes[-1].op
    small = [tensor.dtype for tensor in layer.inputs if tensor.dtype.size_bytes == 1]
    wrong = [kind for kind in small if kind not in contract.input_types]
    if wrong:
        return f"the contract has no {wrong[0]} operands ({features_text(layer)})"
    if not isinstance(last, Requant):
        return ""
    if last.out not in contract.output_types and last.out is not DType.INT32:
        return f"the contract has no {last.out} results"
    if not contract.obliging and last.mode not in contract.modes:
        return f"the contract has no requantisation of mode {last.mode}"
    if contract.clips and (last.lo, last.hi) not in contract.clips:
        return f"the contract has no clip to {last.lo}..{last.hi}"
    return ""


def _about(pattern: Pattern, what: str) -> Fault:
    where = f"pattern {pattern.name!r} of {pattern.engine} and its constraints"
    return Fault(subject=pattern.name, what=what, where=where)


CHECKS = (
    Check(
        name="patterns.reasons",
        level=1,
        title="every refusal has a reason",
        where="the constraints",
        run=reasons,
    ),
    Check(
        name="patterns.accept",
        level=1,
        title="every pattern takes layers its template fits",
        where="htvm_patterns",
        run=accepts,
    ),
    Check(
        name="patterns.examples",
        level=1,
        title="patterns take and turn down their own examples",
        where="accepts and rejects of the pattern",
        run=examples,
    ),
    Check(
        name="patterns.steady",
        level=1,
        title="the same layer gets the same answer",
        where="the constraints",
        run=steady,
    ),
    Check(
        name="patterns.contracts",
        level=1,
        title="no layer is taken that the stated contract excludes",
        where="[[engine.*.contract]] of hardware.toml",
        run=contracts,
    ),
)
