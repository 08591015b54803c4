import numpy as np

from htvm.api import Constant, DType, Folded, Hardware, Layer, Target, folded, hookimpl

from .htvm_tilings import sizes

ROW = np.dtype([("bias", "<i8"), ("mul", "<i8"), ("shift", "<i8")])


class Pack(Target):
    @hookimpl
    def htvm_pack(self, layer: Layer, hardware: Hardware) -> tuple[Constant, ...] | None:
        if layer.engine != "rows":
            return None
        exact = folded(layer, hardware.engines["rows"].contract("dense"))
        assert isinstance(exact, Folded)  # a constraint of the pattern has made sure
        read, written, _ = sizes(layer)
        outputs, inputs = exact.weights.shape
        table = np.zeros(written, [*ROW.descr, ("weights", "i1", (read,))])
        table["weights"][:outputs, :inputs] = exact.weights
        for name in ROW.names:
            table[name][:outputs] = getattr(exact, name)
        data = table.view(np.uint8).reshape(-1)
        return (Constant(name="rows", dtype=DType.UINT8, data=data, engine_reads=True),)
