"""Requirements and interface versions, looked at before a plug-in is used."""

from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from htvm.errors import PluginError
from htvm.plugins import handshake
from htvm.plugins.handshake import check_api, check_requirements
from htvm.plugins.listing import TargetInfo
from htvm.plugins.loading import load_target
from htvm.target.base import API_VERSION, Target


def info(*requires: str, entry: str = "nothing:Chip", fault: str = "") -> TargetInfo:
    return TargetInfo(
        name="chip",
        distribution="htvm-chip",
        version="1.2",
        entry=entry,
        requires=requires,
        fault=fault,
    )


@pytest.mark.parametrize(
    "requirement",
    [
        "numpy",
        "numpy>=1",
        "NumPy >= 1.0, != 1.5",
        "nothing-there; python_version < '3'",
        "nothing-there>=1; extra == 'test'",
        f"htvm-core=={version('htvm-core')}",
    ],
)
def test_requirements_that_hold(requirement):
    check_requirements(info(requirement))


@pytest.mark.parametrize(
    ("requirement", "seen", "wanted"),
    [
        ("nothing-there", "nothing-there is not installed", "nothing-there"),
        ("numpy>=999", f"numpy {version('numpy')}", "numpy>=999"),
        ("numpy<1; python_version > '3'", f"numpy {version('numpy')}", "numpy<1"),
    ],
)
def test_requirements_that_do_not(requirement, seen, wanted):
    with pytest.raises(PluginError, match=r"'chip' of htvm-chip 1\.2") as caught:
        check_requirements(info("numpy", requirement))
    assert caught.value.code == "E616"
    assert caught.value.seen == seen
    assert caught.value.hint == f"pip install '{wanted}'"


def test_all_requirements_are_told_at_once():
    with pytest.raises(PluginError) as caught:
        check_requirements(info("one-thing", "numpy>=999", "other-thing~=2.0"))
    assert caught.value.accepted == "one-thing, numpy>=999, other-thing~=2.0"


@pytest.mark.parametrize("text", ["", "!!", "numpy >>= 1", "a; python_version ~~ '3'"])
def test_unreadable_requirements(text):
    with pytest.raises(PluginError) as caught:
        check_requirements(info(text))
    assert caught.value.code == "E617"


def test_requirements_come_before_the_import(tmp_path, monkeypatch):
    (tmp_path / "needy_chip.py").write_text("from htvm.api import Target as Chip\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError):
        load_target(info("nothing-there", entry="needy_chip:Chip"))
    assert "needy_chip" not in sys.modules
    assert isinstance(load_target(info("numpy", entry="needy_chip:Chip")), Target)


@pytest.mark.parametrize("needed", ["2.0", "2.3"])
def test_same_or_older_minor_version_is_taken(monkeypatch, needed):
    monkeypatch.setattr(handshake, "API_VERSION", "2.3")
    check_api(info(), needed)


@pytest.mark.parametrize(
    ("needed", "to_upgrade"),
    [
        ("2.4", "htvm-core"),
        ("3.0", "htvm-core"),
        ("1.9", "htvm-chip"),
        ("2", "htvm-chip"),
        ("2.3.1", "htvm-chip"),
        (2, "htvm-chip"),
        (None, "htvm-chip"),
        ("9" * 9999, "htvm-chip"),
    ],
)
def test_other_versions_are_not(monkeypatch, needed, to_upgrade):
    monkeypatch.setattr(handshake, "API_VERSION", "2.3")
    with pytest.raises(PluginError, match=r"htvm-chip 1\.2") as caught:
        check_api(info(), needed)
    assert caught.value.code == "E604"
    assert caught.value.hint == f"pip install --upgrade {to_upgrade}"
    assert len(caught.value.seen) < 100


def test_a_name_the_interface_lacks_says_what_to_upgrade(tmp_path, monkeypatch):
    (tmp_path / "modern_chip.py").write_text("from htvm.api import Target, Marvel\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(PluginError) as caught:
        load_target(info(entry="modern_chip:Chip"))
    assert caught.value.code == "E602"
    assert "Marvel" in caught.value.seen
    assert API_VERSION in caught.value.accepted
    assert "--upgrade htvm-core" in caught.value.hint
