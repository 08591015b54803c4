from htvm.api import Hardware, Target, hookimpl, load_hardware

CHIP = """
schema = 1
name = "mini"
description = "a host and a unit that multiplies vectors by matrices"
clock_hz = 100_000_000
main_memory = "ram"
stack_bytes = 2048

[memory.ram]
size_bytes = 262_144

[memory.spm]
size_bytes = 8_192

[engine.cpu]
core = "generic"
dma_bytes_per_cycle = 4

[engine.rows]
description = "four dot products at once"
start_cycles = 20

[[engine.rows.contract]]
ops = ["dense"]
input_types = ["int8"]
multiplier = "channel"
multiplier_bits = [-32]
bias_bits = 64
product_bits = 64
shift = "channel"
shift_range = [0, 63]
"""


class Describe(Target):
    @hookimpl
    def htvm_hardware(self) -> Hardware:
        return load_hardware(CHIP)
