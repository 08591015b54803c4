"""C sources behind the generated code's calls: the header, its emulation, its device side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files

BEGIN = "htvm_diana_begin({regions}, {count});"
END = "htvm_diana_end();"
CYCLES = "htvm_diana_cycles"
ERROR = "htvm_diana_layer_error"

_JOB = ("htvm_diana_job.h", "htvm_diana_job.c")
_CONFIG = "htvm_diana_config.h"
_EMULATION = (
    *_JOB,
    _CONFIG,
    "htvm_diana_emulator.h",
    "htvm_diana_emulator.c",
    "htvm_diana_memory.c",
    "htvm_diana_transfer.c",
    "htvm_diana_check.c",
    "htvm_diana_compute.c",
)


@dataclass(frozen=True, kw_only=True)
class EmulatedChip:
    """What a build of the emulation may set.

    Attributes:
        l1_bytes: Activation memory; HTVM budgets 256,000 B of the 256 KiB.
        weight_bytes: Digital weight memory; HTVM budgets 64,000 B of the 64 KiB.
        dma_bytes_per_cycle: 16 in MATCH, 8 in ODiMO.
        dma_chunk_cycles: Cycles each contiguous chunk costs besides its bytes (MATCH).
        row_cycles: Cycles each row of 16 x 16 results costs besides its kernel (MATCH).
    """

    l1_bytes: int = 256_000
    weight_bytes: int = 64_000
    dma_bytes_per_cycle: int = 16
    dma_chunk_cycles: int = 70
    row_cycles: int = 23

    def defines(self) -> str:
        """The settings as preprocessor lines."""
        values = {
            "HTVM_DIANA_L1_BYTES": self.l1_bytes,
            "HTVM_DIANA_WEIGHT_BYTES": self.weight_bytes,
            "HTVM_DIANA_DMA_BYTES_PER_CYCLE": self.dma_bytes_per_cycle,
            "HTVM_DIANA_DMA_CHUNK_CYCLES": self.dma_chunk_cycles,
            "HTVM_DIANA_ROW_CYCLES": self.row_cycles,
        }
        return "".join(f"#define {name} {value}\n" for name, value in values.items())


def _texts(names: Iterable[str]) -> dict[str, str]:
    folder = files(__name__)
    return {name: (folder / name).read_text(encoding="utf-8") for name in names}


def headers() -> dict[str, str]:
    """The header generated code includes, by file name."""
    return _texts(["htvm_diana.h"])


def emulation(chip: EmulatedChip | None = None) -> dict[str, str]:
    """The emulation to compile with the network on the user's machine, by file name.

    Args:
        chip: Sizes and speeds other than the usual ones.
    """
    texts = _texts(_EMULATION)
    if chip is not None:
        texts[_CONFIG] = chip.defines() + texts[_CONFIG]
    return texts


def device() -> dict[str, str]:
    """The implementation over DIANA's registers, by file name. It has not run on a board."""
    return _texts((*_JOB, "htvm_diana_device.c"))
