"""A session: one target's hooks, answered in order, for one build."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import pluggy

from htvm import hookspecs
from htvm.errors import HtvmError, PluginError
from htvm.ir.dtype import DType
from htvm.ir.layout import Layout
from htvm.plugins.chain import resolve, with_extended
from htvm.plugins.deprecation import adapt
from htvm.plugins.guard import cause, plugin_code, reraise_interrupt
from htvm.plugins.listing import TargetInfo
from htvm.plugins.patience import NoAnswerError, Patience
from htvm.plugins.probing import require_sound
from htvm.plugins.settings import apply_settings
from htvm.plugins.switches import strict
from htvm.target.base import Target
from htvm.target.check import Check
from htvm.target.hardware import Hardware
from htvm.target.layer import Cost, Layer, Offers, Tiling
from htvm.target.pattern import Pattern
from htvm.target.program import Program
from htvm.target.runner import Runner
from htvm.target.source import Constant, LayerCode, Runtime

Result = TypeVar("Result")
ConvertArgs = tuple[tuple[int, ...], DType, Layout, Layout]


class Session:
    """The typed way to a target's hooks. Holds its own plug-in manager and nothing global.

    Attributes:
        target: The target asked for.
        hardware: The chip, settings applied.
    """

    def __init__(
        self,
        target: TargetInfo,
        manager: pluggy.PluginManager,
        settings: Mapping[str, str],
        patience: Patience,
    ) -> None:
        self.target = target
        self._manager = manager
        self._patience = patience
        described = self._first("htvm_hardware", Hardware)
        if described is None:
            raise PluginError(
                f"target {target.name!r} of {target.distribution} {target.version} "
                "does not describe its hardware",
                code="E606",
                seen="no plug-in answers htvm_hardware",
            )
        self.hardware = apply_settings(described, settings, self.options)

    @property
    def options(self) -> Mapping[str, str]:
        """Keys that plug-ins accept as settings besides the hardware's, with one line each."""
        found: dict[str, str] = {}
        for answer in self._all("htvm_options", Mapping):
            self._each("htvm_options", tuple(answer), str)
            found.update(answer)
        return found

    def patterns(self) -> tuple[Pattern, ...]:
        """The patterns of every engine."""
        answers = self._all("htvm_patterns", tuple, hardware=self.hardware)
        return tuple(
            pattern
            for answer in answers
            for pattern in self._each("htvm_patterns", answer, Pattern)
        )

    def tilings(self, layer: Layer, offers: Offers) -> tuple[Tiling, ...]:
        """The tilings worth considering, each with its cost as the first cost model gives it."""
        about = {"layer": layer, "hardware": self.hardware}
        answer = self._first("htvm_tilings", tuple, offers=offers, **about) or ()
        found = self._each("htvm_tilings", answer, Tiling)
        costs = [self._first("htvm_cost", Cost, tiling=tiling, **about) for tiling in found]
        return tuple(
            tiling if cost is None or cost == tiling.cost else replace(tiling, cost=cost)
            for tiling, cost in zip(found, costs, strict=True)
        )

    def convert_cost(self, args: ConvertArgs) -> Cost:
        """Cycles of a copy of ``(shape, dtype)`` from one layout to another."""
        return self._must("htvm_convert_cost", Cost, **self._convert(args))

    def convert(self, args: ConvertArgs) -> LayerCode:
        """C of that copy."""
        return self._must("htvm_convert", LayerCode, **self._convert(args))

    def pack(self, layer: Layer, tiling: Tiling) -> tuple[Constant, ...]:
        """The layer's constants as its engine reads them."""
        about = {"layer": layer, "tiling": tiling, "hardware": self.hardware}
        packed = self._first("htvm_pack", tuple, **about) or ()
        return self._each("htvm_pack", packed, Constant)

    def schedule(
        self, layer: Layer, tiling: Tiling, constants: tuple[Constant, ...]
    ) -> Program | None:
        """The layer's tile program; None for host code."""
        about = {"layer": layer, "tiling": tiling, "hardware": self.hardware}
        return self._first("htvm_schedule", Program, constants=constants, **about)

    def emit(
        self,
        layer: Layer,
        tiling: Tiling,
        constants: tuple[Constant, ...],
        program: Program | None,
    ) -> LayerCode:
        """The layer's C."""
        about = {"layer": layer, "tiling": tiling, "hardware": self.hardware}
        return self._must("htvm_emit", LayerCode, constants=constants, program=program, **about)

    def runtimes(self) -> tuple[Runtime, ...]:
        """Headers, emulation and device sources of every plug-in that has some."""
        return tuple(self._all("htvm_runtime", Runtime, hardware=self.hardware))

    def runner(self) -> Runner | None:
        """The simulator or board golden tests run on; None where there is none."""
        return self._first("htvm_runner", Runner, hardware=self.hardware)

    def checks(self) -> tuple[Check, ...]:
        """What the target's ``htvm doctor`` finds."""
        answers = self._all("htvm_doctor", tuple)
        return tuple(
            check for answer in answers for check in self._each("htvm_doctor", answer, Check)
        )

    def _convert(self, args: ConvertArgs) -> dict[str, Any]:
        shape, dtype, source, target = args
        return {
            "shape": shape,
            "dtype": dtype,
            "source": source,
            "target": target,
            "hardware": self.hardware,
        }

    def _must(self, hook: str, kind: type[Result], **arguments: Any) -> Result:
        answer = self._first(hook, kind, **arguments)
        if answer is None:
            subject = arguments.get("layer")
            about = f" for layer {subject.name!r} on {subject.engine}" if subject else ""
            raise PluginError(
                f"no plug-in of target {self.target.name!r} answers {hook}{about}",
                code="E607",
                seen=self.target.owner,
                accepted=f"a {kind.__name__}",
            )
        return answer

    def _first(self, hook: str, kind: type[Result], **arguments: Any) -> Result | None:
        answer = self._call(hook, arguments)
        if answer is not None and not isinstance(answer, kind):
            raise self._wrong_type(hook, answer, kind.__name__)
        return answer

    def _all(self, hook: str, kind: type, **arguments: Any) -> list[Any]:
        answers = [answer for answer in self._call(hook, arguments) if answer is not None]
        for answer in answers:
            if not isinstance(answer, kind):
                raise self._wrong_type(hook, answer, kind.__name__)
        return answers

    def _each(self, hook: str, items: tuple[object, ...], kind: type[Result]) -> tuple[Result, ...]:
        for item in items:
            if not isinstance(item, kind):
                raise self._wrong_type(hook, item, f"a tuple of {kind.__name__}")
        return cast("tuple[Result, ...]", items)

    def _wrong_type(self, hook: str, seen: object, accepted: str) -> PluginError:
        return PluginError(
            f"{self._whose}: hook {hook} gave a value of the wrong type",
            code="E608",
            seen=type(seen).__name__,
            accepted=accepted,
            hint="report this to the plug-in's author",
        )

    @property
    def _whose(self) -> str:
        return f"target {self.target.name!r} of {self.target.owner}"

    def _call(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        try:
            with plugin_code(), self._patience.waiting(self._whose, hook):
                return caller(**arguments)
        except NoAnswerError:
            raise
        except PluginError as error:
            raise _with_owner(error, _blamed(caller, error)) from error
        except HtvmError:
            raise
        except BaseException as error:
            reraise_interrupt(error)
            raise _raised(caller, error) from error


def _blamed(caller: pluggy.HookCaller, error: BaseException) -> str:
    """The plug-in whose implementation is on the traceback."""
    running = set()
    trace = error.__traceback__
    while trace is not None:
        running.add(trace.tb_frame.f_code)
        trace = trace.tb_next
    blamed = [
        impl.plugin_name
        for impl in caller.get_hookimpls()
        if getattr(impl.function, "__code__", None) in running
    ]
    return blamed[0] if blamed else "unknown"


def _raised(caller: pluggy.HookCaller, error: BaseException) -> PluginError:
    return PluginError(
        f"plug-in {_blamed(caller, error)} failed in {caller.name}",
        code="E609",
        seen=cause(error),
        hint="report this to the plug-in's author",
    )


def _with_owner(error: PluginError, owner: str) -> PluginError:
    """The error a plug-in met, with its name: the file it read may be called like any other's."""
    return PluginError(
        f"plug-in {owner}: {error.message}",
        code=error.code,
        seen=error.seen,
        accepted=error.accepted,
        hint=error.hint,
    )


def open_session(
    target: str | type[Target],
    *,
    settings: Mapping[str, str] | None = None,
    overrides: Sequence[object] = (),
    patience: Patience | None = None,
) -> Session:
    """Load a target and what it extends, and nothing else.

    Args:
        target: Id of an installed target, the path of a file or folder, or a class.
        settings: Hardware keys and plug-in options to change.
        overrides: Objects with hook implementations that answer before the target, first first.
        patience: How long each hook may take; None for as long as it takes.

    Raises:
        UsageError: The target or a setting is unknown.
        PluginError: The target, or one it extends, is broken; or any installed target is, and
            ``HTVM_STRICT_PLUGINS`` is set.
    """
    if strict():
        require_sound()
    chain = with_extended(resolve(target))
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for link in reversed(chain):
        _register(manager, link.plugin, f"{link.info.owner} ({link.info.name})")
    for number, override in reversed(list(enumerate(overrides))):
        _register(manager, override, f"override {number}")
    return Session(chain[0].info, manager, settings or {}, patience or Patience())


def _register(manager: pluggy.PluginManager, plugin: object, name: str) -> None:
    try:
        with plugin_code():
            manager.register(adapt(plugin, name), name=name)
        manager.check_pending()
    except BaseException as error:
        reraise_interrupt(error)
        raise PluginError(
            f"plug-in {name} does not fit the hooks of htvm",
            code="E613",
            seen=cause(error),
            accepted="the hooks and arguments of htvm.hookspecs",
        ) from error
