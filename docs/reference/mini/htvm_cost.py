from htvm.api import Cost, Hardware, Layer, Target, hookimpl

from .htvm_tilings import sizes


class CostModel(Target):
    @hookimpl
    def htvm_cost(self, layer: Layer, hardware: Hardware) -> Cost | None:
        if layer.engine != "rows":
            return None
        read, written, rows = sizes(layer)
        width = hardware.engines["cpu"].integer("dma_bytes_per_cycle")
        start = hardware.engines["rows"].integer("start_cycles")
        compute = start + read * written // 4
        moved = (read + written + rows) // width
        return Cost(total=compute + moved, compute=compute, transfer=moved)
