"""Arithmetic of whole numbers with constants and with each other, exact until Floor."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from htvm.frontend.onnx import moving
from htvm.frontend.onnx.call import Call
from htvm.frontend.onnx.carried_values import Ratio, Whole, as_int32, as_whole, clipped, fits
from htvm.frontend.onnx.functions import bounds
from htvm.frontend.onnx.rational import over_power_of_two
from htvm.frontend.onnx.shaping import axis_after
from htvm.frontend.onnx.values import Known, Shape, Value, View
from htvm.ir import ops
from htvm.ir.dtype import DType
from htvm.ir.requant import Ints


def affine(call: Call) -> Value:
    """Add, Sub, Mul or Div: by a constant, or the sum of two tensors."""
    a, b = call.value(0), call.value(1)
    op = call.node.op
    if isinstance(a, Known) and op in {"Add", "Mul"}:
        a, b = b, a
    if not isinstance(b, Known):
        return _sum(call, a, b)
    value = _as_ratio(call, a)
    if op in {"Mul", "Div"}:
        return _scaled(call, value, b, invert=op == "Div")
    return _shifted(call, value, b, sign=-1 if op == "Sub" else 1)


def _sum(call: Call, a: Value, b: Value) -> Ratio:
    if call.node.op not in {"Add", "Sub"} or isinstance(a, Known):
        raise call.refuse("two computed operands", "a constant, or the Add or Sub of two tensors")
    left, right = as_int32(call, a, 0), as_int32(call, b, 1)
    subtract = call.node.op == "Sub"
    low = left[1] - right[2] if subtract else left[1] + right[1]
    high = left[2] - right[1] if subtract else left[2] + right[2]
    if a.shape != b.shape or not fits(low, high, DType.INT32):
        seen = f"shapes {list(a.shape)} and {list(b.shape)}, sums from {low} to {high}"
        raise call.refuse(seen, "equal shapes and sums that fit 32 bits")
    op = ops.Elementwise(function="sub" if subtract else "add")
    return _from_op(call, op, (left[0], right[0]), a.shape, (low, high))


def _from_op(
    call: Call, op: ops.Op, inputs: tuple[str, ...], shape: Shape, span: tuple[int, int]
) -> Ratio:
    return Ratio(
        shape=shape,
        node=call.name,
        name=call.output,
        op=op,
        inputs=inputs,
        job=(call.name, call.builder.fresh_tensor(call.output)),
        told=(call.name,),
        acc_shape=shape,
        channels=None,
        mul=np.ones(1, np.int64),
        add=np.zeros(1, np.int64),
        divisor=1,
        least=np.array(span[:1], np.int64),
        most=np.array(span[1:], np.int64),
    )


def _as_ratio(call: Call, value: Value) -> Ratio:
    """Something that constants can still be folded into."""
    if isinstance(value, Ratio) and not value.floored:
        return value
    whole = as_whole(call, value)
    job = call.builder.fresh_tensor(f"{whole.name}_int32")
    inner = replace(call, node=replace(call.node, outputs=(job,)))
    opened = _from_op(
        inner,
        ops.Cast(out=DType.INT32),
        (whole.tensor,),
        whole.shape,
        (whole.least, whole.most),
    )
    node = call.builder.fresh_node(f"{call.name}_in0")
    return replace(opened, job=(node, job), sources=whole.sources)


def _scaled(call: Call, value: Ratio, constant: Known, *, invert: bool) -> Ratio:
    value, factors, common = _factors(call, value, constant)
    if invert:
        value, factors, common = _inverse(call, value, factors, common)
    bounded = value.lower is not None or value.upper is not None
    if bounded and (factors.size > 1 or factors[0] <= 0):
        raise call.refuse("a factor of clipped values", "one positive factor after a Clip")
    ratio_of_bounds = Fraction(int(factors[0]), common)
    least, most = value.extremes()
    if max(abs(least), abs(most)) * int(np.abs(factors).max()) >= 2**63:
        raise call.refuse(f"products of {least} to {most}", "products that fit 64 bits")
    return replace(
        value,
        mul=value.mul * factors,
        add=value.add * factors,
        divisor=value.divisor * common,
        lower=None if value.lower is None else value.lower * ratio_of_bounds,
        upper=None if value.upper is None else value.upper * ratio_of_bounds,
        node=call.name,
        name=call.output,
        sources=(*value.sources, call.name),
    )


def _inverse(call: Call, value: Ratio, factors: Ints, common: int) -> tuple[Ratio, Ints, int]:
    """Dividing by ``factors / common`` as multiplying by integers over one whole number."""
    if int(factors.min()) <= 0:
        raise call.refuse(f"a divisor of {int(factors.min())}", "divisors above 0")
    whole = int(np.lcm.reduce(factors))
    if whole >= 2**62:
        raise call.refuse("divisors without a small common multiple", "powers of two")
    return value, (whole // factors) * common, whole


def _shifted(call: Call, value: Ratio, constant: Known, *, sign: int) -> Ratio:
    value, summands, common = _factors(call, value, constant)
    if value.lower is not None or value.upper is not None:
        raise call.refuse("a summand of clipped values", "Add before Clip")
    least, most = value.extremes()
    room = max(abs(least), abs(most)) * common + int(np.abs(summands).max()) * value.divisor
    if room >= 2**63:
        raise call.refuse(f"sums up to {room}", "sums that fit 64 bits")
    return replace(
        value,
        mul=value.mul * common,
        add=value.add * common + sign * summands * value.divisor,
        divisor=value.divisor * common,
        node=call.name,
        name=call.output,
        sources=(*value.sources, call.name),
    )


def _factors(call: Call, value: Ratio, constant: Known) -> tuple[Ratio, Ints, int]:
    """A constant as integers over a power of two, one for all or one for each channel."""
    exact = over_power_of_two(constant.real)
    if exact is None:
        seen = f"constant {constant.name!r} is not a fraction of 62 bits"
        raise call.refuse(seen, "whole numbers, or fractions by a power of two")
    integers, common = exact
    if integers.size == 1 or bool((integers == integers.flat[0]).all()):
        return value, integers.reshape(-1)[:1], common
    axis = _varying(call, value, constant)
    if value.channels not in {None, axis}:
        raise call.refuse(f"constants along axis {axis}", "constants along the channels")
    return replace(value, channels=axis), integers.reshape(-1), common


def _varying(call: Call, value: Ratio, constant: Known) -> int:
    """The axis of the accumulator along which a constant varies."""
    padded = (1,) * (len(value.shape) - len(constant.shape)) + constant.shape
    varying = [axis for axis, extent in enumerate(padded) if extent > 1]
    matches = len(padded) == len(value.shape) and len(varying) == 1
    if not matches or padded[varying[0]] != value.shape[varying[0]]:
        seen = f"constant of shape {list(constant.shape)} on {list(value.shape)}"
        raise call.refuse(seen, "a scalar or one value for each channel")
    axis: int | None = varying[0]
    shapes = [value.acc_shape, *(view.shape for view in value.views)]
    for view, before in zip(reversed(value.views), reversed(shapes[:-1]), strict=True):
        axis = _before(view, before, axis) if axis is not None else None
    if axis is None:
        raise call.refuse("constants along an axis that was reshaped away", "scalar constants")
    return axis


def _before(view: View, before: Shape, axis: int) -> int | None:
    if isinstance(view.op, ops.Transpose):
        return view.op.perm[axis]
    return axis_after(view.shape, before, axis)


def floor_(call: Call) -> Value:
    """Floor: from here on the value is whole."""
    value = call.value(0)
    if not isinstance(value, Ratio):
        return moving.identity(call)
    return replace(
        value,
        floored=True,
        node=call.name,
        name=call.output,
        sources=(*value.sources, call.name),
    )


def clip(call: Call) -> Value:
    """Clip or Relu."""
    value = call.value(0)
    lo, hi = bounds(call) or (-np.inf, np.inf)
    low = Fraction(lo) if np.isfinite(lo) else None
    high = Fraction(hi) if np.isfinite(hi) else None
    if isinstance(value, Whole):
        kept_low = value.least if low is None else max(low, value.least)
        kept_high = value.most if high is None else min(high, value.most)
        if (kept_low, kept_high) == (value.least, value.most):
            return moving.identity(call)
    if low is not None and high is not None and low > high:
        raise call.refuse(f"bounds {lo} to {hi}", "a lower bound not above the upper one")
    return clipped(call, _floored(_as_ratio_or_floored(call, value)), low, high)


def _as_ratio_or_floored(call: Call, value: Value) -> Ratio:
    return value if isinstance(value, Ratio) else replace(_as_ratio(call, value), floored=True)


def _floored(value: Ratio) -> Ratio:
    return replace(value, floored=value.floored or value.divisor == 1)


def cast(call: Call) -> Value:
    """Cast between floats and integers; whole numbers stay what they are."""
    from onnx import TensorProto

    value, to = call.value(0), call.integer("to", 0)
    if to in {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16}:
        return moving.identity(call)
    whole = as_whole(call, value)
    name = TensorProto.DataType.Name(to).lower()
    if not name.strip("u").startswith("int"):
        raise call.refuse(f"a cast to {name}", "casts between floats and integers")
    info = np.iinfo(name)
    if whole.least < info.min or whole.most > info.max:
        raise call.refuse(f"values from {whole.least} to {whole.most}", f"values that fit {name}")
    return replace(whole, sources=(*whole.sources, call.name))
