"""A made-up chip: a host, and an engine for 1x1 convolutions with a layout of its own.

The engine reads and writes channels-last maps whose channels are padded with zeros to a multiple
of 8, through a scratchpad of 1 KiB that a DMA fills. What it is told to do happens at its wait.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from htvm.api import (
    COMPUTED,
    CONSTANT,
    Buffer,
    Constant,
    Constraint,
    Cost,
    DType,
    Engine,
    Hardware,
    Launch,
    LayerCode,
    Layout,
    Memory,
    Pattern,
    Program,
    Runtime,
    Span,
    Target,
    Template,
    Tile,
    Tiling,
    Transfer,
    Wait,
    hookimpl,
    ops,
    requant,
    row_major,
    strided,
)

ENGINE = "acme.mac"
SPM_BYTES = 1024


def blocked(shape: tuple[int, ...]) -> Layout:
    """Channels last, padded with zeros to a multiple of 8."""
    _, channels, height, width = shape
    pitch = -(-channels // 8) * 8
    strides = (0, 1, width * pitch, pitch)
    return strided("acme rows", shape, strides, size=height * width * pitch, fill=0)


CONV = Template(
    ops=(requant.ShiftRequant,),
    capture="requant",
    inputs=(Template(ops=(ops.Conv2d,), capture="conv", inputs=(COMPUTED, CONSTANT)),),
)
POINTWISE = Constraint(
    text="the kernel is 1x1",
    check=lambda layer, hardware: (
        None
        if layer.constant("conv", 1).shape[2:] == (1, 1)
        else f"it is {layer.constant('conv', 1).shape[2:]}"
    ),
)
FITS = Constraint(
    text="at most 16 input channels",
    check=lambda layer, hardware: (
        None if layer.inputs[0].shape[1] <= 16 else f"there are {layer.inputs[0].shape[1]}"
    ),
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows(Tiling):
    """A tiling of the engine: pixels per tile."""

    pixels: int


class Acme(Target):
    """The chip."""

    extends: ClassVar[tuple[str, ...]] = ()

    @hookimpl
    def htvm_hardware(self):
        memories = {
            "ram": Memory(name="ram", size_bytes=1 << 20, align_bytes=8),
            "spm": Memory(name="spm", size_bytes=SPM_BYTES),
        }
        engines = {
            "cpu": Engine(name="cpu", parameters={"slowness": 10}),
            ENGINE: Engine(name=ENGINE, parameters={"dma_bytes_per_cycle": 4, "mode": "fast"}),
        }
        return Hardware(
            name="acme",
            description="made up",
            clock_hz=1_000_000,
            memories=memories,
            engines=engines,
            main_memory="ram",
            stack_bytes=512,
        )

    @hookimpl
    def htvm_patterns(self, hardware):
        clip = Template(ops=(ops.Clip,), inputs=(COMPUTED,), capture="clip")
        return (
            Pattern(name="pointwise", engine=ENGINE, root=CONV, constraints=(POINTWISE, FITS)),
            Pattern(name="conv", engine="cpu", root=CONV, constraints=(POINTWISE,)),
            Pattern(name="clip", engine="cpu", root=clip),
        )

    @hookimpl
    def htvm_tilings(self, layer, offers, hardware):
        if layer.engine == ENGINE:
            return self._engine_tilings(layer)
        slowness = hardware.engines["cpu"].integer("slowness")
        if layer.pattern == "conv":
            cost = slowness * layer.macs
            layouts = (row_major(layer.inputs[0].shape),), row_major(layer.output.shape)
            return (
                Tiling(inputs=layouts[0], output=layouts[1], cost=Cost(total=cost, compute=cost)),
            )
        return tuple(
            Tiling(
                inputs=(one,), output=one, cost=Cost(total=one.size, compute=one.size), in_place=0
            )
            for one in offers.inputs[0]
            if one.fill is None or layer.op("clip").lo <= one.fill <= layer.op("clip").hi
        )

    def _engine_tilings(self, layer):
        into, out = blocked(layer.inputs[0].shape), blocked(layer.output.shape)
        pixels = prod(layer.output.shape[2:])
        wide = into.size // pixels, out.size // pixels
        room = SPM_BYTES - wide[1] * (wide[0] + 4)
        most = min(pixels, room // sum(wide))
        if most < 1:
            return ()
        blank = Rows(inputs=(into,), output=out, cost=Cost(total=0, compute=0), pixels=most)
        program = make_program(blank, wide, pixels)
        total = sum(step.cycles + 1 for step in program.steps if not isinstance(step, Wait))
        tiles = len(program.tiles)
        cost = Cost(total=total, compute=pixels * tiles, transfer=total)
        return (replace(blank, cost=cost, tiles=tiles, summary=f"{most} pixels"),)

    @hookimpl
    def htvm_convert_cost(self, shape, dtype, source, target, hardware):
        return Cost(total=4 * prod(shape), compute=4 * prod(shape))

    @hookimpl
    def htvm_convert(self, shape, dtype, source, target, hardware):
        lines = [f"for (int i = 0; i < {target.size}; i++) out[i] = {target.fill or 0};"]
        pairs = zip(source.addresses(shape).flat, target.addresses(shape).flat, strict=True)
        lines += [f"out[{to}] = in0[{at}];" for at, to in pairs]
        return LayerCode(body="\n".join(lines))

    @hookimpl
    def htvm_pack(self, layer, tiling, hardware):
        if layer.pattern == "clip":
            return ()
        weights = layer.constant("conv", 1)[:, :, 0, 0]
        bias = np.broadcast_to(layer.op("requant").add, weights.shape[:1])
        if layer.engine == "cpu":
            return (
                Constant(name="weights", dtype=DType.INT8, data=weights.reshape(-1)),
                Constant(name="bias", dtype=DType.INT32, data=bias.astype(np.int32)),
            )
        rows, columns = (-(-extent // 8) * 8 for extent in weights.shape)
        packed = np.zeros((rows, columns), np.int8)
        packed[: weights.shape[0], : weights.shape[1]] = weights
        tail = np.zeros(rows, "<i4")
        tail[: bias.size] = bias
        data = np.concatenate([packed.reshape(-1), tail.view(np.int8)])
        return (
            Constant(name="weights", dtype=DType.INT8, data=data, align_bytes=8, engine_reads=True),
        )

    @hookimpl
    def htvm_schedule(self, layer, tiling, constants, hardware):
        if layer.engine != ENGINE:
            return None
        pixels = prod(layer.output.shape[2:])
        return make_program(
            tiling, (tiling.inputs[0].size // pixels, tiling.output.size // pixels), pixels
        )

    @hookimpl
    def htvm_emit(self, layer, tiling, constants, program, hardware):
        if layer.pattern == "clip":
            op = layer.op("clip")
            low, high = f"in0[i] < {op.lo} ? {op.lo}", f"in0[i] > {op.hi} ? {op.hi}"
            loop = f"for (int i = 0; i < {tiling.output.size}; i++)"
            body = f"{loop} {{\n    out[i] = {low} : {high} : in0[i];\n}}"
            return LayerCode(body=body, size_bytes=64)
        shift = int(layer.op("requant").shift[0])
        if layer.engine == "cpu":
            return LayerCode(body=_host_conv(layer, shift), size_bytes=200)
        return LayerCode(body=_engine_calls(program, shift), includes=('"acme.h"',), size_bytes=99)

    @hookimpl
    def htvm_runtime(self, hardware):
        return Runtime(
            headers={"acme.h": HEADER},
            emulation={"acme_emulator.c": EMULATOR.replace("SPM_BYTES", str(SPM_BYTES))},
            device={
                "acme_device.c": '#include "acme.h"\nvoid acme_begin(uint32_t n) { (void)n; }\n'
            },
            begin="acme_begin({count});",
            cycles="acme_cycles",
            error="acme_error",
        )


def make_program(tiling: Rows, wide: tuple[int, int], pixels: int) -> Program:
    """Load the weights, then for each tile load, compute and store."""
    weights = wide[1] * (wide[0] + 4)
    x, y = weights, weights + tiling.pixels * wide[0]
    buffers = (
        Buffer(name="in0", memory="ram", size_bytes=pixels * wide[0], role="input"),
        Buffer(name="out", memory="ram", size_bytes=pixels * wide[1], role="output"),
        Buffer(name="weights", memory="ram", size_bytes=weights, role="constant"),
        Buffer(name="w", memory="spm", size_bytes=weights),
        Buffer(name="x", memory="spm", size_bytes=y - x, offset_bytes=x),
        Buffer(name="y", memory="spm", size_bytes=tiling.pixels * wide[1], offset_bytes=y),
    )

    def move(source: str, start: int, target: str, to: int, size: int) -> Transfer:
        return Transfer(
            queue="dma",
            source=Span(buffer=source, offset_bytes=start, run_bytes=size),
            destination=Span(buffer=target, offset_bytes=to, run_bytes=size),
            cycles=10 + size // 4,
        )

    tiles = [Tile(label="weights", steps=(move("weights", 0, "w", 0, weights), Wait(queue="dma")))]
    for first in range(0, pixels, tiling.pixels):
        count = min(tiling.pixels, pixels - first)
        job = Launch(
            queue="mac",
            kind="pointwise",
            job={"in": x, "w": 0, "out": y, "pixels": count, "c": wide[0], "k": wide[1]},
            reads=(
                Span(buffer="x", offset_bytes=0, run_bytes=count * wide[0]),
                Span(buffer="w", offset_bytes=0, run_bytes=weights),
            ),
            writes=(Span(buffer="y", offset_bytes=0, run_bytes=count * wide[1]),),
            cycles=count * wide[1] // 8,
        )
        steps = (
            move("in0", first * wide[0], "x", 0, count * wide[0]),
            Wait(queue="dma"),
            job,
            Wait(queue="mac"),
            move("y", 0, "out", first * wide[1], count * wide[1]),
            Wait(queue="dma"),
        )
        tiles.append(Tile(label=f"pixels {first}..{first + count - 1}", steps=steps))
    return Program(buffers={b.name: b for b in buffers}, tiles=tuple(tiles), host_cycles=1)


def _host_conv(layer, shift: int) -> str:
    _, before, height, width = layer.inputs[0].shape
    after = layer.output.shape[1]
    return f"""for (int k = 0; k < {after}; k++) {{
    for (int p = 0; p < {height * width}; p++) {{
        int32_t sum = bias[k];
        for (int c = 0; c < {before}; c++) {{
            sum += weights[k * {before} + c] * in0[c * {height * width} + p];
        }}
        sum >>= {shift};
        out[k * {height * width} + p] = (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
    }}
}}"""


def _engine_calls(program: Program, shift: int) -> str:
    lines = []
    for step in program.steps:
        if isinstance(step, Wait):
            lines.append("acme_wait();")
        elif isinstance(step, Launch):
            job = step.job
            values = ", ".join(str(job[key]) for key in ("in", "w", "out", "pixels", "c", "k"))
            lines.append(f"acme_mac({values}, {shift});")
        else:
            lines.append(_move(program, step))
    return "\n".join(lines)


def _move(program: Program, step: Transfer) -> str:
    source, target = step.source, step.destination
    if target.buffer == "out":
        at = program.buffers[source.buffer].offset_bytes + source.offset_bytes
        return f"acme_store(out + {target.offset_bytes}, {at}, {source.run_bytes});"
    at = program.buffers[target.buffer].offset_bytes + target.offset_bytes
    return f"acme_load({at}, {source.buffer} + {source.offset_bytes}, {source.run_bytes});"


HEADER = """#ifndef ACME_H
#define ACME_H
#include <stdint.h>
void acme_begin(uint32_t count);
void acme_load(uint32_t to, const void *from, uint32_t bytes);
void acme_store(void *to, uint32_t from, uint32_t bytes);
void acme_mac(uint32_t in, uint32_t w, uint32_t out, uint32_t pixels, uint32_t c, uint32_t k,
              uint32_t shift);
void acme_wait(void);
#endif
"""

EMULATOR = """#include <stddef.h>
#include <string.h>
#include "acme.h"
static uint8_t spm[SPM_BYTES];
static struct { int kind; uint8_t *to; const uint8_t *from; uint32_t bytes; uint32_t job[7]; } todo;
static const char *fault;
static uint64_t cycles;
static void start(int kind)
{
    if (todo.kind != 0) { fault = "started something before waiting"; }
    todo.kind = kind;
}
void acme_begin(uint32_t count) { (void)count; memset(spm, 0x55, sizeof spm); todo.kind = 0; }
void acme_load(uint32_t to, const void *from, uint32_t bytes)
{
    start(1); todo.to = spm + to; todo.from = from; todo.bytes = bytes;
}
void acme_store(void *to, uint32_t from, uint32_t bytes)
{
    start(1); todo.to = to; todo.from = spm + from; todo.bytes = bytes;
}
void acme_mac(uint32_t in, uint32_t w, uint32_t out, uint32_t pixels, uint32_t c, uint32_t k,
              uint32_t shift)
{
    const uint32_t job[7] = {in, w, out, pixels, c, k, shift};
    start(2); memcpy(todo.job, job, sizeof job);
}
static void mac(void)
{
    const uint32_t *j = todo.job;
    for (uint32_t p = 0; p < j[3]; p++) {
        for (uint32_t k = 0; k < j[5]; k++) {
            int32_t sum;
            memcpy(&sum, spm + j[1] + j[5] * j[4] + 4 * k, 4);
            for (uint32_t c = 0; c < j[4]; c++) {
                sum += (int8_t)spm[j[1] + k * j[4] + c] * (int8_t)spm[j[0] + p * j[4] + c];
            }
            sum >>= j[6];
            spm[j[2] + p * j[5] + k] = (uint8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
        }
    }
    cycles += j[3] * j[5] / 8;
}
void acme_wait(void)
{
    if (todo.kind == 1) { memcpy(todo.to, todo.from, todo.bytes); cycles += 10 + todo.bytes / 4; }
    if (todo.kind == 2) { mac(); }
    todo.kind = 0;
}
const char *acme_error(void) { return fault; }
uint64_t acme_cycles(void) { return cycles; }
"""
