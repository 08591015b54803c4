from htvm.api import (
    Buffer,
    Hardware,
    Launch,
    Layer,
    Program,
    Span,
    Target,
    Tile,
    Transfer,
    Wait,
    hookimpl,
    requant,
)

from .htvm_tilings import sizes


class Schedule(Target):
    @hookimpl
    def htvm_schedule(self, layer: Layer, hardware: Hardware) -> Program | None:
        if layer.engine != "rows":
            return None
        read, written, rows = sizes(layer)
        clip = layer.op("requant")
        assert isinstance(clip, requant.Requant)
        width = hardware.engines["cpu"].integer("dma_bytes_per_cycle")
        start = hardware.engines["rows"].integer("start_cycles")

        def move(source: str, destination: str, size: int) -> Transfer:
            first, last = (
                Span(buffer=b, offset_bytes=0, run_bytes=size) for b in (source, destination)
            )
            return Transfer(queue="dma", source=first, destination=last, cycles=size // width)

        def all_of(name: str) -> Span:
            return Span(buffer=name, offset_bytes=0, run_bytes=buffers[name].size_bytes)

        places = [
            ("in0", "ram", read, 0, "input"),
            ("rows", "ram", rows, 0, "constant"),
            ("out", "ram", written, 0, "output"),
            ("spm_in", "spm", read, 0, "local"),
            ("spm_rows", "spm", rows, read, "local"),
            ("spm_out", "spm", written, read + rows, "local"),
        ]
        buffers = {
            name: Buffer(name=name, memory=memory, size_bytes=size, offset_bytes=at, role=role)
            for name, memory, size, at, role in places
        }
        job = Launch(
            queue="rows",
            kind="dense",
            job={"columns": read, "count": written, "lo": clip.lo, "hi": clip.hi},
            reads=(all_of("spm_in"), all_of("spm_rows")),
            writes=(all_of("spm_out"),),
            cycles=start + read * written // 4,
            macs=layer.macs,
        )
        steps = (
            move("in0", "spm_in", read),
            move("rows", "spm_rows", rows),
            Wait(queue="dma"),
            job,
            Wait(queue="rows"),
            move("spm_out", "out", written),
            Wait(queue="dma"),
        )
        return Program(buffers=buffers, tiles=(Tile(label="the whole layer", steps=steps),))
