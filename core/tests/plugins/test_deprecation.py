"""Hooks and arguments come and go without breaking the plug-ins that were there before."""

from __future__ import annotations

import warnings

import pluggy
import pytest

from htvm.hookspecs import PROJECT, hookimpl, hookspec
from htvm.plugins.deprecation import RENAMED, HtvmDeprecation, Renamed, adapt


class Hooks:
    """The interface as it is today."""

    @hookspec(firstresult=True)
    def htvm_cost(self, layer, hardware, budget):
        """Was ``htvm_price`` once; ``hardware`` was ``chip``; ``budget`` is new."""


HOOK = Renamed(hook="htvm_cost", old="htvm_price", new="htvm_cost", since="1.2", gone_in="2.0")
ARGUMENT = Renamed(hook="htvm_cost", old="chip", new="hardware", since="1.3", gone_in="2.0")


def answer(plugin):
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    manager.register(adapt(plugin, "htvm-chip 1.2", (HOOK, ARGUMENT)))
    manager.check_pending()
    return manager.hook.htvm_cost(layer="L", hardware="H", budget="B")


class Today:
    @hookimpl
    def htvm_cost(self, layer, hardware, budget):
        return layer, hardware, budget


class FewerArguments:
    @hookimpl
    def htvm_cost(self, hardware):
        return hardware


class NoArguments:
    @hookimpl
    def htvm_cost(self):
        return "nothing"


@pytest.mark.parametrize(
    ("plugin", "expected"),
    [(Today(), ("L", "H", "B")), (FewerArguments(), "H"), (NoArguments(), "nothing")],
)
def test_arguments_can_be_added(plugin, expected):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert adapt(plugin, "x", (HOOK, ARGUMENT)) is plugin
        assert answer(plugin) == expected


class OldHook:
    @hookimpl
    def htvm_price(self, hardware, layer):
        return hardware, layer


class OldArgument:
    @hookimpl
    def htvm_cost(self, chip, layer):
        return chip, layer


class OldBoth:
    @hookimpl
    def htvm_price(self, chip, layer):
        return next(chip for _ in layer), layer


@pytest.mark.parametrize(
    ("plugin", "notes"),
    [(OldHook(), [HOOK]), (OldArgument(), [ARGUMENT]), (OldBoth(), [HOOK, ARGUMENT])],
)
def test_old_names_go_on_with_a_note(plugin, notes):
    with pytest.warns(HtvmDeprecation) as caught:
        assert answer(plugin) == ("H", "L")
    assert [str(one.message) for one in caught] == [one.note("htvm-chip 1.2") for one in notes]


def test_a_note_says_who_what_and_until_when():
    assert ARGUMENT.note("htvm-chip 1.2") == (
        "plug-in htvm-chip 1.2 uses argument of htvm_cost, 'chip', called 'hardware' since "
        "plug-in interface 1.3; interface 2.0 will not know the old name"
    )


class Wrapping:
    @hookimpl(wrapper=True)
    def htvm_cost(self, chip):
        found = yield
        return found, chip


def test_wrappers_under_old_names():
    with pytest.warns(HtvmDeprecation, match="chip"):
        manager = pluggy.PluginManager(PROJECT)
        manager.add_hookspecs(Hooks)
        manager.register(NoArguments())
        manager.register(adapt(Wrapping(), "x", (ARGUMENT,)))
    assert manager.hook.htvm_cost(layer="L", hardware="H", budget="B") == ("nothing", "H")


def test_notes_are_shown_to_whoever_runs_a_command(capsys):
    from htvm.cli.console import warnings_as_notes

    with warnings_as_notes():
        for _ in range(3):
            warnings.warn(HOOK.note("htvm-chip 1.2"), HtvmDeprecation, stacklevel=1)
    shown = capsys.readouterr()
    assert shown.err.count("note: plug-in htvm-chip 1.2 uses hook") == 1
    assert shown.out == ""


def test_every_entry_names_a_hook_there_is():
    from htvm import hookspecs

    for entry in RENAMED:
        assert hasattr(hookspecs, entry.hook), entry
