"""The environment variables that change which plug-ins are used."""

from __future__ import annotations

import os
import re

DISABLE = "HTVM_DISABLE_PLUGINS"
STRICT = "HTVM_STRICT_PLUGINS"
TIMEOUT = "HTVM_PLUGIN_TIMEOUT"
DEFAULT_TIMEOUT_S = 20.0

_OFF = {"", "0", "false", "no", "off"}


def disabled_names() -> frozenset[str]:
    """Targets and distributions that the user has switched off, in normal form."""
    names = re.split(r"[,\s]+", os.environ.get(DISABLE, ""))
    return frozenset(normal(name) for name in names if name)


def strict() -> bool:
    """Whether any broken plug-in is fatal, whichever target is asked for."""
    return os.environ.get(STRICT, "").strip().lower() not in _OFF


def timeout_s() -> float:
    """Seconds a plug-in may take to load and answer when all of them are looked at."""
    try:
        seconds = float(os.environ.get(TIMEOUT, ""))
    except ValueError:
        return DEFAULT_TIMEOUT_S
    return seconds if 0 < seconds < float("inf") else DEFAULT_TIMEOUT_S


def normal(name: str) -> str:
    """A name as packaging compares it: lower case, one hyphen for any run of ``-_.``."""
    return re.sub(r"[-_.]+", "-", name).lower()
