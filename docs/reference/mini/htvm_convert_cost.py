from htvm.api import Cost, DType, Layout, Target, hookimpl, row_major


class ConvertCost(Target):
    @hookimpl
    def htvm_convert_cost(
        self, shape: tuple[int, ...], dtype: DType, source: Layout, target: Layout
    ) -> Cost | None:
        if source.axes != target.axes or target != row_major(shape):
            return None  # as htvm_convert: the host's loops do it, at the host's price
        cycles = 12 + target.size_bytes(dtype) // 4
        return Cost(total=cycles, compute=cycles)
