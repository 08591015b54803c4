"""Tries installed targets, each in a process of its own and for a limited time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from htvm.errors import HtvmError, PluginError
from htvm.plugins.guard import short
from htvm.plugins.handshake import check_requirements
from htvm.plugins.listing import TargetInfo, list_targets
from htvm.plugins.loading import find_target
from htvm.plugins.switches import STRICT, TIMEOUT, timeout_s
from htvm.target.check import Check

_AT_ONCE = 4
_ENVIRONMENT = {STRICT: "", "PYDANTIC_DISABLE_PLUGINS": "__all__"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What trying a target came to.

    Attributes:
        info: The target.
        error: Why it cannot be used; None if it can.
        checks: What its ``htvm_doctor`` says.
        notes: What its author should change, such as the use of a name given up.
        about: The chip and its engines, in its own words.
    """

    info: TargetInfo
    error: PluginError | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    about: str = ""


def try_targets() -> tuple[Finding, ...]:
    """Try every installed target that is not disabled. Never raises for a faulty one."""
    known = list_targets()
    with ThreadPoolExecutor(min(_AT_ONCE, os.cpu_count() or 1)) as pool:
        try:
            return tuple(pool.map(partial(try_target, known=known), known))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def announced_fault(info: TargetInfo, known: Sequence[TargetInfo]) -> PluginError | None:
    """What package metadata alone says against a target: importing nothing, starting nothing."""
    try:
        check_requirements(info)
        find_target(info.name, known=known)
    except PluginError as error:
        return error
    return None


def try_target(info: TargetInfo, known: Sequence[TargetInfo]) -> Finding:
    """Load a target and ask it what can be asked without a network."""
    fault = announced_fault(info, known)
    if fault is not None:
        return Finding(info=info, error=fault)
    limit = timeout_s()
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "htvm.plugins.probe", info.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    ) as process:
        try:
            answer, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            return Finding(info=info, error=_hangs(info, limit))
        finally:
            _end(process)
    return _finding(info, answer, process.returncode)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a probe and whatever it started."""
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def _finding(info: TargetInfo, answer: bytes, status: int) -> Finding:
    try:
        found: Any = json.loads(answer)
    except ValueError:
        return Finding(info=info, error=_ended(info, status))
    if "error" in found:
        return Finding(info=info, error=PluginError(**found["error"]))
    checks = tuple(Check(**check) for check in found["checks"])
    notes, about = tuple(found["notes"]), str(found["about"])
    return Finding(info=info, checks=checks, notes=notes, about=about)


def _hangs(info: TargetInfo, limit_s: float) -> PluginError:
    return PluginError(
        f"target {info.name!r} of {info.owner} does not come to an end",
        code="E618",
        seen=f"no answer within {limit_s:g} s",
        accepted="import and hooks that return",
        hint=f"{TIMEOUT}=SECONDS gives it longer; pip install --upgrade {info.distribution}",
    )


def _ended(info: TargetInfo, status: int) -> PluginError:
    return PluginError(
        f"target {info.name!r} of {info.owner} ended the process that loaded it",
        code="E619",
        seen=f"killed by signal {-status}" if status < 0 else f"exit status {status}",
        hint=f"pip install --upgrade {info.distribution}",
    )


def require_sound(findings: Sequence[Finding] | None = None) -> None:
    """Refuse to go on while any installed target is broken.

    Args:
        findings: What trying them came to; by default they are tried now.

    Raises:
        PluginError: E600, with every broken target.
    """
    tried = try_targets() if findings is None else findings
    faults = [_line(one.info, one.error) for one in tried if one.error]
    if faults:
        raise PluginError(
            f"{len(faults)} of {len(tried)} installed targets are broken",
            code="E600",
            seen="; ".join(faults),
            accepted=f"none while {STRICT} is set",
            hint="htvm targets -v shows cause and fix of each",
        )


def _line(info: TargetInfo, error: HtvmError) -> str:
    return short(f"{info.name} of {info.owner}: {error.message} [{error.code}] {error.seen}")
