"""The long tail: layers without a hand-made kernel, lowered by TVM. Row-major only."""

from __future__ import annotations

from htvm.api import Cost, Layer, LayerCode, Offers, Tiling, lower_tail, row_major
from htvm_cpu import cycles
from htvm_cpu.host import Host
from htvm_cpu.kernel import UNPRICED, Generated, Kernel


def tilings(layer: Layer, offers: Offers, host: Host) -> tuple[Tiling, ...]:
    """One: row-major throughout."""
    del offers, host
    return (
        Tiling(
            inputs=tuple(row_major(tensor.shape) for tensor in layer.inputs),
            output=row_major(layer.output.shape),
            cost=UNPRICED,
            summary="lowered by TVM",
            scratch_bytes=lower_tail(layer).scratch_bytes,
        ),
    )


def cost(layer: Layer, tiling: Tiling, host: Host) -> Cost:
    """A rough figure: these loops are not calibrated."""
    del tiling
    each = cycles.TAIL_ELEMENT + cycles.pointwise(layer.nodes, host)
    return cycles.priced(layer.output.elements * each)


def generate(layer: Layer, tiling: Tiling, host: Host) -> Generated:
    """What TVM makes of the layer."""
    del tiling
    tail = lower_tail(layer)
    return Generated(
        code=LayerCode(
            body=tail.body,
            helpers=tail.helpers,
            includes=tail.includes,
            size_bytes=cycles.code_bytes(layer.nodes, host),
        ),
        constants=tail.constants,
    )


KERNEL = Kernel(tilings=tilings, cost=cost, generate=generate)
