"""Tensor protos to numpy arrays, trusting nothing they declare."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from htvm.frontend import refuse
from htvm.ir.tensor import Array

if TYPE_CHECKING:
    from onnx import TensorProto

_TYPES = frozenset(
    {"float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "int64", "bool"}
)


def to_array(tensor: TensorProto, folder: Path) -> Array:
    """The elements of a tensor proto.

    Args:
        tensor: An initializer or the value of an attribute.
        folder: The only place external data may come from.

    Raises:
        UsageError: external data is outside ``folder`` or too short (E105), or the elements do
            not fill the declared shape (E103).
        UnsupportedModelError: an element type that is not taken (E203), a tensor too large
            (E206), a NaN (E205).
    """
    from onnx import TensorProto as Proto
    from onnx import numpy_helper

    shape = tuple(tensor.dims)
    dtype = element_type(tensor.data_type, tensor.name)
    if any(extent < 0 for extent in shape) or prod(shape) > refuse.MAX_ELEMENTS:
        raise refuse.too_large(tensor.name, shape)
    if tensor.data_location == Proto.EXTERNAL:
        array = _external(tensor, dtype, shape, folder)
    else:
        try:
            array = np.asarray(numpy_helper.to_array(tensor))
        except (ValueError, TypeError, MemoryError) as error:
            raise refuse.corrupt(f"tensor {tensor.name!r}", str(error)) from error
    if array.dtype.kind == "f" and bool(np.isnan(array).any()):
        raise refuse.bad_number(f"tensor {tensor.name!r}", "NaN", "finite numbers")
    return array


def element_type(code: int, owner: str) -> str:
    """Numpy's name of an ONNX element type.

    Raises:
        UnsupportedModelError: if it is not one htvm works with.
    """
    from onnx import TensorProto as Proto
    from onnx import helper

    try:
        name = str(np.dtype(helper.tensor_dtype_to_np_dtype(code)))
    except (KeyError, TypeError, ValueError):
        name = ""
    if name not in _TYPES or code == Proto.BFLOAT16:
        known = Proto.DataType.values()
        seen = Proto.DataType.Name(code) if code in known else f"type number {code}"
        raise refuse.unsupported_use(owner, "tensor", seen, ", ".join(sorted(_TYPES)))
    return name


def _external(tensor: TensorProto, dtype: str, shape: tuple[int, ...], folder: Path) -> Array:
    fields = {entry.key: entry.value for entry in tensor.external_data}
    location = fields.get("location", "")
    file = _inside(folder, location, tensor.name)
    size_bytes = prod(shape) * np.dtype(dtype).itemsize
    try:
        offset = int(fields.get("offset") or 0)
        length = int(fields.get("length") or size_bytes)
    except ValueError as error:
        raise refuse.unsafe_external_data(tensor.name, location, str(error)) from error
    if offset < 0 or length != size_bytes or offset + length > file.stat().st_size:
        seen = f"{length} bytes at {offset} of {file.stat().st_size}, the tensor has {size_bytes}"
        raise refuse.unsafe_external_data(tensor.name, location, seen)
    try:
        with file.open("rb") as stream:
            stream.seek(offset)
            raw = stream.read(length)
    except OSError as error:
        raise refuse.unsafe_external_data(tensor.name, location, str(error)) from error
    return np.frombuffer(raw, dtype=np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)


def _inside(folder: Path, location: str, tensor: str) -> Path:
    """The file of that name below the folder; links that lead out of it are refused."""
    if not location or "\0" in location or Path(location).is_absolute():
        raise refuse.unsafe_external_data(tensor, location, "not a relative path")
    if ".." in location.replace("\\", "/").split("/"):
        raise refuse.unsafe_external_data(tensor, location, "leads out of the folder")
    root = folder.resolve()
    try:
        file = (root / location).resolve()
    except (OSError, RuntimeError) as error:
        raise refuse.unsafe_external_data(tensor, location, str(error)) from error
    if not file.is_relative_to(root):
        raise refuse.unsafe_external_data(tensor, location, "a link out of the folder")
    if not file.is_file():
        raise refuse.unsafe_external_data(tensor, location, "no such file")
    return file
