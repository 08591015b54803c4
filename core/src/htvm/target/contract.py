"""The arithmetic an engine has, as data.

One statement, read by constraints, ``htvm explain``, the documentation, the exact rewrites and the
calibration. It is written in the hardware TOML as ``[[engine.<name>.contract]]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from htvm.ir.dtype import DType

Granularity = Literal["none", "tensor", "channel"]
Rounding = Literal["floor", "half-up", "any"]
Overflow = Literal["wrap", "saturate"]
Mode = Literal["shift", "mulshift31", "tflite", "f32", "f32_emul"]
Range = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What an engine computes for some kinds of layers, from operands to result.

    ``acc = sum(input * weight)``; then, where there is an ``adc``, ``acc`` is divided by its gain,
    a power of two, and clipped; then ``clip((acc * mul + bias) >> shift)`` with the rounding
    stated. An engine without a multiplier has ``mul = 1``.

    Attributes:
        ops: Kinds of layers it holds for: ``"conv2d"``, ``"depthwise"``, ``"dense"``, ``"add"``, ..
        input_types: Element types an operand may have.
        input_range: Values an operand may take, where fewer than the type's.
        weight_types: Element types a weight may have.
        weight_range: Values a weight may take; ``(-1, 1)`` is a ternary array.
        zero_points: Whether operands and weights may have zero points.
        bias_bits: Width of the signed bias; 0 for none.
        accumulator_bits: Width of the signed accumulator.
        product_bits: Width of ``acc * mul + bias`` before the shift.
        accumulator_overflow: What happens past either width. Never made use of: a layer is taken
            when its range is proved to stay inside.
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
    input_range: Range | None = None
    weight_types: tuple[DType, ...] = (DType.INT8,)
    weight_range: Range = (-128, 127)
    zero_points: bool = False
    bias_bits: int = 32
    accumulator_bits: int = 32
    product_bits: int = 32
    accumulator_overflow: Overflow = "wrap"
    adc_range: Range | None = None
    multiplier: Granularity = "none"
    multiplier_bits: tuple[int, ...] = ()
    shift_range: Range = (0, 31)
    shift: Granularity = "tensor"
    rounding: Rounding = "floor"
    output_types: tuple[DType, ...] = (DType.INT8,)
    clips: tuple[Range, ...] = ()
    pad_value: Literal["zero", "any"] = "zero"
    modes: tuple[Mode, ...] = ("shift",)

    @property
    def raw(self) -> bool:
        """Whether the accumulator itself can be handed out."""
        return DType.INT32 in self.output_types

    @property
    def obliging(self) -> bool:
        """Whether requantisation is computed as the network says, whatever it says."""
        return self.rounding == "any"

    @property
    def multiplier_range(self) -> Range:
        """Values a multiplier may take; ``(1, 1)`` where there is none."""
        if self.multiplier == "none":
            return 1, 1
        spans = [signed_range(-b) if b < 0 else (0, 2**b - 1) for b in self.multiplier_bits]
        return min(lo for lo, _ in spans), max(hi for _, hi in spans)


def signed_range(bits: int) -> Range:
    """Values of a signed integer of ``bits`` bits; none but 0 for width 0."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if bits else (0, 0)
