"""HTVM_DISABLE_PLUGINS and HTVM_STRICT_PLUGINS."""

from __future__ import annotations

import re

import pytest

BROKEN = "raise ImportError('broken')"


@pytest.mark.parametrize("value", ["one", "htvm-one", "HTVM_One , two", "two htvm.one"])
def test_disabled_by_target_or_distribution(install, htvm, digits, monkeypatch, value):
    install("one")
    install("three", BROKEN)
    monkeypatch.setenv("HTVM_DISABLE_PLUGINS", value)
    listed = htvm("targets", "--json").document
    assert [row["name"] for row in listed["disabled"]] == ["one"]
    assert {"cpu", "diana", "three"} <= {row["name"] for row in listed["targets"]}
    refused = htvm("verify", digits, "-t", "one")
    assert refused.code == 2
    assert "error[HTVM-E140]: target 'one' is disabled" in refused.err


def test_disabling_the_rival_ends_the_quarrel(install, htvm, digits, monkeypatch):
    install("rival", target="cpu")
    monkeypatch.setenv("HTVM_DISABLE_PLUGINS", "htvm-rival")
    assert htvm("verify", digits, "-t", "cpu", "--random", 1).code == 0


def test_a_target_that_extends_a_disabled_one(htvm, digits, monkeypatch):
    monkeypatch.setenv("HTVM_DISABLE_PLUGINS", "cpu")
    refused = htvm("verify", digits, "-t", "diana")
    assert refused.code == 7
    assert "error[HTVM-E605]" in refused.err
    assert "'cpu' is disabled" in refused.err


@pytest.mark.parametrize(("value", "code"), [("1", 7), ("0", 0), ("", 0)])
def test_strict_refuses_while_any_is_broken(install, htvm, digits, monkeypatch, value, code):
    owner = install("broken", BROKEN)
    monkeypatch.setenv("HTVM_STRICT_PLUGINS", value)
    done = htvm("verify", digits, "-t", "cpu", "--random", 1)
    assert done.code == code, done.err
    if code:
        assert re.search(r"error\[HTVM-E600\]: 1 of \d+ installed targets are broken", done.err)
        assert owner in done.err


def test_strict_listing_ends_with_the_error(install, htvm, monkeypatch):
    install("broken", BROKEN)
    monkeypatch.setenv("HTVM_STRICT_PLUGINS", "1")
    assert htvm("targets").code == 7
    monkeypatch.setenv("HTVM_DISABLE_PLUGINS", "broken")
    assert htvm("targets").code == 0
