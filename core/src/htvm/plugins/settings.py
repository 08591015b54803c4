"""Applies ``--set key=value`` to a hardware description."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, replace

from htvm.errors import UsageError
from htvm.target.hardware import Hardware, Memory, Parameter

_TOP = ("clock_hz", "stack_bytes")
_MEMORY = ("size_bytes", "align_bytes", "base_address")
_LARGEST = 2**48
_LARGEST_ALIGNMENT = 4096


def setting_keys(hardware: Hardware) -> tuple[str, ...]:
    """Every key a setting can have: ``clock_hz``, ``memory.l1.size_bytes``, ``engine.cpu.x``."""
    memories = (f"memory.{name}.{key}" for name in hardware.memories for key in _MEMORY)
    engines = (
        f"engine.{name}.{key}" for name, unit in hardware.engines.items() for key in unit.parameters
    )
    return (*_TOP, *memories, *engines)


def apply_settings(
    hardware: Hardware, settings: Mapping[str, str], options: Mapping[str, str]
) -> Hardware:
    """The hardware with every setting applied.

    Args:
        hardware: As the target describes it.
        settings: Key -> value, as text.
        options: Keys that plug-ins accept besides those of the hardware, each of the form
            ``engine.<engine>.<parameter>``.

    Raises:
        UsageError: E141 unknown key, E142 a value of the wrong type.
    """
    for key, text in settings.items():
        known = (*setting_keys(hardware), *options)
        if key not in known:
            raise _unknown(key, known)
        hardware = _apply(hardware, key, text)
    return hardware


def _apply(hardware: Hardware, key: str, text: str) -> Hardware:
    if key in _TOP:
        number = _whole(key, text, least=1 if key == "clock_hz" else 0)
        return (
            replace(hardware, clock_hz=number)
            if key == "clock_hz"
            else replace(hardware, stack_bytes=number)
        )
    kind, rest = key.split(".", 1)
    name, field = rest.rsplit(".", 1)
    if kind == "memory":
        return _set_memory(hardware, key, name, field, text)
    engine = hardware.engines[name]
    value = _like(key, text, engine.parameters.get(field, ""))
    changed = replace(engine, parameters={**engine.parameters, field: value})
    return replace(hardware, engines={**hardware.engines, name: changed})


def _set_memory(hardware: Hardware, key: str, name: str, field: str, text: str) -> Hardware:
    number = _whole(key, text, least=0 if field == "base_address" else 1)
    if field == "align_bytes" and (number > _LARGEST_ALIGNMENT or number & (number - 1)):
        raise _wrong(key, text, f"a power of two up to {_LARGEST_ALIGNMENT}")
    numbers = {**asdict(hardware.memories[name]), field: number}
    changed = Memory(**numbers)
    return replace(hardware, memories={**hardware.memories, name: changed})


def _like(key: str, text: str, current: Parameter) -> Parameter:
    """``text`` read as a value of the type of the one it replaces."""
    if isinstance(current, bool):
        if text.lower() not in {"true", "false"}:
            raise _wrong(key, text, "true or false")
        return text.lower() == "true"
    if isinstance(current, int):
        return _whole(key, text, least=None)
    if isinstance(current, float):
        return _real(key, text)
    return text


def _real(key: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise _wrong(key, text, "a finite number")
    return number


def _whole(key: str, text: str, *, least: int | None) -> int:
    wanted = f"a whole number from {-_LARGEST if least is None else least} to {_LARGEST}"
    try:
        number = int(text.replace("_", ""), 0)
    except ValueError:
        raise _wrong(key, text, wanted) from None
    if (least is not None and number < least) or abs(number) > _LARGEST:
        raise _wrong(key, text, wanted)
    return number


def _wrong(key: str, text: str, accepted: str) -> UsageError:
    return UsageError(
        f"setting {key} has a value of the wrong type", code="E142", seen=text, accepted=accepted
    )


def _unknown(key: str, known: tuple[str, ...]) -> UsageError:
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
    return UsageError(
        f"unknown setting {key!r}",
        code="E141",
        seen=key,
        accepted=", ".join(known),
        hint=f"--set {close[0]}=..." if close else "",
    )
