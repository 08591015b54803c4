from htvm.api import Cost, Hardware, Layer, Layout, Target, Tiling, hookimpl, strided

ROW_BYTES = 24  # a row's bias (8), multiplier (8) and shift (8), which its weights follow


def padded(shape: tuple[int, ...]) -> Layout:
    """A vector that ends on a multiple of four."""
    return strided("quads", shape, (0, 1), size=-(-shape[1] // 4) * 4)


def sizes(layer: Layer) -> tuple[int, int, int]:
    """Bytes of input, output and packed rows."""
    read, written = (padded(t.shape).size for t in (layer.inputs[0], layer.output))
    return read, written, written * (ROW_BYTES + read)


class Tilings(Target):
    @hookimpl
    def htvm_tilings(self, layer: Layer, hardware: Hardware) -> tuple[Tiling, ...] | None:
        if layer.engine != "rows":
            return None
        if sum(sizes(layer)) > hardware.memories["spm"].size_bytes:
            return ()
        whole = Tiling(
            inputs=(padded(layer.inputs[0].shape),),
            output=padded(layer.output.shape),
            cost=Cost(total=0, compute=0),  # htvm_cost says
            summary="the whole layer",
        )
        return (whole,)
