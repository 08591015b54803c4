from collections.abc import Callable, Mapping

import pytest

from htvm.ir.graph import Graph, Node, Origin
from htvm.ir.tensor import Tensor

Build = Callable[..., Graph]


@pytest.fixture
def build() -> Build:
    """Makes a graph from its inputs, its nodes with their result tensors, and constants."""

    def make(
        inputs: list[Tensor],
        steps: list[tuple[Node, Tensor]],
        constants: list[Tensor] | None = None,
    ) -> Graph:
        results = [tensor for _, tensor in steps]
        tensors: Mapping[str, Tensor] = {
            tensor.name: tensor for tensor in [*inputs, *results, *(constants or [])]
        }
        return Graph(
            name="net",
            inputs=tuple(tensor.name for tensor in inputs),
            outputs=(results[-1].name,),
            nodes=tuple(node for node, _ in steps),
            tensors=tensors,
            origin=Origin(path="net", format="built"),
        )

    return make
