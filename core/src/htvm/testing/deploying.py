"""Takes a network through every stage on a session already open."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.codegen.project import Project
from htvm.codegen.stage import emit
from htvm.deployment import VerifyOptions
from htvm.dispatch.plan import Dispatch
from htvm.dispatch.stage import dispatch
from htvm.host.compiler import Compiler
from htvm.host.result import Verification
from htvm.host.stage import verify
from htvm.ir.graph import Graph
from htvm.memory.stage import plan_memory
from htvm.partition.stage import match
from htvm.plugins.session import Session
from htvm.schedule.stage import schedule


@dataclass(frozen=True, kw_only=True, eq=False)
class Deployed:
    """A network that was deployed and run.

    Attributes:
        plan: Engines and layouts.
        project: The C.
        verification: The comparison with the reference.
    """

    plan: Dispatch
    project: Project
    verification: Verification


def deploy(graph: Graph, session: Session, compiler: Compiler, *, sanitize: bool) -> Deployed:
    """Dispatch, write and verify a network.

    Raises:
        HtvmError: Whatever keeps it from being deployed.
    """
    plan = dispatch(match(graph, session), session)
    kernels = schedule(plan, session)
    memory = plan_memory(kernels, session.hardware)
    project = emit(kernels, memory, session)
    options = VerifyOptions(random=2, sanitize=sanitize, required=True)
    return Deployed(
        plan=plan,
        project=project,
        verification=verify(kernels, memory, project, options, compiler),
    )
