"""The name of the generated project, from which its files and public names are made."""

from __future__ import annotations

from collections.abc import Iterable

from htvm.partition.names import identifier

_OWN_HEADERS = frozenset({"htvm", "golden"})
SYSTEM_HEADERS = frozenset(
    {
        "alloca",
        "assert",
        "complex",
        "ctype",
        "elf",
        "endian",
        "errno",
        "features",
        "fenv",
        "float",
        "inttypes",
        "iso646",
        "limits",
        "locale",
        "malloc",
        "math",
        "memory",
        "newlib",
        "picolibc",
        "pthread",
        "sched",
        "search",
        "setjmp",
        "signal",
        "stdalign",
        "stdarg",
        "stdatomic",
        "stdbool",
        "stddef",
        "stdint",
        "stdio",
        "stdlib",
        "stdnoreturn",
        "string",
        "strings",
        "tgmath",
        "threads",
        "time",
        "uchar",
        "unistd",
        "values",
        "wchar",
        "wctype",
    }
)
"""Headers that a compiler would take from the project instead, whoever includes them."""
_BUILD_NAMES = frozenset({"all", "c", "clean", "help", "install", "m", "package", "test"})
"""Names of CMake's own targets and of system libraries."""
_PREFIXES = frozenset({"at", "layer", "scratch"})
"""Prefixes of the generated C's own names."""


def project_name(network: str, headers: Iterable[str]) -> str:
    """The prefix of every public name, fit to be the name of a header and of a library.

    Args:
        network: The network's name.
        headers: File names of other headers in the project.
    """
    name = identifier(network, fallback="network").lower()
    others = {header.lower().removesuffix(".h") for header in headers}
    taken = _OWN_HEADERS | SYSTEM_HEADERS | _BUILD_NAMES | _PREFIXES | others
    return f"{name}_net" if name in taken else name
