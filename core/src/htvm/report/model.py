"""What a report says. These classes are the schema of ``report.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(_Part):
    """The network as read."""

    name: str
    file: str
    format: str
    sha256: str
    details: dict[str, str]
    macs: int
    params_bytes: int


class Contested(_Part):
    """A hardware number on which public sources disagree, and what was used."""

    key: str
    used: int | float | str | bool
    sources: str


class Target(_Part):
    """The chip and the plug-in that describes it."""

    name: str
    description: str
    distribution: str
    version: str
    clock_hz: int
    overrides: dict[str, str]
    contested: list[Contested]


class MemoryUse(_Part):
    """One memory. The parts of the main memory add up to ``used_bytes``."""

    used_bytes: int
    capacity_bytes: int
    parts: dict[str, int] = Field(default_factory=dict)
    arena_lower_bound_bytes: int | None = None


class Totals(_Part):
    """The whole network, one inference."""

    latency_cycles: int
    latency_ms: float
    latency_error: str = Field(description="How far the estimate of host code may be off.")
    macs_offloaded_fraction: float = Field(
        description="Of the network's own multiply-accumulates, each counted once."
    )
    memory: dict[str, MemoryUse]


class Cycles(_Part):
    """Cycles of one layer; with overlap the total is less than the sum of the parts."""

    total: int
    compute: int
    transfer: int
    overhead: int


class Alternative(_Part):
    """Another way the layer's nodes could have run, or why they could not."""

    engine: str
    pattern: str
    cycles: int | None = None
    reason: str | None = None


class Operand(_Part):
    """A tensor a layer reads or writes."""

    name: str
    shape: list[int]
    dtype: str
    layout: str


class Layer(_Part):
    """One piece of work in execution order: a layer, or a layout conversion between layers."""

    name: str
    kind: Literal["layer", "conversion"]
    source_nodes: list[str]
    op: str
    engine: str
    macs: int
    cycles: Cycles
    cycles_emulated: int | None = Field(
        default=None, description="Counted by the emulator from the work really executed."
    )
    macs_per_cycle: float
    utilization: float | None = Field(
        default=None, description="Of the engine's peak multiply-accumulates."
    )
    inputs: list[Operand]
    output: Operand
    tile: str
    tiles: int
    runner_up: str
    rewrites: list[str]
    numerics: Literal["exact", "calibrated"] = Field(
        default="exact",
        description="Whether the layer computes with the user's own numbers, or with some chosen "
        "anew.",
    )
    alternatives: list[Alternative]
    reason: str


class Buffer(_Part):
    """A piece of the arena and the steps during which it is in use, both ends included."""

    name: str = Field(description="Of the layer or conversion that writes it, as in the layers.")
    tensor: str = Field(description="What it holds.")
    offset_bytes: int
    size_bytes: int
    first_step: int
    last_step: int


class Divergence(_Part):
    """The first element that differs."""

    layer: str
    index: list[int]
    expected: int | float
    seen: int | float
    input: str


class Inputs(_Part):
    """One set of inputs that was tried."""

    kind: Literal["given", "random", "extreme"]
    source: str
    samples: int
    layout: str | None = None
    scale: float | None = None
    offset: float | None = None
    taken: str | None = Field(
        default=None, description="By which rule the file's numbers became the network's."
    )


class Accuracy(_Part):
    """Share of samples whose greatest output is the label's."""

    labels: int
    correct: int
    top1: float


class LayerError(_Part):
    """What a layer computes against what the source's runtime computes in its place."""

    layer: str = Field(description="As in the list of layers.")
    tensor: str = Field(description="As in the source.")
    elements: int
    max_lsb: float | None = Field(
        description="Greatest error, in steps of the tensor; null for real numbers."
    )
    mean_lsb: float | None = Field(
        description="Mean magnitude of the errors, in steps; null for real numbers."
    )
    sqnr_db: float | None = Field(
        description="Power of the source's numbers over that of the error; null without any error."
    )
    lost_db: float = Field(
        description="How much less that is than the least of what the layer reads, either counted "
        "as 100 dB at most."
    )


class Fidelity(_Part):
    """The network against its source, run by the source's own runtime on the given samples."""

    runtime: str
    source: str
    samples: int
    same_network: bool = Field(
        description="Whether the source is the network deployed, rather than one it was "
        "quantised from."
    )
    same_class: int | None = Field(
        description="Samples for which both name one class; null if outputs are no scores."
    )
    source_accuracy: Accuracy | None = None
    layers: list[LayerError]
    worst_layer: str | None = Field(
        description="Where the most is lost, by lost_db; null if nothing is."
    )


class Verification(_Part):
    """Generated C against the integer reference, every element of every layer."""

    verdict: Literal["exact", "mismatch", "not run"]
    reference: str
    reason: str = ""
    compiler: str = ""
    sanitized: bool = False
    inputs: list[Inputs] = Field(default_factory=list)
    inferences_per_sample: int = 2
    layers: int = 0
    elements: int = 0
    mismatches: int = 0
    first_divergence: Divergence | None = None
    accuracy: Accuracy | None = None
    fidelity: Fidelity | None = None


class Calibration(_Part):
    """Where the numbers of a network come from that htvm quantised."""

    source: str = Field(description="The network that was quantised.")
    data: str = Field(description="Calibration samples.")
    engine: str = Field(description="Engine whose arithmetic was aimed at; empty for none.")
    by: str = Field(description="Name and version of what quantised it.")


class BudgetQuality(_Part):
    """How good a network is, on the samples an accuracy budget is measured on."""

    accuracy: float | None = Field(description="None where only the signal to noise counts.")
    sqnr_db: float


class Exempted(_Part):
    """A layer that keeps the source's real numbers, because quantising it costs too much."""

    layer: str
    node: str = Field(default="", description="Its name in the network that was quantised.")
    followed: list[str] = Field(description="Layers that are in float32 because of it.")
    alone_db: float = Field(description="SQNR of the output when no other layer is quantised.")
    after: BudgetQuality


class Budget(_Part):
    """What quantising was allowed to cost, and the layers that cost too much, as chosen."""

    max_drop: float | None = Field(description="Accuracy, in percentage points.")
    min_sqnr_db: float | None
    judged_on: str
    samples: int
    source_accuracy: float | None
    quantised: BudgetQuality = Field(description="With every layer quantised.")
    is_kept: bool
    exemptions: list[Exempted]


class Stage(_Part):
    """One stage of the compiler."""

    name: str
    summary: str


class Report(_Part):
    """Everything about one deployment."""

    schema_version: Literal[1] = SCHEMA_VERSION
    htvm_version: str
    model: Model
    target: Target
    totals: Totals
    layers: list[Layer]
    arena: list[Buffer]
    verification: Verification
    stages: list[Stage]
    numerics: Literal["exact", "calibrated"] = Field(
        default="exact",
        description="Whether every number is that of the network that was trained, or some were "
        "chosen anew, in this run or when the file was made.",
    )
    calibration: Calibration | None = None
    budget: Budget | None = None


def report_schema() -> dict[str, object]:
    """JSON Schema of ``report.json``."""
    return Report.model_json_schema()
