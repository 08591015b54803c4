"""Changes of a known chip, laid over its description: a new board is a TOML file alone."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict

from htvm.errors import PluginError
from htvm.target.hardware import Engine, Hardware, Memory, Parameter
from htvm.target.toml import hardware_from_table

Table = Mapping[str, object]

_ENGINE_KEYS = ("description", "contract")


def parse_overlay(text: str, *, where: str) -> Table:
    """The table of a TOML file that extends another target.

    Args:
        text: The TOML.
        where: Name of the file, for errors.

    Raises:
        PluginError: E610 it is not TOML, E611 its ``extends`` is missing or is no text.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PluginError(f"{where} is not TOML", code="E610", seen=str(error)) from error
    extends = table.get("extends")
    if not isinstance(extends, str) or not extends:
        raise _wrong(where, "extends: names the target this file changes, such as extends = 'cpu'")
    return table


def overlay(base: Hardware, table: Table, *, name: str, where: str) -> Hardware:
    """The description with every key of the table in place of the base's.

    Args:
        base: The chip as the extended target describes it.
        table: Keys as in a hardware file, all optional, besides ``extends``. Memories may be new.
            Engines and their parameters must be the base's, because its code reads them.
        name: The new target's id.
        where: Name of the file, for errors.

    Raises:
        PluginError: E611, E612; every fault is listed.
    """
    changes = {key: value for key, value in table.items() if key != "extends"}
    faults = [*_renamed(changes, name), *_unknown(base, changes)]
    merged = _merge(_as_table(base), {**changes, "name": name})
    try:
        found = hardware_from_table(merged, where=where)
    except PluginError as error:
        if not faults:
            raise
        raise _wrong(where, "; ".join([*faults, error.seen])) from error
    if faults:
        raise _wrong(where, "; ".join(faults))
    return found


def _wrong(where: str, seen: str) -> PluginError:
    return PluginError(f"{where} does not describe a board", code="E611", seen=seen)


def _renamed(changes: Table, name: str) -> list[str]:
    given = changes.get("name", name)
    return [] if given == name else [f"name: is {given!r}, but the target's id is {name!r}"]


def _unknown(base: Hardware, changes: Table) -> list[str]:
    """Engines and parameters the base does not have, and parameters of another type."""
    engines = changes.get("engine", {})
    if not isinstance(engines, Mapping):
        return []
    faults: list[str] = []
    for name, values in engines.items():
        if name not in base.engines:
            faults.append(_no_such(f"engine.{name}", name, base.engines))
        elif isinstance(values, Mapping):
            faults += _parameter_faults(base.engines[name], values)
    return faults


def _parameter_faults(engine: Engine, values: Table) -> list[str]:
    faults = []
    for key, value in values.items():
        where = f"engine.{engine.name}.{key}"
        if key in _ENGINE_KEYS:
            continue
        if key not in engine.parameters:
            faults.append(_no_such(where, key, engine.parameters))
        elif not _alike(engine.parameters[key], value):
            wanted = type(engine.parameters[key]).__name__
            faults.append(f"{where}: is of type {type(value).__name__}, not {wanted}")
    return faults


def _alike(old: Parameter, new: object) -> bool:
    if isinstance(old, float):
        return isinstance(new, (int, float)) and not isinstance(new, bool)
    return type(new) is type(old)


def _no_such(where: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1)
    guess = f"; did you mean {close[0]!r}?" if close else f"; there are {', '.join(names)}"
    return f"{where}: the extended target has none{guess}"


def _merge(old: Table, new: Table) -> dict[str, object]:
    """Tables joined key by key; anything else is replaced."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(before, value)
        else:
            merged[key] = value
    return merged


def _as_table(base: Hardware) -> dict[str, object]:
    """A description as its file would put it."""
    return {
        "schema": 1,
        "description": base.description,
        "clock_hz": base.clock_hz,
        "main_memory": base.main_memory,
        "stack_bytes": base.stack_bytes,
        "memory": {name: _memory(memory) for name, memory in base.memories.items()},
        "engine": {name: _engine(engine) for name, engine in base.engines.items()},
        "sources": dict(base.sources),
        "contested": dict(base.contested),
    }


def _memory(memory: Memory) -> dict[str, object]:
    return {key: value for key, value in asdict(memory).items() if key != "name"}


def _engine(engine: Engine) -> dict[str, object]:
    contracts = [asdict(contract) for contract in engine.contracts]
    return {**engine.parameters, "description": engine.description, "contract": contracts}
