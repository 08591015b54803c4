"""Sessions: whose hooks answer, and what is said of plug-ins that do not work."""

import sys
from types import ModuleType
from typing import ClassVar

import pytest
from acme import ENGINE, Acme
from networks import Builder

from htvm.errors import PluginError, UsageError
from htvm.hookspecs import hookimpl
from htvm.partition.stage import match
from htvm.plugins import listing, loading
from htvm.plugins.listing import TargetInfo, list_targets
from htvm.plugins.session import open_session
from htvm.target.base import Target
from htvm.target.check import Check
from htvm.target.hardware import Hardware
from htvm.target.layer import Cost


@pytest.fixture
def install(monkeypatch):
    """Pretend that a class is an installed target."""
    known: list[TargetInfo] = []
    monkeypatch.setattr(loading, "list_targets", lambda: tuple(known))

    def add(name: str, attribute: object, *, distribution: str = "htvm-fake") -> None:
        module = ModuleType(f"fake_{name}_{len(known)}")
        module.thing = attribute
        monkeypatch.setitem(sys.modules, module.__name__, module)
        entry = f"{module.__name__}:thing"
        known.append(TargetInfo(name=name, distribution=distribution, version="9.1", entry=entry))

    return add


def test_listing_imports_nothing(monkeypatch, tmp_path):
    info = tmp_path / "broken-2.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 2.0\n")
    (info / "entry_points.txt").write_text("[htvm.targets]\nwreck = no_such_module:Wreck\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert any(
        (found.name, found.distribution, found.version) == ("wreck", "broken", "2.0")
        for found in list_targets()
    )
    assert listing.GROUP == "htvm.targets"
    with pytest.raises(PluginError, match=r"wreck.*broken 2\.0") as caught:
        open_session("wreck")
    assert caught.value.code == "E602"
    assert "no_such_module" in caught.value.seen


def test_unknown_target_lists_what_there_is(install):
    install("acme", Acme)
    with pytest.raises(UsageError) as caught:
        open_session("acne")
    assert caught.value.code == "E140"
    assert caught.value.accepted == "acme"
    assert caught.value.hint == "did you mean 'acme'?"


def test_unknown_target_unlike_any_is_to_be_installed(install):
    install("acme", Acme)
    with pytest.raises(UsageError) as caught:
        open_session("zzz")
    assert caught.value.hint == "pip install htvm-zzz"


def test_two_distributions_for_one_target(install):
    install("acme", Acme, distribution="one")
    install("acme", Acme, distribution="two")
    with pytest.raises(PluginError, match="several") as caught:
        open_session("acme")
    assert caught.value.code == "E601"


class Old(Target):
    api_version: ClassVar[int] = 0


class Needy(Target):
    def __init__(self, chip):
        self.chip = chip


class Misspelt(Acme):
    @hookimpl
    def htvm_tillings(self):
        return None


class WrongArguments(Acme):
    @hookimpl
    def htvm_cost(self, layer, color):
        return None


class Speechless(Target):
    pass


@pytest.mark.parametrize(
    ("thing", "code"),
    [
        (object, "E603"),
        (Old, "E604"),
        (Needy, "E603"),
        (Speechless, "E606"),
        (Misspelt, "E613"),
        (WrongArguments, "E613"),
    ],
)
def test_broken_plugin_is_named(install, thing, code):
    install("fake", thing)
    with pytest.raises(PluginError) as caught:
        open_session("fake")
    assert caught.value.code == code
    assert "fake" in caught.value.message


def test_broken_neighbour_does_no_harm(install):
    install("acme", Acme)
    install("wreck", Old)
    assert open_session("acme").hardware.name == "acme"


def said(word):
    return hookimpl(lambda self: (Check(name=word, ok=True, detail=""),))


class Base(Acme):
    htvm_doctor = said("base")


class Middle(Target):
    extends: ClassVar[tuple[str, ...]] = ("base",)
    htvm_doctor = said("middle")


class Top(Target):
    extends: ClassVar[tuple[str, ...]] = ("middle", "base")
    htvm_doctor = said("top")


class Override:
    htvm_doctor = said("override")


def test_nearest_answers_first(install):
    install("base", Base)
    install("middle", Middle)
    install("top", Top)
    session = open_session("top", overrides=[Override()])
    assert [check.name for check in session.checks()] == ["override", "top", "middle", "base"]
    assert isinstance(session.hardware, Hardware)


def test_sessions_do_not_see_each_other():
    open_session(Acme, overrides=[Override()])
    assert open_session(Acme).checks() == ()


class Failing:
    @hookimpl
    def htvm_tilings(self, layer, offers, hardware):
        raise ZeroDivisionError("no tiles")


class Babbling:
    @hookimpl
    def htvm_tilings(self, layer, offers, hardware):
        return 42


class Dear:
    @hookimpl
    def htvm_cost(self, layer, tiling, hardware):
        return Cost(total=7, compute=7)


def layer_and_offers():
    from htvm.dispatch.candidates import Offers

    net = Builder()
    graph = net.graph(net.conv(net.input("x", (1, 3, 2, 2)), 4, "y"))
    layer = next(one for one in match(graph, open_session(Acme)).layers if one.engine == ENGINE)
    return layer, Offers(inputs=((),))


@pytest.mark.parametrize(
    ("override", "code", "words"),
    [
        (Failing(), "E609", "override 0 failed in htvm_tilings"),
        (Babbling(), "E608", "htvm_tilings"),
    ],
)
def test_failing_hook_is_named(override, code, words):
    session = open_session(Acme, overrides=[override])
    with pytest.raises(PluginError, match=words) as caught:
        session.tilings(*layer_and_offers())
    assert caught.value.code == code


def test_cost_model_can_be_replaced():
    session = open_session(Acme, overrides=[Dear()])
    assert {tiling.cost.total for tiling in session.tilings(*layer_and_offers())} == {7}


def mode_is_slow(chip):
    return chip.engines[ENGINE].parameters["mode"] == "slow"


@pytest.mark.parametrize(
    ("key", "text", "read"),
    [
        ("clock_hz", "2_000", lambda chip: chip.clock_hz == 2000),
        ("memory.spm.size_bytes", "0x800", lambda chip: chip.memories["spm"].size_bytes == 2048),
        (
            f"engine.{ENGINE}.mode",
            "slow",
            lambda chip: chip.engines[ENGINE].parameters["mode"] == "slow",
        ),
        ("engine.cpu.slowness", "3", lambda chip: chip.engines["cpu"].integer("slowness") == 3),
    ],
)
def test_settings_reach_the_hardware(key, text, read):
    assert read(open_session(Acme, settings={key: text}).hardware)


@pytest.mark.parametrize(
    ("key", "text", "code", "words"),
    [
        ("memory.spn.size_bytes", "1", "E141", "memory.spm.size_bytes"),
        ("clock_hz", "fast", "E142", "fast"),
        ("memory.spm.size_bytes", "0", "E142", "0"),
        ("engine.cpu.slowness", "1.5", "E142", "1.5"),
    ],
)
def test_wrong_settings(key, text, code, words):
    with pytest.raises(UsageError) as caught:
        open_session(Acme, settings={key: text})
    assert caught.value.code == code
    assert words in caught.value.hint + caught.value.seen
