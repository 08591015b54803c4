"""The one import of TVM, after a check of what is installed.

Importing this module costs about a second and 200 MB; only modules that are themselves imported
inside functions may import it.
"""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version

from htvm.errors import ToolError

PINS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post1"}
"""Names move between TVM releases, and newer ffi packages crash this one."""


def check_versions() -> None:
    """Compare the installed TVM packages with the pins.

    Raises:
        ToolError: if one is missing or another version.
    """
    found = {name: _installed(name) for name in PINS}
    if found != PINS:
        raise ToolError(
            "TVM is missing or not the version htvm works with",
            code="E510",
            seen=", ".join(f"{name} {number}" for name, number in found.items()),
            accepted=", ".join(f"{name} {number}" for name, number in PINS.items()),
            hint="pip install " + " ".join(f"{name}=={number}" for name, number in PINS.items()),
        )


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


check_versions()
# TVM replaces the process's exception hook by one that ends child processes.
_hook = sys.excepthook
try:
    from tvm import IRModule, ir, s_tir, target, te, tirx
finally:
    sys.excepthook = _hook

__all__ = ["PINS", "IRModule", "check_versions", "ir", "s_tir", "target", "te", "tirx"]
