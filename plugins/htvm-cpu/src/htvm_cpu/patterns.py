"""What the processor takes: every op of the integer graph, alone or with its requantisation."""

from __future__ import annotations

from htvm.api import (
    ANY,
    COMPUTED,
    CONSTANT,
    Constraint,
    DType,
    Hardware,
    Layer,
    Pattern,
    Template,
    ops,
)
from htvm_cpu.pointwise import REQUANTS, UNARY

ENGINE = "cpu"

_MOST_JOINED = 8


def _constant_weights(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    node = layer.nodes[0]
    computed = [name for name in node.inputs[1:] if not layer.tensors[name].is_constant]
    return f"{computed[0]!r} is computed" if computed else None


def _matrices(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    shapes = [layer.tensors[name].shape for name in layer.nodes[0].inputs]
    return None if all(len(shape) >= 2 for shape in shapes) else f"shapes are {shapes}"


def _images(layer: Layer, hardware: Hardware) -> str | None:
    del hardware
    shape = layer.inputs[0].shape
    return None if len(shape) == 4 and shape[0] == 1 else f"shape is {shape}"


def _accumulators(layer: Layer, hardware: Hardware) -> str | None:
    """Requantising belongs to the layer that sums: int32 tensors between layers are large."""
    del hardware
    outside = {tensor.name for tensor in layer.inputs if tensor.dtype is DType.INT32}
    for node in layer.nodes:
        if isinstance(node.op, REQUANTS) and outside.intersection(node.inputs):
            return f"{node.name!r} requantises an accumulator"
    return None


def _widening(layer: Layer, hardware: Hardware) -> str | None:
    """Widening belongs to the layer that reads: what lies between layers should be small."""
    del hardware
    last = layer.nodes[-1]
    before, after = layer.tensors[last.inputs[0]].dtype, layer.output.dtype
    if after.size_bytes <= before.size_bytes:
        return None
    return f"{last.name!r} turns {before} into {after}"


def _served_by_tail(layer: Layer, hardware: Hardware) -> str | None:
    """The tail is for what every hand-made pattern turns down."""
    checks = {
        ops.Conv2d: (_constant_weights, _images),
        ops.Dense: (_constant_weights,),
        ops.MatMul: (_matrices,),
    }.get(type(layer.nodes[0].op), (_images,))
    turned_down = any(check(layer, hardware) is not None for check in checks)
    return None if turned_down else "a hand-made one does"


WEIGHTS = Constraint(text="weights and bias are constant", check=_constant_weights)
MATRICES = Constraint(text="both operands have two axes or more", check=_matrices)
IMAGES = Constraint(text="the image has the shape (1, C, H, W)", check=_images)
OWN_SUMS = Constraint(text="accumulators are requantised where they are made", check=_accumulators)
NARROW = Constraint(text="the last op makes elements no larger", check=_widening)
TAIL = Constraint(text="no hand-made kernel serves it", check=_served_by_tail)


def _family(
    name: str,
    op: tuple[type[ops.Op], ...],
    inputs: tuple[str, ...],
    description: str,
    *constraints: Constraint,
    sums: bool = False,
) -> tuple[Pattern, ...]:
    """An op alone, with one element-wise op behind it, and with two."""
    alone = Template(ops=op, inputs=inputs, capture=name)
    once = Template(ops=REQUANTS if sums else UNARY, inputs=(alone,), capture="tail")
    twice = Template(ops=UNARY, inputs=(once,))
    follower = "requant" if sums else "map"
    roots = (
        (name, alone, description),
        (f"{name}_{follower}", once, f"{description}, requantised or mapped"),
        (f"{name}_{follower}_map", twice, f"{description}, requantised and mapped"),
    )
    return tuple(
        Pattern(
            name=full,
            engine=ENGINE,
            root=root,
            constraints=constraints if root is alone else (*constraints, NARROW),
            description=text,
        )
        for full, root, text in roots
    )


def _float_products() -> tuple[Pattern, ...]:
    """A product in floats, perhaps of a function of bytes, with up to two ops behind it."""
    before = Template(ops=(ops.Lut,), inputs=(COMPUTED,), optional=True)
    kinds: tuple[tuple[str, type[ops.Op], str, tuple[Constraint, ...]], ...] = (
        ("float_conv2d", ops.FloatConv2d, "2-D convolution in float32", (IMAGES,)),
        ("float_dense", ops.FloatDense, "fully connected layer in float32", ()),
    )
    found = []
    for name, kind, text, constraints in kinds:
        alone = Template(ops=(kind,), inputs=(before, CONSTANT), capture=name)
        once = Template(ops=UNARY, inputs=(alone,), capture="tail")
        twice = Template(ops=UNARY, inputs=(once,))
        for suffix, root in (("", alone), ("_map", once), ("_map_map", twice)):
            pattern = Pattern(
                name=name + suffix,
                engine=ENGINE,
                root=root,
                constraints=constraints,
                description=f"{text}, of floats or bytes, the result mapped or quantised",
            )
            found.append(pattern)
    return tuple(found)


def _elementwise() -> tuple[Pattern, ...]:
    """Two operands, each with an op before them, and up to two behind."""
    before = Template(ops=UNARY, inputs=(ANY,), optional=True)
    alone = Template(ops=(ops.Elementwise,), inputs=(before, before), capture="elementwise")
    once = Template(ops=UNARY, inputs=(alone,))
    twice = Template(ops=UNARY, inputs=(once,))
    roots = (("elementwise", alone), ("elementwise_map", once), ("elementwise_map_map", twice))
    return tuple(
        Pattern(
            name=name,
            engine=ENGINE,
            root=root,
            constraints=(OWN_SUMS,),
            description="add, sub, mul, div, min or max, operands rescaled, result requantised",
        )
        for name, root in roots
    )


def _maps() -> tuple[Pattern, ...]:
    once = Template(ops=UNARY, inputs=(COMPUTED,))
    twice = Template(ops=UNARY, inputs=(once,))
    text = "requantise, quantise, dequantise, clip, cast or look up"
    return (
        Pattern(name="map", engine=ENGINE, root=once, description=text),
        Pattern(
            name="map_map",
            engine=ENGINE,
            root=twice,
            constraints=(OWN_SUMS,),
            description=f"{text}, twice",
        ),
    )


def _moves() -> tuple[Pattern, ...]:
    """Concat reads any number of tensors, one template for each count."""
    pad = Template(ops=(ops.Pad,), inputs=(COMPUTED,))
    cut = Template(ops=(ops.Slice,), inputs=(COMPUTED,))
    joined = (
        Pattern(
            name=f"concat{count}",
            engine=ENGINE,
            root=Template(ops=(ops.Concat,), inputs=(COMPUTED,) * count),
            description=f"{count} tensors joined along an axis",
        )
        for count in range(1, _MOST_JOINED + 1)
    )
    return (
        Pattern(name="pad", engine=ENGINE, root=pad, description="padding of any axis"),
        Pattern(name="slice", engine=ENGINE, root=cut, description="part of a tensor, with steps"),
        *joined,
    )


def _tail() -> tuple[Pattern, ...]:
    kinds = (ops.Conv2d, ops.Dense, ops.MatMul, ops.MaxPool2d, ops.SumPool2d, ops.AvgPool2d)
    root = Template(ops=kinds, inputs=(ANY, ANY, ANY))
    text = "weights that are computed, batches: lowered by TVM"
    return (Pattern(name="tail", engine=ENGINE, root=root, constraints=(TAIL,), description=text),)


PATTERNS: tuple[Pattern, ...] = (
    *_family(
        "conv2d",
        (ops.Conv2d,),
        (COMPUTED, CONSTANT),
        "2-D convolution of any kernel, stride, padding, dilation and groups",
        WEIGHTS,
        IMAGES,
        sums=True,
    ),
    *_family(
        "dense", (ops.Dense,), (COMPUTED, CONSTANT), "fully connected layer", WEIGHTS, sums=True
    ),
    *_family(
        "matmul",
        (ops.MatMul,),
        (COMPUTED, COMPUTED),
        "product of two computed tensors",
        MATRICES,
        sums=True,
    ),
    *_family("sum_pool", (ops.SumPool2d,), (COMPUTED,), "sum over windows", IMAGES, sums=True),
    *_family("reduce_sum", (ops.ReduceSum,), (COMPUTED,), "sum over axes", sums=True),
    *_family("avg_pool", (ops.AvgPool2d,), (COMPUTED,), "TFLite's average pool", IMAGES),
    *_family("max_pool", (ops.MaxPool2d,), (COMPUTED,), "maximum over windows", IMAGES),
    *_family(
        "softmax",
        (ops.SoftmaxTable, ops.SoftmaxTflite, ops.QLinearSoftmax),
        (COMPUTED,),
        "softmax by the source's own definition",
    ),
    *_float_products(),
    *_elementwise(),
    *_maps(),
    *_moves(),
    *_tail(),
)
