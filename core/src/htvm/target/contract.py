"""The arithmetic an engine has, as data.

One statement, read by constraints, ``htvm explain``, the documentation, the exact rewrites and the
calibration. It is written in the hardware TOML as ``[[engine.<name>.contract]]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from htvm.ir.dtype import DType

Granularity = Literal["none", "tensor", "channel"]
Rounding = Literal["floor", "half-up", "half-even", "any"]
Overflow = Literal["wrap", "saturate"]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an engine computes for some kinds of layers, from operands to result.

    ``acc = sum(input * weight) + bias``; then, where there is an ``adc``, ``acc`` is divided by its
    gain and clipped; then ``clip((acc * mul + add) >> shift)`` with the rounding stated.

    Attributes:
        ops: Kinds of layers it holds for: ``"conv2d"``, ``"depthwise"``, ``"dense"``, ``"add"``, ..
        input_types: Element types an operand may have.
        input_range: Values an operand may take, where fewer than the type's.
        weight_range: Values a weight may take; ``(-1, 1)`` is a ternary array.
        zero_points: Whether operands and weights may have zero points.
        bias_bits: Width of the bias; 0 for none.
        accumulator_bits: Width of the accumulator.
        accumulator_overflow: What happens past it.
        adc_range: Clip of the accumulator before requantisation, or None.
        multiplier: Whether there is a multiplier, and for what.
        multiplier_bits: Widths it may have; a negative width is signed.
        shift_range: Least and greatest right shift.
        shift: Whether the shift may differ by channel.
        rounding: Of the shift. ``"any"`` for software that does whatever the network says.
        output_types: Element types of the result; int32 among them says that the raw accumulator
            can be handed out.
        clips: Ranges the result may be clipped to, as ``(lo, hi)``; empty for any.
        pad_value: What padding holds: ``"zero"`` or ``"any"``.
        modes: Requantisation arithmetics taken as they are: ``"shift"``, ``"tflite"``, ..
    """

    ops: tuple[str, ...]
    input_types: tuple[DType, ...]
    input_range: tuple[int, int] | None = None
    weight_range: tuple[int, int] = (-128, 127)
    zero_points: bool = False
    bias_bits: int = 32
    accumulator_bits: int = 32
    accumulator_overflow: Overflow = "wrap"
    adc_range: tuple[int, int] | None = None
    multiplier: Granularity = "none"
    multiplier_bits: tuple[int, ...] = ()
    shift_range: tuple[int, int] = (0, 31)
    shift: Granularity = "tensor"
    rounding: Rounding = "floor"
    output_types: tuple[DType, ...] = (DType.INT8,)
    clips: tuple[tuple[int, int], ...] = ()
    pad_value: Literal["zero", "any"] = "zero"
    modes: tuple[str, ...] = ("shift",)
