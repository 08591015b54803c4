"""Reads a hardware description from TOML, and says everything that is wrong with it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from htvm.errors import PluginError
from htvm.target.hardware import Engine, Hardware, Memory, Parameter


class _MemoryTable(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    size_bytes: int = Field(gt=0)
    align_bytes: int = Field(default=4, gt=0)
    base_address: int | None = None


class _EngineTable(BaseModel):
    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Parameter]
    description: str = ""


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
        engines={
            name: Engine(
                name=name,
                description=engine.description,
                parameters=dict(engine.__pydantic_extra__ or {}),
            )
            for name, engine in file.engine.items()
        },
        main_memory=file.main_memory,
        stack_bytes=file.stack_bytes,
        sources=file.sources,
        contested=file.contested,
    )
