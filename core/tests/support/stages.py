"""Runs the stages of a hand-made graph on the made-up chip."""

from dataclasses import dataclass

from acme import Acme

from htvm.codegen.project import Project
from htvm.codegen.stage import emit
from htvm.deployment import VerifyOptions
from htvm.dispatch.plan import Dispatch
from htvm.dispatch.stage import dispatch
from htvm.host.compiler import find_compiler
from htvm.host.result import Verification
from htvm.host.stage import verify
from htvm.memory.plan import MemoryPlan
from htvm.memory.stage import plan_memory
from htvm.partition.stage import match
from htvm.plugins.session import Session, open_session
from htvm.schedule.kernels import Schedule
from htvm.schedule.stage import schedule


@dataclass
class Built:
    """A graph taken as far as its C project."""

    session: Session
    plan: Dispatch
    schedule: Schedule
    memory: MemoryPlan
    project: Project

    def verify(self, **options) -> Verification:
        chosen = VerifyOptions(**{"random": 2, "extreme": True, **options})
        return verify(self.schedule, self.memory, self.project, chosen, find_compiler())


def build(graph, *, overrides=(), settings=None, **options) -> Built:
    """Everything up to the C project."""
    session = open_session(Acme, overrides=overrides, settings=settings)
    plan = dispatch(match(graph, session), session, **options)
    scheduled = schedule(plan, session)
    memory = plan_memory(scheduled, session.hardware)
    return Built(session, plan, scheduled, memory, emit(scheduled, memory, session))
