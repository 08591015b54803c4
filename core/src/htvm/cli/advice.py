"""What a user can do about layers that accelerators turn down."""

from __future__ import annotations

from collections.abc import Sequence

from htvm.deployment import Deployment
from htvm.dispatch.stage import HOST
from htvm.quantization.scheme import scheme_for
from htvm.report.model import Layer
from htvm.target.conform import REQUANTISATION


def rounding_advice(run: Deployment, layers: Sequence[Layer]) -> list[str]:
    """How to bring layers to an accelerator that does not round as the network does.

    Args:
        run: The deployment, at least up to dispatch.
        layers: Its layers.

    Returns:
        A note; nothing when no layer is kept off by its rounding, or the network was quantised for
        the accelerator already.
    """
    scheme = scheme_for(run.hardware)
    if scheme is None or run.graph.origin.metadata.get("quantized_for") == scheme.engine:
        return []
    kept = sum(_kept_off(layer, scheme.engine) for layer in layers)
    if not kept:
        return []
    count = "1 layer is" if kept == 1 else f"{kept} layers are"
    return [
        f"{count} kept off {scheme.engine} by how this network rounds: htvm deploy --numerics "
        "calibrated --calib SAMPLES quantises it anew for the target, best from the float original"
    ]


def _kept_off(layer: Layer, engine: str) -> bool:
    return layer.engine == HOST and any(
        other.engine == engine and (other.reason or "").startswith(REQUANTISATION)
        for other in layer.alternatives
    )
