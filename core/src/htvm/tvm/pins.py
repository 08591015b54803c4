"""The versions of TVM that htvm works with, told without importing TVM."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from htvm.errors import ToolError

PINS = {"apache-tvm": "0.27.0.post1", "apache-tvm-ffi": "0.1.14.post1"}
"""Names move between TVM releases, and newer ffi packages crash this one."""


def check_versions() -> None:
    """Compare the installed TVM packages with the pins.

    Raises:
        ToolError: E510, one is missing or another version.
    """
    found = {name: installed(name) for name in PINS}
    if found != PINS:
        raise ToolError(
            "TVM is missing or not the version htvm works with",
            code="E510",
            seen=", ".join(f"{name} {number}" for name, number in found.items()),
            accepted=", ".join(f"{name} {number}" for name, number in PINS.items()),
            hint="pip install " + " ".join(f"{name}=={number}" for name, number in PINS.items()),
        )


def installed(name: str) -> str:
    """The version of a distribution, or that there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
