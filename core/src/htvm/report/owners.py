"""Which layer of a report each tensor belongs to."""

from __future__ import annotations

from htvm.deployment import Deployment
from htvm.ir.ops import Reshape, Transpose


def owners(run: Deployment) -> dict[str, str]:
    """The layer that computes each tensor: it writes it, has it inside, or another view of it.

    The inputs stand for themselves.
    """
    if run.dispatch is None:
        return {}
    values = run.dispatch.values
    found = {name: name for name in run.graph.inputs}
    found |= {node.output: step.name for step in run.dispatch.layers for node in step.layer.nodes}
    found |= {values[step.output].tensor.name: step.name for step in run.dispatch.layers}
    for graph in (run.graph, run.dispatch.graph):
        for node in graph.nodes:
            if isinstance(node.op, Reshape | Transpose) and node.inputs[0] in found:
                found[node.output] = found[node.inputs[0]]
    return found
