"""Integer networks put together by hand, and the way through the whole pipeline for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from htvm.deployment import Deployment, Request, VerifyOptions
from htvm.dispatch.plan import LayerStep
from htvm.errors import HtvmError
from htvm.ir import ops, requant
from htvm.ir.dtype import DType
from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.tensor import Tensor, constant
from htvm.pipeline import run_graph

Ints = npt.NDArray[np.int64]
Pads = tuple[int, int, int, int]
INT32_GREATEST = 2**31 - 1


def shift_by(
    shift: int,
    *,
    relu: bool = False,
    mul: npt.ArrayLike = 1,
    add: npt.ArrayLike = 0,
    lo: int = -128,
    hi: int = 127,
) -> requant.ShiftRequant:
    """The digital core's requantisation; per channel where ``mul`` or ``add`` is a list."""
    factors, addends = (np.atleast_1d(np.asarray(value, np.int64)) for value in (mul, add))
    return requant.ShiftRequant(
        out=DType.INT8,
        lo=max(lo, 0) if relu else lo,
        hi=hi,
        axis=1 if max(factors.size, addends.size) > 1 else None,
        mul=factors,
        add=addends,
        shift=np.array([shift]),
    )


def weights_for(rng: np.random.Generator, shape: tuple[int, ...], shift: int) -> Ints:
    """Random int8 weights so small that, shifted, not all results saturate."""
    taps = prod(shape[1:])
    reach = int(np.clip(2.0 ** (shift + 6) / (40 * np.sqrt(taps)), 1, 127))
    return rng.integers(-reach - 1, reach + 1, shape)


def bias_for(rng: np.random.Generator, outputs: int, shift: int) -> Ints:
    """A bias for each channel that moves results about, and no accumulator out of int32."""
    reach = min(2 ** (shift + 6), INT32_GREATEST - 2**27)
    return rng.integers(-reach, reach + 1, outputs)


@dataclass(kw_only=True, eq=False)
class Network:
    """A network being put together. Tensors nothing reads become its outputs."""

    name: str = "proof"
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)

    def graph(self) -> Graph:
        """The network so far."""
        read = {name for node in self.nodes for name in node.inputs}
        return Graph(
            name=self.name,
            inputs=tuple(self.inputs),
            outputs=tuple(node.output for node in self.nodes if node.output not in read),
            nodes=tuple(self.nodes),
            tensors=dict(self.tensors),
            origin=Origin(path=self.name, format="built"),
        )

    def input(self, *shape: int) -> str:
        """Another int8 input of the caller's."""
        name = f"input{len(self.inputs)}"
        self.inputs.append(name)
        return self._tensor(name, (1, *shape))

    def shape(self, tensor: str) -> tuple[int, ...]:
        """A tensor's shape without the batch."""
        return self.tensors[tensor].shape[1:]

    def conv(
        self,
        name: str,
        x: str,
        weights: npt.ArrayLike,
        end: requant.Requant,
        *,
        bias: npt.ArrayLike | None = None,
        stride: int = 1,
        pad: Pads = (0, 0, 0, 0),
        groups: int = 1,
    ) -> str:
        """A convolution with weights OIHW; gives its result's name."""
        table = constant(f"{name}_w", weights, DType.INT8)
        outputs, _, rows, columns = table.shape
        _, height, width = self.shape(x)
        shape = (
            outputs,
            (height + pad[0] + pad[2] - rows) // stride + 1,
            (width + pad[1] + pad[3] - columns) // stride + 1,
        )
        op = ops.Conv2d(stride=(stride, stride), pad=pad, groups=groups)
        operands = [x, self._constant(table)]
        if bias is not None:
            operands.append(self._constant(constant(f"{name}_b", bias, DType.INT32)))
        sums = self._node(name, op, operands, f"{name}_sums", shape, DType.INT32)
        return self._node(f"{name}_end", end, [sums], f"{name}_out", shape, end.out)

    def dense(
        self,
        name: str,
        x: str,
        weights: npt.ArrayLike,
        end: requant.Requant,
        *,
        bias: npt.ArrayLike | None = None,
    ) -> str:
        """A dense layer with weights ``(N, C)``; an image is flattened first."""
        table = constant(f"{name}_w", weights, DType.INT8)
        outputs, length = table.shape
        if len(self.shape(x)) > 1:
            flat = ops.Reshape(shape=(1, length))
            x = self._node(f"{name}_flat", flat, [x], f"{name}_in", (length,), DType.INT8)
        operands = [x, self._constant(table)]
        if bias is not None:
            operands.append(self._constant(constant(f"{name}_b", bias, DType.INT32)))
        sums = self._node(name, ops.Dense(), operands, f"{name}_sums", (outputs,), DType.INT32)
        return self._node(f"{name}_end", end, [sums], f"{name}_out", (outputs,), end.out)

    def add(self, name: str, a: str, b: str, end: requant.Requant) -> str:
        """The sum of two tensors of one shape."""
        shape = self.shape(a)
        wide = [
            self._node(f"{name}_{side}", ops.Cast(out=DType.INT32), [x], f"{name}_{side}", shape)
            for side, x in (("left", a), ("right", b))
        ]
        total = ops.Elementwise(function="add")
        sums = self._node(f"{name}_sum", total, wide, f"{name}_sums", shape)
        return self._node(name, end, [sums], f"{name}_out", shape, end.out)

    def requantise(self, name: str, x: str, end: requant.Requant) -> str:
        """A requantisation by itself."""
        return self._node(name, end, [x], f"{name}_out", self.shape(x), end.out)

    def _node(
        self,
        name: str,
        op: ops.Op,
        inputs: list[str],
        output: str,
        shape: tuple[int, ...],
        dtype: DType = DType.INT32,
    ) -> str:
        self.nodes.append(Node(name=name, op=op, inputs=tuple(inputs), output=output))
        return self._tensor(output, (1, *shape), dtype)

    def _tensor(self, name: str, shape: tuple[int, ...], dtype: DType = DType.INT8) -> str:
        self.tensors[name] = Tensor(name=name, shape=shape, dtype=dtype)
        return name

    def _constant(self, tensor: Tensor) -> str:
        self.tensors[tensor.name] = tensor
        return tensor.name


def deploy(
    network: Network | Graph,
    *,
    settings: Mapping[str, str] | None = None,
    pins: Mapping[str, str] | None = None,
    upto: str = "verify",
    random: int = 2,
    extreme: bool = True,
    sanitize: bool = False,
) -> Deployment:
    """A network through every stage for DIANA, the comparison with the reference included."""
    graph = network.graph() if isinstance(network, Network) else network
    verify = VerifyOptions(random=random, extreme=extreme, sanitize=sanitize, required=True)
    request = Request(
        path=Path(graph.name),
        target="diana",
        settings=settings or {},
        pins=pins or {},
        verify=verify,
        upto=upto,
    )
    try:
        return run_graph(graph, request)
    except HtvmError as error:
        error.add_note(f"seen: {error.seen}")
        raise


def prove(network: Network, *on_digital: str, **options: object) -> Deployment:
    """Deploy with layers pinned to the digital core, with sanitizers; all must be bit-exact."""
    pins = dict.fromkeys(on_digital, "digital")
    done = deploy(network, pins=pins, sanitize=True, **options)  # type: ignore[arg-type]
    assert_exact(done)
    for name in on_digital:
        assert step_of(done, name).engine == "digital"
    return done


def assert_exact(done: Deployment) -> None:
    """Every element of every layer was compared, and none differs."""
    assert done.verification is not None
    assert done.verification.first_divergence is None
    assert done.verification.elements > 0


def step_of(done: Deployment, name: str) -> LayerStep:
    """The step of a layer."""
    assert done.dispatch is not None
    (found,) = (step for step in done.dispatch.layers if step.name == name)
    return found
