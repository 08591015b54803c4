"""What the digital core can take from a network."""

from __future__ import annotations

from htvm.api import COMPUTED, CONSTANT, Hardware, Pattern, Template, ops, requant
from htvm_diana import constraints
from htvm_diana.forms import ENGINE

_CONV = Template(ops=(ops.Conv2d,), inputs=(COMPUTED, CONSTANT), capture="conv")
_FLAT = Template(ops=(ops.Reshape,), inputs=(COMPUTED,), capture="flatten", optional=True)
_DENSE = Template(ops=(ops.Dense,), inputs=(_FLAT, CONSTANT), capture="dense")
_WIDE = Template(ops=(ops.Cast, ops.Dequantize, requant.Requant), inputs=(COMPUTED,))
_SCALED = Template(ops=(ops.Elementwise,), inputs=(_WIDE, CONSTANT), optional=True)
_ADD = Template(ops=(ops.Elementwise,), inputs=(_SCALED, _SCALED), capture="add")


def _ended(inner: Template) -> Template:
    """Any way back to eight bits, so that those the core lacks are refused with a reason."""
    return Template(ops=(requant.Requant, ops.Quantize), inputs=(inner,), capture="requant")


def patterns(hardware: Hardware) -> tuple[Pattern, ...]:
    """Every pattern, held to the contracts the hardware states."""
    return (
        Pattern(
            name="conv2d",
            engine=ENGINE,
            root=_ended(_CONV),
            constraints=constraints.of_convolution(hardware),
            description="convolution of any grouping, bias, requantisation, ReLU",
        ),
        Pattern(
            name="dense",
            engine=ENGINE,
            root=_ended(_DENSE),
            constraints=constraints.of_dense(hardware),
            description="matrix product of one vector, or of an image as it lies, "
            "requantisation, ReLU",
        ),
        Pattern(
            name="add",
            engine=ENGINE,
            root=_ended(_ADD),
            constraints=constraints.of_addition(hardware),
            description="sum of two tensors times whole numbers, requantisation, ReLU",
        ),
    )
