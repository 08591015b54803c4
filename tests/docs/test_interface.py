"""The page of the interface: everything is on it, and it reads well."""

from __future__ import annotations

import re
from collections import Counter

from htvm import api
from reference.api import GROUPS, api_page


def test_every_name_is_in_one_group() -> None:
    named = Counter(name for names in GROUPS.values() for name in names)

    assert set(named) == set(api.__all__)
    assert set(named.values()) == {1}


def test_the_page_is_the_same_each_time_and_needs_no_sphinx_roles() -> None:
    page = api_page()

    assert page == api_page()
    assert not re.search(r"0x[0-9a-f]{6}|:\w+:`", page)


def test_arguments_fields_and_methods_are_told() -> None:
    page = api_page()

    assert "window_constraint(*kinds: Kind, dilated: bool = False) -> Constraint" in page
    assert "- `lanes`: Channels or elements it handles at once" in page
    assert "Has the attributes of `ScratchpadEngine` as well." in page
    assert "- `.operand(capture: str, index: int)`: Input ``index``" in page
    assert "### ops.Conv2d" in page
