"""What a run is asked for, and everything that came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from htvm.ir.graph import Graph

if TYPE_CHECKING:
    from htvm.codegen.project import Project
    from htvm.dispatch.plan import Dispatch
    from htvm.fidelity.result import Fidelity
    from htvm.frontend.source import Source
    from htvm.host.inputs import InputSet, InputSpec
    from htvm.host.result import Verification
    from htvm.memory.plan import MemoryPlan
    from htvm.partition.matches import Matches
    from htvm.plugins.listing import TargetInfo
    from htvm.rewrite.edits import Rewritten
    from htvm.schedule.kernels import Schedule
    from htvm.target.hardware import Hardware


@dataclass(frozen=True, kw_only=True)
class VerifyOptions:
    """How to verify.

    Attributes:
        random: Random samples to try.
        extreme: Whether to try arrays of extreme values.
        given: The user's own samples.
        sanitize: Whether to build with AddressSanitizer and UndefinedBehaviorSanitizer.
        required: Whether a missing C compiler is an error; otherwise verification is left out.
        seed: Seed of the random samples.
        timeout_s: Seconds one layer of one inference may take; None for a limit that grows with
            the layer's work.
        source: The network to compare the given samples' results with; None for the one that is
            deployed, as its file has it.
    """

    random: int = 4
    extreme: bool = True
    given: tuple[InputSpec, ...] = ()
    sanitize: bool = False
    required: bool = False
    seed: int = 0
    timeout_s: float | None = None
    source: Path | None = None


@dataclass(frozen=True, kw_only=True)
class AccuracyBudget:
    """What quantising a network may cost; layers that spend too much stay in float32.

    Attributes:
        max_drop: Accuracy it may lose, in percentage points of labelled samples.
        min_sqnr_db: Signal to noise the output must keep at least.
        judged_on: Samples to measure both on; None for the calibration samples.
    """

    max_drop: float | None = None
    min_sqnr_db: float | None = None
    judged_on: InputSpec | None = None


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions:
    """How to bring a network to the target's arithmetic by looking at data.

    Attributes:
        data: Calibration samples.
        samples: How many to use at most.
        seed: Of everything drawn.
        budget: What it may cost; None leaves no layer in float32.
    """

    data: InputSpec
    samples: int | None = None
    seed: int = 0
    budget: AccuracyBudget | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    """One run.

    Attributes:
        path: The network file.
        target: Id of the target.
        output: Folder to write the project to; None to write nothing.
        shapes: Shapes that replace those of the file's inputs, by tensor name.
        settings: Hardware keys and plug-in options, as ``--set key=value`` gives them.
        pins: Layer name -> engine that must run it.
        strict: Whether the host may not run layers.
        verify: How to verify; None not to.
        calibration: How to quantise first; None takes the network's numbers as they are.
        upto: Name of the last stage to run; stages after it leave their value None.
    """

    path: Path
    target: str
    output: Path | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False
    verify: VerifyOptions | None = field(default_factory=VerifyOptions)
    calibration: CalibrationOptions | None = None
    upto: str = "compare"


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """A stage that has ended.

    Attributes:
        name: ``"read"``, ``"dispatch"``, ..
        summary: One line for people.
        seconds: How long it took.
    """

    name: str
    summary: str
    seconds: float


Progress = Callable[[StageReport], None]
"""Told every stage that has ended."""
Status = Callable[[str], None]
"""Told what a long stage is doing."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Deployment:
    """Everything a run found out. Stages that were not asked for are None.

    Attributes:
        request: What was asked.
        target: The target as its distribution announces it.
        hardware: The chip, settings applied.
        graph: The integer network, as the file says it.
        source: The file whose own runtime results are compared with; None for a network built by
            a program.
        given: The user's own samples.
        rewritten: The same network in the arithmetic of the target's engines.
        matches: Candidate layers.
        dispatch: Engines, order and layouts.
        schedule: Packed constants, tile programs and C of every step.
        memory: Places in main memory.
        project: The C project.
        verification: The comparison with the reference; None if it was not run.
        fidelity: The comparison with the source's own runtime; None if there were no samples of
            the user's, or the runtime is missing.
        stages: Every stage with its summary and time.
        notes: Things the user should know, such as a verification left out for want of a compiler.
    """

    request: Request
    target: TargetInfo
    hardware: Hardware
    graph: Graph
    source: Source | None = None
    given: tuple[InputSet, ...] = ()
    rewritten: Rewritten | None = None
    matches: Matches | None = None
    dispatch: Dispatch | None = None
    schedule: Schedule | None = None
    memory: MemoryPlan | None = None
    project: Project | None = None
    verification: Verification | None = None
    fidelity: Fidelity | None = None
    stages: tuple[StageReport, ...] = ()
    notes: tuple[str, ...] = ()
