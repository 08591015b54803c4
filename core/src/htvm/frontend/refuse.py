"""The errors of the front ends: one function, and one code, for each kind of refusal."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.errors import UnsupportedModelError, UsageError

MAX_ELEMENTS = 2**31 - 1
"""Elements of the largest tensor taken: addresses in the generated C are 32 bits wide."""


def unreadable(path: object, reason: str) -> UsageError:
    """The file is missing, is a folder, or may not be read."""
    return UsageError(
        f"cannot read {path}",
        code="E101",
        seen=reason,
        accepted="a readable .onnx or .tflite file",
        hint="check the path",
    )


def unknown_format(path: object, seen: str) -> UsageError:
    """The file is neither ONNX nor TFLite."""
    return UsageError(
        f"{path} is not a network htvm can read",
        code="E102",
        seen=seen,
        accepted="ONNX (protobuf) or TFLite (flatbuffer, identifier TFL3)",
        hint="export the network to ONNX or TFLite",
    )


def corrupt(path: object, reason: str) -> UsageError:
    """The file says it is of a known format but cannot be decoded."""
    return UsageError(
        f"{path} is damaged",
        code="E103",
        seen=reason,
        accepted="a complete network file",
        hint="export or download the file again",
    )


def bad_shape_option(name: str, seen: str, accepted: str) -> UsageError:
    """A shape given by the user does not fit the network."""
    return UsageError(
        f"the shape given for {name!r} cannot be used",
        code="E104",
        seen=seen,
        accepted=accepted,
        hint="give --shape NAME=1x3x32x32 with one of the network's inputs",
    )


def unsafe_external_data(tensor: str, location: str, reason: str) -> UsageError:
    """External data lies outside the network's folder, or is not what the network says."""
    return UsageError(
        f"external data of tensor {tensor!r} cannot be used",
        code="E105",
        seen=f"location {location!r}: {reason}",
        accepted="a plain file inside the folder of the network, large enough for the tensor",
        hint="store the weights inside the network file, or beside it",
    )


def float_network(path: object, seen: str) -> UnsupportedModelError:
    """Nothing in the network is quantised."""
    return UnsupportedModelError(
        f"{path} is a float network",
        code="E201",
        seen=seen,
        accepted="int8 networks: ONNX with QDQ or QLinear ops, integer ONNX, int8 TFLite",
        hint="htvm quantize MODEL --target TARGET --calib SAMPLES -o QUANTISED; or in one step: "
        "htvm deploy --numerics calibrated --calib SAMPLES",
    )


def unsupported_op(node: str, op: str, accepted: str) -> UnsupportedModelError:
    """No rule takes this op."""
    return UnsupportedModelError(
        f"node {node!r} has op {op}, which htvm does not take",
        code="E202",
        seen=op,
        accepted=accepted,
        hint="replace the op in the network, or cut the network before it",
    )


def unsupported_use(node: str, op: str, seen: str, accepted: str) -> UnsupportedModelError:
    """The op is known, but not with these attributes, types or shapes."""
    return UnsupportedModelError(
        f"node {node!r} ({op}) cannot be taken as it is",
        code="E203",
        seen=seen,
        accepted=accepted,
        hint="change this node in the network",
    )


def dynamic_shape(tensor: str, seen: str) -> UnsupportedModelError:
    """A dimension other than the batch is not known."""
    return UnsupportedModelError(
        f"tensor {tensor!r} has a shape that is not known",
        code="E204",
        seen=seen,
        accepted="fixed shapes; only the first dimension may be dynamic, and becomes 1",
        hint=f"fix it with --shape {tensor}=...",
    )


def bad_number(owner: str, seen: str, accepted: str) -> UnsupportedModelError:
    """A weight, scale or zero point no network can work with."""
    return UnsupportedModelError(
        f"{owner} holds a number that cannot be used",
        code="E205",
        seen=seen,
        accepted=accepted,
        hint="quantise the network again",
    )


def too_large(tensor: str, shape: tuple[int, ...]) -> UnsupportedModelError:
    """A tensor declares more elements than anything here can hold."""
    return UnsupportedModelError(
        f"tensor {tensor!r} is too large",
        code="E206",
        seen=f"shape {list(shape)}",
        accepted=f"at most {MAX_ELEMENTS} elements",
        hint="check the shapes in the network",
    )


def malformed(path: object, seen: str, accepted: str) -> UnsupportedModelError:
    """The file decodes, but the graph in it makes no sense."""
    return UnsupportedModelError(
        f"the graph in {path} is not well formed",
        code="E207",
        seen=seen,
        accepted=accepted,
        hint="check it with onnx.checker, or export it again",
    )


def several_outputs(path: object, names: Sequence[str]) -> UnsupportedModelError:
    """The network is whole, but returns more than one tensor."""
    return UnsupportedModelError(
        f"{path} does not return one tensor",
        code="E200",
        seen=f"{len(names)} outputs: {', '.join(names)}",
        accepted="a network with one output",
        hint="export the network with the output to deploy and no other",
    )


def integers_already(path: object, seen: str, source: str) -> UnsupportedModelError:
    """The network to quantise carries whole numbers, and does not say what they stand for."""
    return UnsupportedModelError(
        f"{path} is an integer network already",
        code="E200",
        seen=seen,
        accepted="a float network, ONNX with QuantizeLinear and DequantizeLinear, or int8 TFLite",
        hint=f"deploy it as it is, or quantise what it was made from{source and f': {source}'}",
    )
