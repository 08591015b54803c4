"""What the benchmarks of the DIANA target share."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.networks import models_folder
from htvm.api import Offers
from htvm.errors import UsageError
from htvm.frontend import integerise, read
from htvm.partition.stage import match
from htvm.plugins.session import open_session
from htvm_diana.cycles import Core, core_of
from htvm_diana.problem import Problem
from htvm_diana.rewrites import realisations

NETWORKS = ("resnet8", "vww", "dscnn", "ad")
"""MLPerf Tiny networks there are in DIANA's integer form."""

_SETTINGS: dict[str, dict[str, str]] = {
    "MATCH": {},
    "ODiMO": {
        "engine.digital.cycle_model": "odimo",
        "engine.digital.dma_bytes_per_cycle": "8",
        "engine.digital.dma_chunk_cycles": "0",
    },
}
_ROOT = Path(__file__).resolve().parents[1]


def cores() -> dict[str, Core]:
    """The digital core as each of the two public latency models has it."""
    sessions = {name: open_session("diana", settings=keys) for name, keys in _SETTINGS.items()}
    return {name: core_of(session.hardware) for name, session in sessions.items()}


def problems(network: str) -> Iterator[tuple[str, Problem]]:
    """Layer name and problem, for every way to bring a layer of a network to the digital core."""
    session = open_session("diana")
    path = models_folder() / network / f"{network}_diana_ql.onnx"
    for layer in match(integerise(read(path)), session).layers:
        if layer.engine == "digital":
            offers = Offers(inputs=((),) * len(layer.inputs))
            for one in realisations(layer, offers, session.hardware):
                yield layer.name, one.problem


def enumeration() -> ModuleType:
    """The plain loops the tiler's tests hold it against."""
    path = _ROOT / "plugins" / "htvm-diana" / "tests" / "tiling" / "tiling_enumeration.py"
    spec = util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} is no module")
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def dory_tiles() -> list[Mapping[str, Any]]:
    """What DORY's tiler chose for layers of the digital core, one record a layer.

    Raises:
        UsageError: There is no such file.
    """
    folder = Path(os.environ.get("HTVM_PEERS") or _ROOT.parent / "shared" / "peers")
    path = folder / "dory_diana_tiles.json"
    if not path.is_file():
        raise UsageError(
            f"no tiles of DORY at {path}",
            seen=str(path),
            accepted="a folder with dory_diana_tiles.json",
            hint="set HTVM_PEERS to the folder with the tiles other tilers chose",
        )
    records: list[Mapping[str, Any]] = json.loads(path.read_text())
    return [record for record in records if record["kind"] in {"conv", "dense", "add"}]
