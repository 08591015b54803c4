"""Reads a hardware description from TOML, and says everything that is wrong with it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from htvm.errors import PluginError
from htvm.ir.dtype import DType
from htvm.target.contract import Contract, Granularity, Mode, Overflow, Range, Rounding
from htvm.target.hardware import Engine, Hardware, Memory, Parameter

Key = tuple[int | str, ...]
"""A place in a TOML table: names, and positions in lists."""


class _MemoryTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size_bytes: int = Field(gt=0)
    align_bytes: int = Field(default=4, gt=0)
    base_address: int | None = None


class _ContractTable(BaseModel):
    """The fields of :class:`~htvm.target.contract.Contract`."""

    model_config = ConfigDict(extra="forbid")
    ops: tuple[str, ...] = Field(min_length=1)
    input_types: tuple[DType, ...] = Field(min_length=1)
    input_range: Range | None = None
    weight_types: tuple[DType, ...] = (DType.INT8,)
    weight_range: Range = (-128, 127)
    zero_points: bool = False
    bias_bits: int = Field(default=32, ge=0, le=64)
    accumulator_bits: int = Field(default=32, ge=8, le=64)
    product_bits: int = Field(default=32, ge=8, le=64)
    accumulator_overflow: Overflow = "wrap"
    adc_range: Range | None = None
    multiplier: Granularity = "none"
    multiplier_bits: tuple[int, ...] = ()
    shift_range: Range = (0, 31)
    shift: Granularity = "tensor"
    rounding: Rounding = "floor"
    output_types: tuple[DType, ...] = (DType.INT8,)
    clips: tuple[Range, ...] = ()
    pad_value: Literal["zero", "any"] = "zero"
    modes: tuple[Mode, ...] = ("shift",)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        faults = [
            f"{name} {span} is empty: the least value comes first"
            for name, span in self._ranges()
            if span[0] > span[1]
        ]
        if (self.multiplier == "none") != (not self.multiplier_bits):
            faults.append("multiplier_bits belong to a multiplier, and a multiplier needs them")
        if 0 in self.multiplier_bits:
            faults.append("a multiplier of 0 bits is none")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _ranges(self) -> list[tuple[str, Range]]:
        single = ("input_range", "weight_range", "adc_range", "shift_range")
        spans = [(name, getattr(self, name)) for name in single]
        found: list[tuple[str, Range]] = [(name, span) for name, span in spans if span is not None]
        return found + [("clips", clip) for clip in self.clips]


class _EngineTable(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Parameter]
    description: str = ""
    contract: list[_ContractTable] = Field(default_factory=list)


class _HardwareFile(BaseModel):
    model_config = ConfigDict(extra="forbid")
    schema_version: int = Field(alias="schema", ge=1, le=1)
    name: str
    description: str
    clock_hz: int = Field(gt=0)
    main_memory: str
    stack_bytes: int = Field(ge=0)
    memory: dict[str, _MemoryTable]
    engine: dict[str, _EngineTable]
    sources: dict[str, str] = Field(default_factory=dict)
    contested: dict[str, str] = Field(default_factory=dict)


def hardware_schema() -> dict[str, object]:
    """JSON Schema of the hardware TOML."""
    return _HardwareFile.model_json_schema()


def hardware_faults(table: Mapping[str, object]) -> tuple[tuple[Key, str], ...]:
    """Everything in a parsed table that breaks the schema: where, and what is wrong there."""
    try:
        file = _HardwareFile.model_validate(table)
    except ValidationError as error:
        return tuple((fault["loc"], fault["msg"]) for fault in error.errors())
    faults: list[tuple[Key, str]] = []
    if file.main_memory not in file.memory:
        known = ", ".join(file.memory) or "none"
        faults.append((("main_memory",), f"names {file.main_memory!r}; the memories are {known}"))
    if "cpu" not in file.engine:
        faults.append((("engine",), "lacks the host, [engine.cpu]"))
    return tuple(faults)


def load_hardware(text: str, *, where: str = "hardware.toml") -> Hardware:
    """Parse a hardware description.

    Args:
        text: The TOML.
        where: Name of the file, for errors.

    Raises:
        PluginError: The text is not TOML or breaks the schema; every fault is listed.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PluginError(f"{where} is not TOML", code="E610", seen=str(error)) from error
    return hardware_from_table(table, where=where)


def hardware_from_table(table: Mapping[str, object], *, where: str) -> Hardware:
    """As :func:`load_hardware`, from a table already parsed."""
    try:
        file = _HardwareFile.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors()
        )
        raise PluginError(
            f"{where} is not a hardware description", code="E611", seen=faults
        ) from error
    missing = [name for name in (file.main_memory,) if name not in file.memory]
    if missing or "cpu" not in file.engine:
        seen = f"memories {sorted(file.memory)}, engines {sorted(file.engine)}"
        raise PluginError(
            f"{where} lacks its main memory or the engine 'cpu'", code="E612", seen=seen
        )
    return Hardware(
        name=file.name,
        description=file.description,
        clock_hz=file.clock_hz,
        memories={
            name: Memory(name=name, **memory.model_dump()) for name, memory in file.memory.items()
        },
        engines={name: _engine(name, engine) for name, engine in file.engine.items()},
        main_memory=file.main_memory,
        stack_bytes=file.stack_bytes,
        sources=file.sources,
        contested=file.contested,
    )


def _engine(name: str, table: _EngineTable) -> Engine:
    return Engine(
        name=name,
        description=table.description,
        parameters=dict(table.__pydantic_extra__ or {}),
        contracts=tuple(Contract(**contract.model_dump()) for contract in table.contract),
    )
