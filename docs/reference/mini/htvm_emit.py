from htvm.api import (
    Call,
    Launch,
    LayerCode,
    Program,
    Step,
    Target,
    Wait,
    emit_program,
    hookimpl,
    struct_call,
    transfer_call,
)


def _call(step: Step, program: Program) -> Call:
    if isinstance(step, Wait):
        return Call(template=f"mini_wait(MINI_{step.queue.upper()});")
    if isinstance(step, Launch):
        return struct_call("mini_rows", "mini_job", step.job)
    return transfer_call(step, program, load="mini_load", store="mini_store")


class Emit(Target):
    @hookimpl
    def htvm_emit(self, program: Program | None) -> LayerCode | None:
        if program is None:
            return None
        return emit_program(program, _call, includes=('"mini.h"',))
