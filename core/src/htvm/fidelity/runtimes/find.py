"""The runtime of a network file."""

from __future__ import annotations

from collections.abc import Collection

from htvm.fidelity.runtimes.runtime import Runtime
from htvm.frontend.source import Source


def runtime_for(source: Source, wanted: Collection[str], *, carried: bool, mixed: bool) -> Runtime:
    """A runtime with the network loaded.

    Args:
        source: The network.
        wanted: Names of the tensors to show, as far as it can.
        carried: Whether it is ONNX with integers carried in float.
        mixed: Whether it is a quantised network some of whose layers are real.

    Raises:
        RuntimeMissing: It is not installed, or does not take the network.
    """
    if source.format == "tflite":
        from htvm.fidelity.runtimes.tflite import TfliteRuntime

        return TfliteRuntime(source, wanted)
    from htvm.fidelity.runtimes.onnx import OnnxRuntime

    return OnnxRuntime(source, wanted, carried=carried, mixed=mixed)
