"""TVM's lowering from scheduled TIR blocks to flat loops, without its calling convention."""

from __future__ import annotations

from typing import Any

from htvm.tvm.load import ir, s_tir, target, tirx


def flatten(module: Any) -> Any:
    """An ``IRModule`` of scheduled functions as one of plain loops over one-axis buffers."""
    blocks, loops = s_tir.transform, tirx.transform
    host = target.Target("c")
    passes = (
        loops.BindTarget(host.with_host(host)),
        blocks.CanonicalizeLoop(),
        blocks.LowerInitBlock(),
        blocks.PlanAndUpdateBufferAllocationLocation(),
        blocks.ConvertBlocksToOpaque(),
        blocks.CompactBufferAllocation(),
        blocks.LowerMatchBuffer(),
        blocks.StmtSimplify(),
        blocks.LowerOpaqueBlock(),
        loops.FlattenBuffer(),
        loops.NarrowDataType(32),
        blocks.LoopPartition(),
        loops.VectorizeLoop(False),
        loops.StorageRewrite(),
        blocks.HoistIfThenElse(),
        loops.UnrollLoop(),
        blocks.RenormalizeSplitPattern(),
        loops.StmtSimplify(),
        loops.RemoveNoOp(),
        blocks.RewriteUnsafeSelect(),
        loops.CommonSubexprElim(),
        loops.LowerIntrin(),
    )
    return ir.transform.Sequential(list(passes))(module)
