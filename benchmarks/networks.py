"""Where the real networks are."""

from __future__ import annotations

import os
from pathlib import Path

from htvm.errors import UsageError

OFFICIAL_INT8 = {
    "resnet8": "pretrainedResnet_quant.tflite",
    "vww": "vww_96_int8.tflite",
    "dscnn": "kws_ref_model.tflite",
    "ad": "ad01_int8.tflite",
    "sww": "str_ww_ref_model.tflite",
}
"""MLPerf Tiny's int8 networks: short name -> TFLite file in the folder of that name."""


def models_folder() -> Path:
    """``HTVM_MODELS``, or ``models`` in a folder ``shared`` beside the repository.

    Raises:
        UsageError: if there is neither.
    """
    beside = Path(__file__).resolve().parents[2] / "shared" / "models"
    folder = Path(os.environ.get("HTVM_MODELS") or beside)
    if not folder.is_dir():
        raise UsageError(
            f"no folder of networks at {folder}",
            seen=str(folder),
            accepted="a folder with one folder a network",
            hint="set HTVM_MODELS to the folder of the MLPerf Tiny networks",
        )
    return folder


def official_int8() -> dict[str, Path]:
    """The official int8 networks by short name."""
    folder = models_folder()
    return {name: folder / name / file for name, file in OFFICIAL_INT8.items()}


def integer_forms() -> dict[str, Path]:
    """The networks whose arithmetic a shift-only engine takes as it is, by short name."""
    folder = models_folder()
    files = {path.parent.name: path for path in sorted(folder.glob("*/*_diana_ql.onnx"))}
    if not files:
        raise UsageError("no integer networks", seen=str(folder), accepted="*/*_diana_ql.onnx")
    return files
