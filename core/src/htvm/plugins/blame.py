"""Names the target whose generated C failed."""

from __future__ import annotations

from htvm.errors import MismatchError
from htvm.plugins.listing import TargetInfo


def blame(error: MismatchError, info: TargetInfo) -> MismatchError:
    """The error with the target, its distribution and its version in the message."""
    return MismatchError(
        f"{error.message} (target {info.name!r} of {info.owner})",
        code=error.code,
        seen=error.seen,
        accepted=error.accepted,
        hint=error.hint,
    )
