"""Calibration and evaluation inputs of the real networks, in real numbers, never overlapping."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
MFCC_SCALE, MFCC_ZERO = 0.5847029, 83


@dataclass(frozen=True, kw_only=True, eq=False)
class Sets:
    """Inputs of one network.

    Attributes:
        calibration: Samples to calibrate with.
        evaluation: Samples to judge by.
        labels: Classes of the latter; None for a network judged by reconstruction.
    """

    calibration: Floats
    evaluation: Floats
    labels: npt.NDArray[np.int64] | None


def sets(folder: Path, name: str) -> Sets:
    """The sets of one network."""
    return {"resnet8": _resnet8, "vww": _vww, "dscnn": _dscnn, "ad": _ad, "sww": _sww}[name](
        folder / name
    )


@dataclass(frozen=True, kw_only=True)
class Score:
    """How good outputs are.

    Attributes:
        value: Top-1 accuracy in percent; without labels the mean squared error of the
            reconstruction.
        agreement: Samples with the float network's top-1 in percent; without labels the error
            as a multiple of the float network's.
    """

    value: float
    agreement: float


def score(outputs: Floats, found: Sets, wanted: Floats) -> Score:
    """How good outputs are.

    Args:
        outputs: For the evaluation inputs.
        found: Evaluation inputs and labels.
        wanted: The float network's outputs for the same.
    """
    if found.labels is None:
        value = _reconstruction_error(outputs, found)
        return Score(value=value, agreement=value / _reconstruction_error(wanted, found))
    best = outputs.reshape(len(found.labels), -1).argmax(axis=1)
    theirs = wanted.reshape(len(found.labels), -1).argmax(axis=1)
    return Score(
        value=100 * float(np.mean(best == found.labels)),
        agreement=100 * float(np.mean(best == theirs)),
    )


def _reconstruction_error(outputs: Floats, found: Sets) -> float:
    given = found.evaluation.reshape(outputs.shape)
    return float(np.mean((outputs - given) ** 2, dtype=np.float64))


def _resnet8(folder: Path) -> Sets:
    stored = np.load(folder / "cifar10_resnet8.npz")
    return Sets(
        calibration=stored["calib_u8"].astype(np.float32),
        evaluation=stored["test_u8"].astype(np.float32),
        labels=stored["labels"].astype(np.int64),
    )


def _vww(folder: Path) -> Sets:
    calibration = np.load(folder / "coco_vww96_calib.npz")["u8"]
    stored = np.load(folder / "coco_vww96_val.npz")
    return Sets(
        calibration=calibration.astype(np.float32) / np.float32(255),
        evaluation=stored["u8"].astype(np.float32) / np.float32(255),
        labels=stored["labels"].astype(np.int64),
    )


def _dscnn(folder: Path) -> Sets:
    stored = np.load(folder / "kws01_official1000.npz")
    mfcc = (stored["mfcc_int8_nhwc"].astype(np.float32) - MFCC_ZERO) * np.float32(MFCC_SCALE)
    return Sets(calibration=mfcc[:100], evaluation=mfcc[100:], labels=stored["labels"][100:])


def _ad(folder: Path) -> Sets:
    windows = np.load(folder / "ad_samples.npz")["input_float"]
    half = len(windows) // 2
    return Sets(calibration=windows[:half], evaluation=windows[half:], labels=None)


def _sww(folder: Path) -> Sets:
    stored = np.load(folder / "sww_samples.npz")
    third = np.arange(len(stored["labels"])) % 3 == 0
    inputs, labels = stored["input_float"], stored["labels"]
    return Sets(calibration=inputs[third], evaluation=inputs[~third], labels=labels[~third])
