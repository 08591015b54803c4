"""Emulators to drive."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from diana_bench import Emulator, build_emulation


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    return build_emulation(tmp_path_factory.mktemp("emulation"))


@pytest.fixture
def idle(library):
    """An emulator no session was opened on."""
    return Emulator(library)


@pytest.fixture
def chip(idle):
    """An emulator with an open session."""
    idle.begin()
    return idle


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Build the emulation with other settings; returns an emulator with an open session."""

    def start(**settings):
        emulator = Emulator(build_emulation(tmp_path_factory.mktemp("built"), **settings))
        emulator.begin()
        return emulator

    return start
