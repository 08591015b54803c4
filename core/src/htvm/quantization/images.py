"""Folders of images as calibration data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from htvm.errors import UsageError
from htvm.host.inputs import InputSpec
from htvm.ir.graph import Graph
from htvm.quantization.network import Floats

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".ppm", ".pgm", ".bmp"})


def load_images(spec: InputSpec, graph: Graph) -> dict[str, Floats]:
    """Every image in a folder, in order of name, resized to the network's input.

    Pixels are 0 to 255 before the factor and offset of the specification.

    Raises:
        UsageError: Pillow is missing (E152), an image cannot be read, or there is none (E153).
    """
    files = sorted(path for path in Path(spec.path).rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not files or len(graph.inputs) != 1:
        raise UsageError(
            f"{spec.path} does not hold calibration images",
            code="E153",
            seen=f"{len(files)} images for {len(graph.inputs)} inputs",
            accepted=", ".join(sorted(_SUFFIXES)) + "; a network with one input",
        )
    name = graph.inputs[0]
    shape = graph.tensors[name].shape
    last = len(shape) == 4 and shape[3] in {1, 3}
    if len(shape) != 4 or not (last or shape[1] in {1, 3}):
        raise UsageError(
            f"input {name!r} does not take images",
            code="E124",
            seen="x".join(str(extent) for extent in shape),
            accepted="one or three channels, first or last",
        )
    channels, height, width = (shape[3], *shape[1:3]) if last else shape[1:]
    pixels = np.stack([_pixels(path, channels, (width, height)) for path in files])
    if not last:
        pixels = pixels.transpose(0, 3, 1, 2)
    return {name: pixels * np.float32(spec.scale) + np.float32(spec.offset)}


def _pixels(path: Path, channels: int, size: tuple[int, int]) -> Floats:
    try:
        from PIL import Image  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise UsageError(
            "reading images takes Pillow, which is not installed",
            code="E152",
            accepted=".npz and .npy files without it",
            hint="pip install pillow",
        ) from error
    try:
        with Image.open(path) as image:
            turned = image.convert("L" if channels == 1 else "RGB")
            fitted = turned if turned.size == size else turned.resize(size, Image.BILINEAR)
            array = np.asarray(fitted, dtype=np.float32)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path.name} cannot be read as an image",
            code="E153",
            seen=str(error),
            hint="take it out of the folder, or save it again",
        ) from error
    return array.reshape(size[1], size[0], channels)
