"""The way through: every stage, in order, each a function of what came before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from htvm import summaries
from htvm.codegen.stage import emit
from htvm.deployment import (
    CalibrationOptions,
    Deployment,
    Progress,
    Request,
    StageReport,
    Status,
)
from htvm.dispatch.stage import dispatch
from htvm.errors import InternalError, MismatchError, ToolError, UsageError
from htvm.fidelity.runtimes.runtime import RuntimeMissing
from htvm.fidelity.stage import compare
from htvm.frontend import integerise, read
from htvm.frontend.source import Source
from htvm.host.compiler import find_compiler
from htvm.host.inputs import load_inputs, shown_to
from htvm.host.stage import verify
from htvm.host.values import Port
from htvm.ir.graph import Graph
from htvm.memory.stage import plan_memory
from htvm.partition.stage import match
from htvm.plugins.blame import blame
from htvm.plugins.session import Session, open_session
from htvm.quantization.api import Options, Outcome, as_source, quantize_source
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.scheme import scheme_for
from htvm.quantization.source.ports import source_ports
from htvm.quantization.threads import one_thread
from htvm.rewrite.stage import rewrite
from htvm.schedule.stage import schedule

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage.

    Attributes:
        name: As reports show it.
        work: Adds the stage's value to a deployment.
        summary: One line about that value; a stage with nothing to say is not reported.
    """

    name: str
    work: Callable[[Deployment, Session, Status], Deployment]
    summary: Callable[[Deployment], str]


def run(
    request: Request, progress: Progress | None = None, status: Status | None = None
) -> Deployment:
    """Take a network through every stage up to the one asked for. Writes nothing.

    Args:
        request: What is asked.
        progress: Called after each stage.
        status: Called with what a long stage is doing.

    Raises:
        HtvmError: whatever keeps the network from being deployed. Elements in which the generated
            C differs from the reference are in the result, not raised.
    """
    stages = _stages(request.upto)
    session = open_session(request.target, settings=request.settings)
    given, read_report = _timed(
        "read", lambda: read(request.path, shapes=request.shapes), summaries.source, progress
    )
    source = given
    extra: tuple[StageReport, ...] = ()
    notes: tuple[str, ...] = ()
    ports: Mapping[str, Port] | None = None
    if request.calibration is not None:
        outcome, report = _timed(
            "quantize",
            partial(_quantize, source, request.calibration, session, status),
            summaries.quantised,
            progress,
        )
        ports = source_ports(given)
        source, extra, notes = as_source(outcome, source), (report,), outcome.notes
    start, graph_report = _timed(
        "integerise",
        lambda: _start(request, integerise(source), session, ports),
        summaries.graph,
        progress,
    )
    reports = (read_report, *extra, graph_report)
    start = replace(_with_source(start, given), notes=(*notes, *start.notes))
    return _onward(stages, start, session, reports, _Listeners(progress, status))


def _with_source(start: Deployment, given: Source) -> Deployment:
    """The network to compare with: the user's file, or the one it was quantised from."""
    request = start.request
    if request.verify is None or request.verify.source is None:
        return replace(start, source=given)
    source = read(request.verify.source, shapes=request.shapes)
    ports = source_ports(source)
    shown = tuple(shown_to(samples, ports) for samples in start.given)
    return replace(start, source=source, given=shown)


def _quantize(
    source: Source, options: CalibrationOptions, session: Session, status: Status | None
) -> Outcome:
    """The network in the arithmetic of the target's engines."""
    scheme = scheme_for(session.hardware)
    return quantize_source(
        source,
        Options(
            calibration=options.data,
            scheme=scheme,
            format="qdq" if scheme is None else "integer",
            samples=options.samples,
            seed=options.seed,
            budget=options.budget,
        ),
        SILENT if status is None else Listener(status=status),
    )


def run_graph(graph: Graph, request: Request, progress: Progress | None = None) -> Deployment:
    """As :func:`run`, for an integer network that a program has built rather than a file holds.

    Args:
        graph: The network.
        request: What is asked; its path and shapes mean nothing here.
        progress: Called after each stage.

    Raises:
        HtvmError: As :func:`run`.
    """
    stages = _stages(request.upto)
    session = open_session(request.target, settings=request.settings)
    listeners = _Listeners(progress, None)
    return _onward(stages, _start(request, graph, session), session, (), listeners)


def _start(
    request: Request, graph: Graph, session: Session, ports: Mapping[str, Port] | None = None
) -> Deployment:
    """What the stages begin with; the user's samples are read before any of them works."""
    specs = request.verify.given if request.verify else ()
    given = tuple(load_inputs(spec, graph, ports) for spec in specs)
    return Deployment(
        request=request,
        target=session.target,
        hardware=session.hardware,
        graph=graph,
        given=given,
        notes=tuple(doubt for samples in given for doubt in samples.doubts),
    )


@dataclass(frozen=True)
class _Listeners:
    """Who is told how the work goes on."""

    progress: Progress | None
    status: Status | None

    def say(self, text: str) -> None:
        if self.status is not None:
            self.status(text)


def _onward(
    stages: Sequence[Stage],
    done: Deployment,
    session: Session,
    before: tuple[StageReport, ...],
    listeners: _Listeners,
) -> Deployment:
    reports = list(before)
    for stage in stages:
        work = partial(stage.work, done, session, listeners.say)
        done, report = _timed(stage.name, work, stage.summary, listeners.progress)
        reports.append(report)
    return replace(done, stages=tuple(report for report in reports if report.summary))


def _rewrite(done: Deployment, session: Session, _: Status) -> Deployment:
    return replace(done, rewritten=rewrite(done.graph, session))


def _match(done: Deployment, session: Session, _: Status) -> Deployment:
    return replace(done, matches=match(_need(done.rewritten).graph, session))


def _dispatch(done: Deployment, session: Session, _: Status) -> Deployment:
    matches, request = _need(done.matches), done.request
    plan = dispatch(matches, session, pins=request.pins, strict=request.strict)
    return replace(done, dispatch=plan)


def _schedule(done: Deployment, session: Session, _: Status) -> Deployment:
    return replace(done, schedule=schedule(_need(done.dispatch), session))


def _plan_memory(done: Deployment, session: Session, _: Status) -> Deployment:
    return replace(done, memory=plan_memory(_need(done.schedule), session.hardware))


def _emit(done: Deployment, session: Session, _: Status) -> Deployment:
    project = emit(_need(done.schedule), _need(done.memory), session)
    return replace(done, project=project)


@one_thread
def _verify(done: Deployment, session: Session, status: Status) -> Deployment:
    options = done.request.verify
    if options is None:
        return replace(done, notes=(*done.notes, "not verified: left out on request"))
    try:
        compiler = find_compiler()
    except ToolError as error:
        if options.required or error.code != "E501":
            raise
        note = f"not verified: {error.message}; {error.hint}"
        return replace(done, notes=(*done.notes, note))
    stages = _need(done.schedule), _need(done.memory), _need(done.project)
    try:
        found = verify(
            *stages,
            options,
            compiler,
            original=done.graph,
            given=done.given,
            progress=lambda count, of: status(f"verify: sample {count:,} of {of:,}"),
        )
        return replace(done, verification=found)
    except MismatchError as error:
        raise blame(error, session.target) from error


@one_thread
def _compare(done: Deployment, _: Session, status: Status) -> Deployment:
    """The source's own runtime on the user's samples, where the C is known to be right."""
    check = done.verification
    if check is None or check.mismatches or done.source is None or len(done.given) != 1:
        return done
    try:
        found = compare(
            done.graph,
            done.source,
            done.given[0],
            same_network=done.source.sha256 == done.graph.origin.sha256,
            progress=lambda count, of: status(f"compare: sample {count:,} of {of:,}"),
        )
    except RuntimeMissing as error:
        note = f"not compared with the network's own runtime: {error}"
        return replace(done, notes=(*done.notes, note))
    return replace(done, fidelity=found)


STAGES = (
    Stage(name="rewrite", work=_rewrite, summary=summaries.rewritten),
    Stage(name="match", work=_match, summary=summaries.matches),
    Stage(name="dispatch", work=_dispatch, summary=summaries.dispatch),
    Stage(name="schedule", work=_schedule, summary=summaries.schedule),
    Stage(name="memory", work=_plan_memory, summary=summaries.memory),
    Stage(name="emit", work=_emit, summary=summaries.project),
    Stage(name="verify", work=_verify, summary=summaries.verification),
    Stage(name="compare", work=_compare, summary=summaries.fidelity),
)
"""What follows ``read`` and ``integerise``."""


def _stages(name: str) -> Sequence[Stage]:
    """Those of ``STAGES`` that lead up to a stage."""
    names = [stage.name for stage in STAGES]
    if name == "integerise":
        return ()
    if name not in names:
        raise UsageError(
            f"there is no stage {name!r}",
            code="E147",
            seen=name,
            accepted=", ".join(["integerise", *names]),
        )
    return STAGES[: names.index(name) + 1]


def _timed(
    name: str,
    work: Callable[[], Found],
    summary: Callable[[Found], str],
    progress: Progress | None,
) -> tuple[Found, StageReport]:
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    report = StageReport(name=name, summary=summary(found), seconds=seconds)
    if progress is not None and report.summary:
        progress(report)
    return found, report


def _need(value: Found | None) -> Found:
    if value is None:
        raise InternalError("a stage ran before the one it builds on")
    return value
