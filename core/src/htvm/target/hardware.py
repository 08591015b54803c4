"""The description of a chip, as frozen values. Read from TOML by :mod:`htvm.target.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from htvm.errors import PluginError
from htvm.target.contract import Contract

Parameter = int | float | str | bool


@dataclass(frozen=True, kw_only=True)
class Memory:
    """One memory of the chip.

    Attributes:
        name: ``"l1"``, ``"l2"``, ``"weights"``.
        size_bytes: What a network may use of it.
        align_bytes: Alignment of every buffer in it.
        base_address: Where the device has it, if it is addressable.
    """

    name: str
    size_bytes: int
    align_bytes: int = 4
    base_address: int | None = None


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One engine: a core or an accelerator.

    Attributes:
        name: ``"cpu"`` or ``"<target>.<engine>"``, as reports show it.
        description: One line.
        parameters: Numbers and choices the engine's cost model, tiler and code generator read.
        contracts: The arithmetic it has, by kinds of layers.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    contracts: tuple[Contract, ...] = ()

    def contract(self, kind: str) -> Contract:
        """What the engine computes for a kind of layer such as ``"conv2d"``.

        Raises:
            PluginError: E615, the hardware description states no contract for it.
        """
        for contract in self.contracts:
            if kind in contract.ops:
                return contract
        known = sorted({name for contract in self.contracts for name in contract.ops})
        raise PluginError(
            f"engine {self.name!r} states no contract for {kind!r}",
            code="E615",
            seen=", ".join(known) or "no contracts",
            accepted=f"[[engine.{self.name}.contract]] with {kind!r} among its ops",
        )

    def integer(self, key: str) -> int:
        """Parameter ``key`` as an int."""
        return int(self.parameters[key])


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A chip.

    Attributes:
        name: The target's id.
        description: One line.
        clock_hz: Clock that turns cycles into seconds.
        memories: By name. ``main_memory`` names the one network tensors live in.
        engines: By name; always has the host, ``"cpu"``.
        stack_bytes: Stack the host sets aside while a network runs.
        sources: Where each number comes from: key path -> citation.
        contested: Numbers on which sources disagree: key path -> what they say.
    """

    name: str
    description: str
    clock_hz: int
    memories: Mapping[str, Memory]
    engines: Mapping[str, Engine]
    main_memory: str
    stack_bytes: int
    sources: Mapping[str, str] = field(default_factory=dict)
    contested: Mapping[str, str] = field(default_factory=dict)

    @property
    def main(self) -> Memory:
        """The memory network tensors live in."""
        return self.memories[self.main_memory]
