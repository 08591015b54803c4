"""The processor that runs the generated code, as its hardware description states it."""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import Hardware, PluginError

CORES = ("generic", "ri5cy")


@dataclass(frozen=True, kw_only=True)
class Host:
    """What the kernels and the cost model need to know of the processor.

    Attributes:
        core: ``"generic"``: a compiler that vectorises is likely, kernels are written for it;
            ``"ri5cy"``: a small in-order RV32IMC core, kernels are written for its registers.
        fpu: Whether float32 arithmetic is done in hardware.
    """

    core: str = "generic"
    fpu: bool = True

    @property
    def is_scalar(self) -> bool:
        """Whether kernels should count registers and loads rather than feed a vectoriser."""
        return self.core == "ri5cy"


def host_of(hardware: Hardware) -> Host:
    """The host of a chip, from the parameters of its engine ``"cpu"``.

    Raises:
        PluginError: the engine names a core there are no kernels for.
    """
    parameters = hardware.engines["cpu"].parameters
    core = str(parameters.get("core", "generic"))
    if core not in CORES:
        raise PluginError(
            f"engine cpu of {hardware.name} has no such core",
            code="E640",
            seen=f"core = {core!r}",
            accepted=" or ".join(CORES),
            hint="--set engine.cpu.core=generic",
        )
    return Host(core=core, fpu=bool(parameters.get("fpu", True)))
