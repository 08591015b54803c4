"""The graph so far, and where each tensor of the file is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Literal

import numpy as np

from htvm.frontend import refuse
from htvm.frontend.source import Source
from htvm.frontend.tflite.model import FileModel, FileTensor
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.ops import Op, Reshape, Transpose
from htvm.ir.tensor import Array, Quantization, Tensor, constant
from htvm.numerics import apply

Form = Literal["plain", "image"]
"""``plain`` is the file's own order; ``image`` is NCHW, for the file's NHWC tensors of rank 4."""

PERMUTATION: Mapping[Form, tuple[int, ...]] = {"image": (0, 3, 1, 2), "plain": (0, 2, 3, 1)}
"""Axes of the other form, in the order in which this form has them."""
_SUFFIX: Mapping[Form, str] = {"image": "_nchw", "plain": "_nhwc"}
_DTYPES = {
    "INT8": DType.INT8,
    "UINT8": DType.UINT8,
    "INT32": DType.INT32,
    "INT64": DType.INT64,
    "FLOAT32": DType.FLOAT32,
}

_MOST_FOLDED = 1 << 24
"""Elements of the largest result computed here, lest a damaged file ask for all the memory."""


class Scope:
    """Grows the integer graph of one file."""

    def __init__(self, source: Source, model: FileModel) -> None:
        self.source = source
        self.model = model
        self._tensors: dict[str, Tensor] = {}
        self._nodes: list[Node] = []
        self._forms: dict[int, dict[Form, str]] = {}
        self._constants: dict[tuple[int, str], str] = {}
        self._reserved = {tensor.name for tensor in model.tensors}

    def tensor(self, name: str) -> Tensor:
        """The graph's tensor of this name."""
        return self._tensors[name]

    def dtype(self, tensor: FileTensor) -> DType:
        """Element type of a tensor of the file.

        Raises:
            UnsupportedModelError: no op of the graph works on this type.
        """
        if tensor.type not in _DTYPES or tensor.unusual:
            raise refuse.unsupported_use(
                tensor.name,
                "tensor",
                f"{tensor.unusual} {tensor.type}".strip(),
                f"plain tensors of {', '.join(_DTYPES)}",
            )
        return _DTYPES[tensor.type]

    def add_input(self, tensor: FileTensor, shape: tuple[int, ...]) -> None:
        """Declare an input of the network."""
        self._put(
            Tensor(
                name=tensor.name,
                shape=shape,
                dtype=self.dtype(tensor),
                quantization=quantization(tensor),
            )
        )
        self._forms[tensor.index] = {"plain": tensor.name}

    def value(self, tensor: FileTensor) -> Array:
        """Elements of a constant, in the file's order.

        Raises:
            UsageError: its bytes are not those of its shape.
            UnsupportedModelError: it is not a constant.
        """
        dtype = self.dtype(tensor)
        if tensor.index in self._forms:
            folded = self._tensors[self.get(tensor, "plain")].value
            if folded is not None:
                return folded
        if tensor.data is None:
            raise refuse.malformed(
                self.source.path,
                f"tensor {tensor.name!r} is read before anything writes it",
                "operators in execution order",
            )
        if tensor.data.size != tensor.elements * dtype.size_bytes:
            raise refuse.corrupt(
                self.source.path,
                f"tensor {tensor.name!r} {list(tensor.shape)} has {tensor.data.size} bytes",
            )
        # A buffer may lie at any offset of the file; the copy aligns it.
        return np.frombuffer(tensor.data.tobytes(), dtype=dtype.numpy).reshape(tensor.shape)

    def is_constant(self, tensor: FileTensor) -> bool:
        """Whether the tensor's elements are known."""
        forms = self._forms.get(tensor.index)
        if forms is None:
            return tensor.data is not None
        return self._tensors[next(iter(forms.values()))].is_constant

    def shape(self, tensor: FileTensor) -> tuple[int, ...]:
        """Shape in the file's order, as the graph computes it."""
        forms = self._forms.get(tensor.index)
        if forms is None:
            return tensor.shape
        if "plain" in forms:
            return self._tensors[forms["plain"]].shape
        shape = self._tensors[forms["image"]].shape
        return tuple(shape[axis] for axis in PERMUTATION["plain"])

    def form(self, tensor: FileTensor) -> Form:
        """The form the tensor is computed in."""
        return next(iter(self._forms.get(tensor.index, {"plain": ""})))

    def get(self, tensor: FileTensor, form: Form) -> str:
        """Name of the graph's tensor that holds ``tensor`` in ``form``, transposed if need be."""
        forms = self._forms.get(tensor.index)
        if forms is None:
            name = self.constant(tensor, "plain", self.value(tensor))
            forms = self._forms.setdefault(tensor.index, {"plain": name})
        if form not in forms:
            forms[form] = self._transposed(tensor, forms, form)
        return forms[form]

    def in_order(self, tensor: FileTensor) -> str:
        """Name of a tensor whose row-major elements are those of ``tensor`` in the file's order."""
        forms = self._forms.get(tensor.index, {})
        if "plain" not in forms and "image" in forms and _same_order(self.shape(tensor)):
            return forms["image"]
        return self.get(tensor, "plain")

    def constant(self, tensor: FileTensor, use: str, value: Array) -> str:
        """Name of a constant made from ``tensor`` for one ``use``, shared by whoever asks again."""
        key = (tensor.index, use)
        if key not in self._constants:
            dtype = DType(value.dtype.name)
            self._constants[key] = self._put(constant(self._fresh(tensor.name), value, dtype))
        return self._constants[key]

    def added(self, wanted: str, value: Array) -> str:
        """Name of a constant that no tensor of the file holds."""
        return self._put(constant(self._fresh(wanted), value, DType(value.dtype.name)))

    def emit(
        self,
        op: Op,
        inputs: Sequence[str],
        *,
        name: str,
        shape: tuple[int, ...],
        dtype: DType,
        source: str,
        meaning: Quantization | None = None,
    ) -> str:
        """Append a node, or its result if that is known; returns the name of its output."""
        fresh = self._fresh(name)
        operands = [self._tensors[key] for key in inputs]
        values = [operand.value for operand in operands if operand.value is not None]
        if len(values) == len(operands) and prod(shape) <= _MOST_FOLDED:
            return self._put(constant(fresh, apply(op, *values), dtype))
        self._put(Tensor(name=fresh, shape=shape, dtype=dtype, quantization=meaning))
        node = Node(name=fresh, op=op, inputs=tuple(inputs), output=fresh, source=(source,))
        self._nodes.append(node)
        return fresh

    def define(
        self,
        tensor: FileTensor,
        op: Op,
        inputs: Sequence[str],
        *,
        shape: tuple[int, ...],
        form: Form,
    ) -> None:
        """Append the node that computes a tensor of the file.

        A network's output is then given in the file's order too, and that is the tensor which
        keeps the name.

        Args:
            tensor: What is computed.
            op: By which op.
            inputs: From which tensors.
            shape: Of the result, in ``form``.
            form: Order of the result's axes.
        """
        is_output = tensor.index in self.model.outputs
        suffix = _SUFFIX[form] if form == "image" and is_output else ""
        name = self.emit(
            op,
            inputs,
            name=tensor.name + suffix,
            shape=shape,
            dtype=self.dtype(tensor),
            source=tensor.name,
            meaning=quantization(tensor),
        )
        self._forms[tensor.index] = {form: name}
        if suffix:
            self.get(tensor, "plain")

    def alias(self, tensor: FileTensor, original: FileTensor) -> None:
        """Let ``tensor`` be another name of ``original``: the op between them does nothing."""
        form = self.form(original)
        name = self.get(original, form)
        if tensor.index in self.model.outputs:
            shape = self.tensor(name).shape
            self.define(tensor, Reshape(shape=shape), (name,), shape=shape, form=form)
        else:
            self._forms[tensor.index] = self._forms[original.index]

    def is_defined(self, tensor: FileTensor) -> bool:
        """Whether something has computed the tensor, or it is an input."""
        return tensor.index in self._forms

    def graph(self, name: str) -> Graph:
        """The finished graph."""
        tensors = self.model.tensors
        inputs = tuple(tensors[index].name for index in self.model.inputs)
        outputs = tuple(self.get(tensors[index], "plain") for index in self.model.outputs)
        used = {*inputs, *(name for node in self._nodes for name in (*node.inputs, node.output))}
        return Graph(
            name=name,
            inputs=inputs,
            outputs=outputs,
            nodes=tuple(self._nodes),
            tensors={name: tensor for name, tensor in self._tensors.items() if name in used},
            origin=Origin(
                path=self.source.file_name,
                format="tflite-int8",
                sha256=self.source.sha256,
                details={"schema": str(self.model.version)},
            ),
        )

    def _transposed(self, tensor: FileTensor, forms: dict[Form, str], form: Form) -> str:
        ((_, original),) = forms.items()
        old = self._tensors[original]
        perm = PERMUTATION[form]
        shape = tuple(old.shape[axis] for axis in perm)
        same = _same_order(self.shape(tensor))
        is_result = form == "plain" and tensor.index in self.model.outputs
        return self.emit(
            Reshape(shape=shape) if same else Transpose(perm=perm),
            (original,),
            name=tensor.name if is_result else tensor.name + _SUFFIX[form],
            shape=shape,
            dtype=old.dtype,
            source=tensor.name,
            meaning=old.quantization,
        )

    def _fresh(self, wanted: str) -> str:
        """A name nobody uses; only the file's own tensors may take the file's names."""
        name, number = wanted, 1
        while name in self._tensors or (number > 1 and name in self._reserved):
            number += 1
            name = f"{wanted}_{number}"
        return name

    def _put(self, tensor: Tensor) -> str:
        if tensor.elements > refuse.MAX_ELEMENTS:
            raise refuse.too_large(tensor.name, tensor.shape)
        if min(tensor.shape, default=1) < 1:
            raise refuse.malformed(
                self.source.path,
                f"tensor {tensor.name!r} of shape {list(tensor.shape)}",
                "extents of at least 1",
            )
        self._tensors[tensor.name] = tensor
        return tensor.name


def quantization(tensor: FileTensor) -> Quantization | None:
    """What the integers of a tensor mean, if the file says so for the whole tensor."""
    if len(tensor.scale) != 1:
        return None
    return Quantization(scale=tensor.scale, zero_point=tensor.zero_point[0])


def _same_order(shape: tuple[int, ...]) -> bool:
    """Whether NHWC and NCHW place every element of an image of this NHWC ``shape`` alike."""
    return shape[3] == 1 or prod(shape[1:3]) == 1
