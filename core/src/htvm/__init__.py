"""Compile trained networks to verified bare-metal C for heterogeneous tinyML chips.

``htvm.deploy`` is what ``htvm deploy`` runs. Importing this package loads nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htvm.deploying import Result, deploy
    from htvm.errors import HtvmError

__all__ = ["HtvmError", "Result", "deploy"]


def __dir__() -> list[str]:
    return [*__all__, *(name for name in globals() if name.startswith("__"))]


def __getattr__(name: str) -> Any:
    if name == "HtvmError":
        from htvm.errors import HtvmError

        return HtvmError
    if name in __all__:
        from htvm import deploying

        return getattr(deploying, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
