"""Compile trained networks to verified bare-metal C for heterogeneous tinyML chips.

``htvm.deploy`` and ``htvm.quantize`` are what the commands of those names run. Importing
this package loads nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htvm.deploying import Result, deploy
    from htvm.errors import HtvmError
    from htvm.quantizing import quantize

__all__ = ["HtvmError", "Result", "deploy", "quantize"]
_MODULES: dict[str, str] = {
    "HtvmError": "htvm.errors",
    "Result": "htvm.deploying",
    "deploy": "htvm.deploying",
    "quantize": "htvm.quantizing",
}


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
