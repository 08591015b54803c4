import pytest
from diana_layers import add_graph, conv_graph, dense_graph, layer_of, no_offers

from htvm.api import Layer
from htvm_diana.plugin import Diana

DIANA = Diana()
HARDWARE = DIANA.htvm_hardware()


def test_every_number_has_a_source_and_every_dispute_a_note():
    parts = {"memory": HARDWARE.memories, "engine": HARDWARE.engines}
    for key in {**HARDWARE.sources, **HARDWARE.contested}:
        kind, _, rest = key.partition(".")
        assert kind == "clock_hz" or rest.split(".")[0] in parts[kind]
    disputed = {"cycle_model", "dma_bytes_per_cycle", "dma_chunk_cycles", "side_padding"}
    assert {f"engine.digital.{name}" for name in disputed} <= HARDWARE.contested.keys()


def test_the_accelerator_sees_448_kib_of_l2():
    assert HARDWARE.main.size_bytes == 448 * 1024
    assert HARDWARE.main.base_address == 0x1C010000


@pytest.mark.parametrize(
    "graph",
    [
        conv_graph(0, shape=(3, 8, 8), outputs=4),
        dense_graph(0, shape=(20,), outputs=4),
        add_graph(shape=(3, 8, 8)),
    ],
    ids=["conv2d", "dense", "add"],
)
def test_the_hooks_lead_from_a_layer_to_its_code(graph):
    layer = layer_of(graph, HARDWARE)
    tiling = DIANA.htvm_tilings(layer, no_offers(layer), HARDWARE)[0]
    packed = DIANA.htvm_pack(layer, tiling, HARDWARE)
    program = DIANA.htvm_schedule(layer, tiling, packed, HARDWARE)
    code = DIANA.htvm_emit(layer, tiling, packed, program, HARDWARE)
    assert DIANA.htvm_cost(layer, tiling, HARDWARE) == tiling.cost
    assert code.includes == ('"htvm_diana.h"',)
    assert tiling.summary in code.comment
    assert code.size_bytes > 0


def test_layers_of_the_host_are_left_to_it():
    mine = layer_of(add_graph(shape=(3, 8, 8)), HARDWARE)
    fields = {name: getattr(mine, name) for name in mine.__dataclass_fields__}
    layer = Layer(**{**fields, "engine": "cpu"})
    assert DIANA.htvm_tilings(layer, no_offers(layer), HARDWARE) is None
    assert DIANA.htvm_cost(layer, None, HARDWARE) is None
    assert DIANA.htvm_pack(layer, None, HARDWARE) is None
    assert DIANA.htvm_schedule(layer, None, (), HARDWARE) is None
    assert DIANA.htvm_emit(layer, None, (), None, HARDWARE) is None


def test_the_emulation_has_the_memories_of_the_build():
    small = HARDWARE.memories["l1"].size_bytes
    runtime = DIANA.htvm_runtime(HARDWARE)
    assert f"#define HTVM_DIANA_L1_BYTES {small}" in runtime.emulation["htvm_diana_config.h"]
    assert "htvm_diana.h" in runtime.headers
    assert "htvm_diana_device.c" in runtime.device
    assert "{regions}" in runtime.begin
