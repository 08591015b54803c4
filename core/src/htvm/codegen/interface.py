"""What the network's public header says about its inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.codegen.calls import argument
from htvm.codegen.text import comment_text
from htvm.dispatch.plan import Dispatch
from htvm.ir.tensor import Tensor


@dataclass(frozen=True, kw_only=True)
class Port:
    """An input or output of the network.

    Attributes:
        role: ``"input"`` or ``"output"``.
        name: Name of the argument.
        tensor: The tensor.
    """

    role: str
    name: str
    tensor: Tensor

    @property
    def type(self) -> str:
        """C type of its elements."""
        return self.tensor.dtype.c_name

    @property
    def parameter(self) -> str:
        """As in the run function's head."""
        return f"{'const ' if self.role == 'input' else ''}{self.type} *{self.name}"

    @property
    def macro(self) -> str:
        """Middle of the names of its macros."""
        return self.name.upper()

    @property
    def lines(self) -> tuple[str, ...]:
        """What it holds, for the header's comment."""
        tensor = self.tensor
        shape = " x ".join(map(str, tensor.shape)) or "scalar"
        lines = [f"{self.name}: {tensor.dtype}, {shape}, last axis fastest"]
        lines.append(f"    tensor {comment_text(tensor.name)}")
        if tensor.quantization is not None:
            lines.append(f"    {_meaning(tensor)}")
        return tuple(lines)

    @property
    def scale(self) -> str:
        """Real value of one step as a C literal; empty if it is unknown or per channel."""
        found = self.tensor.quantization
        if found is None or len(found.scale) != 1:
            return ""
        digits = f"{found.scale[0]:.9g}"
        return f"{digits}f" if set(digits) & set(".e") else f"{digits}.0f"

    @property
    def zero_point(self) -> str:
        """The integer that stands for 0, as a C expression."""
        value = self.tensor.quantization.zero_point if self.tensor.quantization else 0
        return f"({value})" if value < 0 else str(value)


def _meaning(tensor: Tensor) -> str:
    found = tensor.quantization
    if found is None or len(found.scale) != 1:
        return "real values by a scale for each channel"
    zero = found.zero_point
    element = f"(element {'-' if zero > 0 else '+'} {abs(zero)})" if zero else "element"
    return f"real value = {found.scale[0]:.9g} * {element}"


def ports(plan: Dispatch) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    """The inputs and the outputs of a network."""
    inputs, outputs = plan.graph.inputs, plan.graph.outputs
    tensors = plan.graph.tensors
    return (
        tuple(
            Port(role="input", name=argument("input", at, len(inputs)), tensor=tensors[name])
            for at, name in enumerate(inputs)
        ),
        tuple(
            Port(role="output", name=argument("output", at, len(outputs)), tensor=tensors[name])
            for at, name in enumerate(outputs)
        ),
    )
