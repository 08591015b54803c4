"""Looks a target over without running a layer of it."""

from __future__ import annotations

from htvm.testing.kit import CATALOGUE, run_check, scorecard
from htvm.testing.scorecard import Scorecard
from htvm.testing.static.place import locate
from htvm.testing.subject import Subject


def validate(target: str) -> Scorecard:
    """The checks of level 0, the static ones first; the rest only if they find nothing.

    Args:
        target: Id of an installed target, or a path.

    Raises:
        UsageError: E140, there is no such target.
        PluginError: E601, two distributions bring it.
    """
    locate(target)
    subject = Subject(target)
    found = []
    for check in CATALOGUE:
        if check.level == 0:
            found.append(run_check(check, subject, {}))
            if not found[-1].status.is_fine:
                break
    return scorecard(subject, found)
