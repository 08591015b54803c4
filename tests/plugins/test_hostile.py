"""Ten plug-ins that break what they can: named, and no harm to any other target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import fakes
import pytest
from fakes import CHIP
from running import python
from shell import DIGITS, Outcome

HANGS = """
    @hookimpl
    def htvm_doctor(self):
        import time
        time.sleep(1000)
"""
WRONG = """
    @hookimpl
    def htvm_patterns(self, hardware):
        return [None]
"""
NEWER = """
    api_version: ClassVar = "1.7"
"""
PRINTS = """
    @hookimpl
    def htvm_patterns(self, hardware):
        import os, subprocess, sys
        print("[1, 2")
        sys.stdout.write("}")
        os.write(1, b"]]]")
        subprocess.run(["echo", "{{{"])
        return ()
"""
PACKAGED_TOML = b'extends = "cpu"\ndescription = "\xff\xfe"\n'
MARK = "\nimport pathlib; pathlib.Path(__file__).with_name('imported').touch()\n"
MANY = "".join(f"many{number} = htvm_enormous:Chip\n" for number in range(3000))

HOSTILE = {
    "raises": ({"source": "raise BaseException('no')"}, "E602", "BaseException: no"),
    "exits": ({"source": "import sys; sys.exit(3)"}, "E602", "SystemExit: 3"),
    "dies": ({"source": "import os; os._exit(3)"}, "E619", "exit status 3"),
    "hangs": ({"source": CHIP + HANGS}, "E618", "no answer within"),
    "wrong": ({"source": CHIP + WRONG}, "E608", "list"),
    "needs": (
        {"source": CHIP + MARK, "requires": ("htvm-core", "no-such-package>=4")},
        "E616",
        "no-such-package is not installed",
    ),
    "claims": ({"target": "diana"}, "E601", "htvm-claims 2.5, htvm-diana"),
    "newer": ({"source": CHIP + NEWER}, "E604", "1.7"),
    "newer-core": ({"source": CHIP + MARK, "requires": ("htvm-core>=7",)}, "E616", "htvm-core 0"),
    "enormous": (
        {"entry_points": f"[htvm.targets]\n{MANY}", "description": "words " * 4_000_000},
        "E617",
        "3,000 targets",
    ),
    "endless-entry": ({"entry": "m" * 3_000_000 + ":Chip"}, "E617", "3,000,"),
    "undecodable": ({"entry": "htvm_undecodable:board.toml"}, "E610", "utf-8"),
}


@dataclass(frozen=True)
class Ordeal:
    """What the command line said with all of them installed at once.

    Attributes:
        owners: Distribution and version of each.
        listed: Rows of ``htvm targets -v``.
        checked: Checks of ``htvm doctor``.
        deployed: A deploy to a target that is none of them.
        imported: Whether one was imported whose requirements do not hold.
    """

    owners: Mapping[str, str]
    listed: list[dict[str, Any]]
    checked: list[dict[str, Any]]
    deployed: Outcome
    imported: bool


@pytest.fixture(scope="module")
def ordeal(tmp_path_factory):
    site = tmp_path_factory.mktemp("hostile")
    owners = {name: install_hostile(site, name) for name in HOSTILE}
    patience = {"HTVM_PLUGIN_TIMEOUT": "8", "HTVM_CACHE": str(site.parent / "cache")}
    plain = python(site, "-m", "htvm.cli.main", "targets", env=patience)
    assert plain.code == 0, plain.err
    listed = python(site, "-m", "htvm.cli.main", "targets", "-v", "--json", env=patience)
    assert listed.code == 0, listed.err
    assert len(listed.out) < 100_000
    checked = python(site, "-m", "htvm.cli.main", "doctor", "--json", env=patience)
    assert checked.code == 6
    deploy = ("-m", "htvm.cli.main", "deploy", DIGITS, "-t", "cpu", "-o", site.parent / "out")
    return Ordeal(
        owners=owners,
        listed=listed.document["targets"],
        checked=checked.document["checks"],
        deployed=python(site, *deploy, "--random", 1, env=patience),
        imported=(site / "imported").exists(),
    )


def install_hostile(site, name):
    module = name.replace("-", "_")
    options = dict(HOSTILE[name][0])
    if name == "undecodable":
        folder = site / "htvm_undecodable"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "board.toml").write_bytes(PACKAGED_TOML)
        options["source"] = None
    return fakes.install(site, module, options.pop("source", CHIP), **options)


@pytest.mark.parametrize("name", HOSTILE)
def test_listing_names_the_culprit(ordeal, name):
    _, code, words = HOSTILE[name]
    rows = [
        row for row in ordeal.listed if ordeal.owners[name].startswith(row["distribution"] + " ")
    ]
    (error,) = [row["error"] for row in rows]
    assert error["code"] == f"HTVM-{code}"
    assert words in error["seen"]
    assert ordeal.owners[name] in error["message"] + error["seen"]


@pytest.mark.parametrize("name", HOSTILE)
def test_doctor_names_the_culprit(ordeal, name):
    words, owner = HOSTILE[name][2], ordeal.owners[name]
    failed = [check for check in ordeal.checked if not check["ok"]]
    assert any(check["detail"].startswith(owner) and words in check["detail"] for check in failed)


def test_others_are_found_sound(ordeal):
    (cpu,) = [row for row in ordeal.listed if row["name"] == "cpu"]
    assert cpu["error"] is None
    assert any(check["name"] == "target cpu" and check["ok"] for check in ordeal.checked)


def test_others_still_deploy(ordeal):
    assert ordeal.deployed.code == 0, ordeal.deployed.err


def test_nothing_is_imported_whose_requirements_do_not_hold(ordeal):
    assert not ordeal.imported


def test_listing_names_what_metadata_tells(install, htvm):
    owner = install("needs", requires=("numpy>=999",))
    listed = htvm("targets")
    assert listed.code == 0
    assert f"{owner} [HTVM-E616]" in listed.err
    assert "pip install 'numpy>=999'" in listed.err


def test_printing_leaves_the_document_alone(install, process, digits, tmp_path):
    install("chatty", "print('hello')\n" + CHIP + PRINTS)
    command = ("-m", "htvm.cli.main", "deploy", digits, "-t", "chatty", "--json", "--random", 1)
    done = process(*command, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.document["target"]["distribution"] == "htvm-chatty"
    for word in ("hello", "[1, 2", "]]]", "{{{"):
        assert word in done.err
    listed = process("-m", "htvm.cli.main", "targets", "-v", "--json")
    assert all(row["error"] is None for row in listed.document["targets"])


def test_garbled_package_of_somebody_else(install, process, digits, tmp_path):
    install("garbled", entry_points="[console_scripts]\nno equals sign\n")
    done = process("-m", "htvm.cli.main", "deploy", digits, "-t", "cpu", "-o", tmp_path / "out")
    assert done.code == 0, done.err


def test_rival_for_the_host_does_not_take_down_who_requires_it(install, htvm, digits, tmp_path):
    install("rival", target="cpu")
    deployed = htvm("deploy", digits, "-t", "diana", "-o", tmp_path / "out", "--random", 1)
    assert deployed.code == 0, deployed.err
    refused = htvm("deploy", digits, "-t", "cpu", "-o", tmp_path / "other")
    assert refused.code == 7
    assert "htvm-cpu 0.1.0, htvm-rival 2.5" in refused.err


ENDLESS = """
    @hookimpl(wrapper=True)
    def htvm_emit(self, layer):
        from dataclasses import replace
        code = yield
        return replace(code, body=code.body + "\\nfor (volatile int on = 1; on;) { }")
"""


def test_generated_c_that_never_ends_is_blamed_on_its_target(install, htvm, digits, tmp_path):
    install("endless", CHIP + ENDLESS)
    done = htvm("deploy", digits, "-t", "endless", "-o", tmp_path / "out", "--timeout", 1)
    assert done.code == 5
    assert "error[HTVM-E404]" in done.err
    assert "'endless' of htvm-endless 2.5" in done.err
    assert not (tmp_path / "out").exists()
