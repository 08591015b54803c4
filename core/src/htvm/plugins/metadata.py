"""Reads what a distribution says of itself, without its description and within bounds."""

from __future__ import annotations

from dataclasses import dataclass
from email.parser import HeaderParser
from importlib.metadata import Distribution

from htvm.plugins.guard import short

_LARGEST_HEADERS = 1 << 20
_LONGEST_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Headers:
    """The headers of a distribution's metadata that htvm needs.

    Attributes:
        name: The distribution.
        version: Its version.
        requires: Its requirements, unread.
        fault: Why the headers cannot be used; empty if they can.
    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    fault: str = ""


def read_headers(package: Distribution) -> Headers:
    """Name, version and requirements. Metadata that cannot be read has a fault, and no error."""
    try:
        text = package.read_text("METADATA") or package.read_text("PKG-INFO") or ""
    except Exception:  # whatever a damaged installation makes the standard library raise
        text = ""
    head = text.replace("\r\n", "\n").partition("\n\n")[0]
    found = HeaderParser().parsestr(head[:_LARGEST_HEADERS])
    name = short(str(found.get("Name") or "unknown"), _LONGEST_NAME)
    version = short(str(found.get("Version") or "unknown"), _LONGEST_NAME)
    if len(head) > _LARGEST_HEADERS:
        return Headers(
            name=name, version=version, fault=f"its metadata has {len(head):,} characters"
        )
    requires = tuple(str(line) for line in found.get_all("Requires-Dist", []))
    return Headers(name=name, version=version, requires=requires)
