"""Faults to plant in a rendered target, each with the check that has to find it."""

from __future__ import annotations

from dataclasses import dataclass

PLUGIN, ENGINE, PACK = "plugin.py", "engine.py", "pack.py"
PATTERNS, HARDWARE = "patterns.py", "hardware.toml"
EMULATION, HEADER = "runtime/acme_emulation.c", "runtime/acme.h"


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A fault.

    Attributes:
        file: The file it is planted in, below the package.
        old: Text of the rendered package.
        new: What stands in its place.
        check: The check that has to fail first.
        says: Parts of what is wrong and where to look.
    """

    file: str
    old: str
    new: str
    check: str
    says: tuple[str, ...]


def _hook(code: str) -> dict[str, str]:
    """Another hook before ``htvm_pack``."""
    mark = "    @api.hookimpl\n    def htvm_pack"
    return {"file": PLUGIN, "old": mark, "new": f"    @api.hookimpl\n{code}\n\n{mark}"}


def _cost(expression: str) -> dict[str, str]:
    return _hook(
        "    def htvm_cost(self, layer: api.Layer, tiling: api.Tiling) -> api.Cost | None:\n"
        '        """A cost."""\n'
        f"        return None if layer.engine == 'cpu' else {expression}"
    )


def _constraint(text: str, check: str) -> dict[str, str]:
    made = f"api.Constraint(text={text!r}, check=lambda layer, hardware: {check})"
    return {"file": PATTERNS, "old": "SHAPE),", "new": f"SHAPE, {made}),"}


PLANTED: dict[str, Planted] = {
    "entry point of another name": Planted(
        file="../../pyproject.toml",
        old="htvm_acme.plugin:Acme",
        new="htvm_acme.plugin:Acmee",
        check="metadata.package",
        says=("has no 'Acmee'", "plugin.py"),
    ),
    "a requirement that is not installed": Planted(
        file="../../pyproject.toml",
        old='"numpy>=1.26"',
        new='"numpy>=1.26", "acme-sdk>=3"',
        check="metadata.package",
        says=("acme-sdk is not installed", "pip install"),
    ),
    "misspelt hook": Planted(
        file=PLUGIN,
        old="def htvm_tilings(",
        new="def htvm_tiling(",
        check="metadata.package",
        says=("htvm_tiling is no hook: did you mean 'htvm_tilings'?", "plugin.py:"),
    ),
    "misspelt argument": Planted(
        file=PLUGIN,
        old="def htvm_schedule(self, tiling: api.Tiling)",
        new="def htvm_schedule(self, tilling: api.Tiling)",
        check="metadata.package",
        says=("htvm_schedule has no argument 'tilling': did you mean 'tiling'?", "plugin.py:"),
    ),
    "hook without its decorator": Planted(
        file=PLUGIN,
        old="    @api.hookimpl\n    def htvm_runtime",
        new="    def htvm_runtime",
        check="metadata.package",
        says=("htvm_runtime lacks @hookimpl", "plugin.py:"),
    ),
    "wrong API version": Planted(
        file=PLUGIN,
        old='extends = ("cpu",)',
        new='extends = ("cpu",)\n    api_version = "9.0"',
        check="metadata.package",
        says=("9.0", "plugin.py:"),
    ),
    "TOML with three errors": Planted(
        file=HARDWARE,
        old='clock_hz = 200_000_000\nmain_memory = "sram"\nstack_bytes = 4096',
        new='clock_hz = "fast"\nmain_memory = "sram"\nstack_bytes = -1\nspeed = 3',
        check="metadata.package",
        says=(
            "clock_hz",
            "hardware.toml:5",
            "stack_bytes",
            "hardware.toml:7",
            "speed",
            "hardware.toml:8",
        ),
    ),
    "header that does not compile": Planted(
        file=HEADER,
        old="} acme_job;",
        new="} acme_jobs;",
        check="metadata.declarations",
        says=("acme_job", "acme.h"),
    ),
    "source of a number there is not": Planted(
        file=HARDWARE,
        old='"clock_hz" = "made up',
        new='"engine.npu.lanes" = "a guess"\n"clock_hz" = "made up',
        check="metadata.hardware",
        says=("'engine.npu.lanes'", "hardware.toml"),
    ),
    "pattern of an unknown engine": Planted(
        file=PATTERNS,
        old="engine=engine.name,",
        new='engine=f"{engine.name}2",',
        check="metadata.patterns",
        says=("'npu2'", "htvm_patterns"),
    ),
    "rejection without reason": Planted(
        **_constraint("outputs are even", '"" if layer.output.shape[1] % 2 else None'),
        check="patterns.reasons",
        says=("'outputs are even' answers ''", "constraints"),
    ),
    "constraint that is no answer": Planted(
        **_constraint("outputs are even", "layer.output.shape[1] % 2 == 1 or None"),
        check="patterns.reasons",
        says=("answers True", "constraints"),
    ),
    "constraint that raises": Planted(
        **_constraint("the group is small", "layer.op('product')"),
        check="patterns.reasons",
        says=("E614", "the group is small: KeyError", "the constraints of pattern 'conv2d'"),
    ),
    "pattern beyond the contract": Planted(
        file=PATTERNS,
        old="*api.contract_constraints(engine.contract(name)), SHAPE",
        new="SHAPE,",
        check="patterns.contracts",
        says=("the contract has no", "constraints"),
    ),
    "pattern that accepts what the kernel cannot do": Planted(
        file=PATTERNS,
        old=", SHAPE),",
        new=",),",
        check="tiling.answers",
        says=("has no window", "htvm_tilings"),
    ),
    "contract that promises what the kernel cannot do": Planted(
        file=HARDWARE,
        old='input_types = ["int8"]',
        new='input_types = ["int8", "uint8"]',
        check="numerics.layers",
        says=("types uint8 to int8", "if the kernel cannot do this, a constraint"),
    ),
    "tile over capacity": Planted(
        file=ENGINE,
        old='memory=hardware.memories["spm"],',
        new='memory=__import__("dataclasses").replace(hardware.memories["spm"], '
        "size_bytes=65_536),",
        check="tiling.fits",
        says=("of spm, which has 8,192", "htvm_tilings, htvm_schedule of npu"),
    ),
    "uncovered remainder": Planted(
        file=PLUGIN,
        old="return tiling.program if isinstance(tiling, api.ProgramTiling) else None",
        new="""from dataclasses import replace

        if not isinstance(tiling, api.ProgramTiling):
            return None
        whole = tiling.program
        (at, last) = [
            (at, tile)
            for at, tile in enumerate(whole.tiles)
            if any(isinstance(s, api.Transfer) and s.queue == "store" for s in tile.steps)
        ][-1]
        kept = tuple(
            s
            for s in last.steps
            if not isinstance(s, api.Transfer) or s.queue != "store"
        )
        tiles = (*whole.tiles[:at], replace(last, steps=kept), *whole.tiles[at + 1 :])
        return replace(whole, tiles=tiles)""",
        check="tiling.covers",
        says=("never writes", "the first at", "htvm_schedule of npu"),
    ),
    "missing wait": Planted(
        file=PLUGIN,
        old="return tiling.program if isinstance(tiling, api.ProgramTiling) else None",
        new="""from dataclasses import replace

        if not isinstance(tiling, api.ProgramTiling):
            return None
        whole = tiling.program
        steps = tuple(s for s in whole.tiles[0].steps if s != api.Wait(queue="load"))
        return replace(whole, tiles=(replace(whole.tiles[0], steps=steps), *whole.tiles[1:]))""",
        check="tiling.covers",
        says=("still being written", "htvm_schedule of npu"),
    ),
    "non-deterministic tiler": Planted(
        file=ENGINE,
        old='array.integer("job_cycles") + passes(tile)',
        new='array.integer("job_cycles") + passes(tile) + __import__("random").randrange(9)',
        check="tiling.steady",
        says=("asked twice: cost", "random"),
    ),
    "negative cost": Planted(
        **_cost("api.Cost(total=-5, compute=7)"),
        check="tiling.costs",
        says=("total is -5", "htvm_cost"),
    ),
    "NaN cost": Planted(
        **_cost("api.Cost(total=float('nan'), compute=7)"),
        check="tiling.costs",
        says=("total is nan", "htvm_cost"),
    ),
    "cost that falls with the work": Planted(
        **_cost("api.Cost(total=10**9 // layer.output.elements, compute=10**9)"),
        check="tiling.grows",
        says=("with twice the outputs", "htvm_cost"),
    ),
    "cost that is not the program's": Planted(
        **_cost("api.Cost(total=2 * tiling.cost.total, compute=2 * tiling.cost.total)"),
        check="tiling.timeline",
        says=("its program takes", "htvm_cost"),
    ),
    "cost that disagrees with the emulator": Planted(
        file=ENGINE,
        old='array.integer("job_cycles") + passes(tile)',
        new='array.integer("job_cycles") + 2 * passes(tile)',
        check="tiling.counted",
        says=("the emulation counts", "htvm_cost"),
    ),
    "C that draws a warning": Planted(
        file=PLUGIN,
        old="return None if program is None else self.driver.emit(program)",
        new="""from dataclasses import replace

        if program is None:
            return None
        code = self.driver.emit(program)
        return replace(code, body="int unused = 3;\\n" + code.body)""",
        check="code.strict",
        says=("unused", "htvm_emit of npu"),
    ),
    "symbol missing": Planted(
        file=EMULATION,
        old="void acme_start(",
        new="void acme_begin_job(const acme_job *job);\nvoid acme_begin_job(",
        check="code.symbols",
        says=("acme_start", "htvm_runtime"),
    ),
    "C that depends on the process": Planted(
        file=PLUGIN,
        old="return None if program is None else self.driver.emit(program)",
        new="""from dataclasses import replace

        if program is None:
            return None
        code = self.driver.emit(program)
        return replace(code, comment=str(hash(code.body)))""",
        check="code.reproducible",
        says=("two processes", "sets and dictionaries"),
    ),
    "wait left out of the C": Planted(
        file=PLUGIN,
        old="return None if program is None else self.driver.emit(program)",
        new="""from dataclasses import replace

        if program is None:
            return None
        code = self.driver.emit(program)
        lines = [line for line in code.body.splitlines() if "ACME_LOAD" not in line]
        return replace(code, body="\\n".join(lines))""",
        check="code.sanitized",
        says=("waits", "htvm_emit of npu"),
    ),
    "packer with a swapped axis": Planted(
        file=PACK,
        old="groups.transpose(0, 4, 2, 1, 3)",
        new="groups.transpose(0, 4, 2, 3, 1)",
        check="numerics.layers",
        says=("elements differ", "the reference has", "htvm_pack"),
    ),
    "rounding off by one only at ties": Planted(
        file=EMULATION,
        old="    sum >>= htvm_get(job->engine, &spm, own + 12);",
        new="    const int shift = htvm_get(job->engine, &spm, own + 12);\n"
        "    sum = (sum >> shift) - (shift > 0 && (sum & ((1LL << shift) - 1)) == 0);",
        check="numerics.layers",
        says=("elements differ", "the reference has", "emulation"),
    ),
    "saturation missing": Planted(
        file=EMULATION,
        old="return (int32_t)(sum < job->lo ? job->lo : sum > job->hi ? job->hi : sum);",
        new="return (int32_t)sum;",
        check="numerics.layers",
        says=("elements differ", "the reference has", "emulation"),
    ),
    "padding value wrong": Planted(
        file=EMULATION,
        old=": job->pad_value;",
        new=": job->pad_value + 1;",
        check="numerics.layers",
        says=("elements differ", "the reference has", "emulation"),
    ),
    "stride ignored": Planted(
        file=EMULATION,
        old="* job->stride_columns - job->pad_left",
        new="* job->stride_rows - job->pad_left",
        check="numerics.layers",
        says=("stride (2, 1)", "how the kernel treats exactly that"),
    ),
}
"""Every fault, by what a person would call it."""
