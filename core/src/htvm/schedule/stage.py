"""The scheduling stage."""

from __future__ import annotations

from htvm.dispatch.plan import ConvertStep, Dispatch, LayerStep, Step
from htvm.plugins.session import Session
from htvm.schedule.check import check_program
from htvm.schedule.kernels import Kernel, Schedule
from htvm.schedule.timeline import timeline


def schedule(plan: Dispatch, session: Session) -> Schedule:
    """Pack, schedule, check and write every step.

    Raises:
        PluginError: A tile program reads or writes what it must not.
    """
    return Schedule(
        dispatch=plan, kernels=tuple(_kernel(plan, step, session) for step in plan.steps)
    )


def _kernel(plan: Dispatch, step: Step, session: Session) -> Kernel:
    if isinstance(step, ConvertStep):
        source, target = plan.values[step.source], plan.values[step.output]
        tensor = source.tensor
        code = session.convert((tensor.shape, tensor.dtype, source.layout, target.layout))
        return Kernel(step=step, constants=(), program=None, code=code)
    return _layer_kernel(step, session)


def _layer_kernel(step: LayerStep, session: Session) -> Kernel:
    layer, tiling = step.layer, step.tiling
    constants = session.pack(layer, tiling)
    program = session.schedule(layer, tiling, constants)
    if program is not None:
        check_program(step.name, program, layer.output, tiling.output, session.hardware.memories)
    code = session.emit(layer, tiling, constants, program)
    cycles = None if program is None else timeline(program)
    return Kernel(step=step, constants=constants, program=program, code=code, timeline=cycles)
