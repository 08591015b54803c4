"""The name of a target, in every form the package needs."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass

from htvm.codegen.naming import SYSTEM_HEADERS
from htvm.errors import UsageError

_LONGEST = 40
_TAKEN = {"cpu", "core", "api", "htvm", "golden", "network", "spm"}
"""Names of htvm's own: its host, its distribution, its headers, and a name in the template."""


@dataclass(frozen=True, kw_only=True)
class Names:
    """A target's name in all its forms; see :func:`names`.

    Attributes:
        target: The id: ``"my-chip"``.
    """

    target: str

    @property
    def distribution(self) -> str:
        """What is installed: ``"htvm-my-chip"``."""
        return f"htvm-{self.target}"

    @property
    def package(self) -> str:
        """What is imported: ``"htvm_my_chip"``."""
        return f"htvm_{self.prefix}"

    @property
    def prefix(self) -> str:
        """Prefix of C names: ``"my_chip"``."""
        return self.target.replace("-", "_")

    @property
    def class_name(self) -> str:
        """The target's class: ``"MyChip"``."""
        return "".join(part.capitalize() for part in self.target.split("-"))

    @property
    def title(self) -> str:
        """For people: ``"My-chip"``."""
        return self.target[0].upper() + self.target[1:]


def names(target: str, known: tuple[str, ...] = ()) -> Names:
    """The forms of a name.

    Args:
        target: The id wanted.
        known: Ids that are taken.

    Raises:
        UsageError: E150, the name cannot be used.
    """
    reason = _fault(target, known)
    if reason:
        near = "-".join(re.findall(r"[a-z0-9]+", target.lower())).lstrip("0123456789-")
        usable = near and _fault(near, known) is None
        raise UsageError(
            f"a target cannot be called {target!r}",
            code="E150",
            seen=reason,
            accepted="lower-case letters and digits, a letter first, words joined by single "
            f"hyphens, at most {_LONGEST} characters",
            hint=f"htvm new-target {near if usable else 'my-chip'}",
        )
    return Names(target=target)


def _fault(target: str, known: tuple[str, ...]) -> str | None:
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", target):
        return "it is no lower-case word" if target else "it is empty"
    if len(target) > _LONGEST:
        return f"it has {len(target)} characters"
    if any(map(keyword.iskeyword, (target, target.capitalize()))):
        return "it is a word of Python"
    if target in SYSTEM_HEADERS:
        return f"{target}.h is a header of C's"
    if target.startswith("htvm"):
        return "htvm- is put before it by itself"
    if target in _TAKEN:
        return "htvm uses it itself"
    return "a target of this id is installed" if target in known else None
