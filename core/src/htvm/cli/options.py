"""Options that several commands share, and how they become a request."""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from htvm.errors import UsageError

if TYPE_CHECKING:
    from htvm.deployment import AccuracyBudget, CalibrationOptions, Request, VerifyOptions
    from htvm.host.inputs import InputSpec

_EXTENT = re.compile("[1-9][0-9]{0,9}")
_ONLY_CALIBRATED = (
    ("--calib", "calib"),
    ("--max-drop", "max_drop"),
    ("--min-sqnr", "min_sqnr"),
    ("--eval", "judged_on"),
)
F = TypeVar("F", bound=Callable[..., Any])


def _apply(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    def wrap(function: F) -> F:
        for decorate in reversed(decorators):
            function = decorate(function)
        return function

    return wrap


as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")

network = _apply(
    click.argument("model", type=click.Path(path_type=Path)),
    click.option(
        "--shape",
        "shapes",
        multiple=True,
        metavar="INPUT=1x3x32x32",
        help="Shape of an input, in place of the file's.",
    ),
)

build = _apply(
    network,
    click.option(
        "-t",
        "--target",
        required=True,
        help="Target id (`htvm targets` lists them), or path of a .py or .toml file or a folder.",
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a hardware number or a target's option.",
    ),
    click.option(
        "--pin",
        "pins",
        multiple=True,
        metavar="LAYER=ENGINE",
        help="Run a layer on this engine.",
    ),
    click.option("--strict", is_flag=True, help="Refuse to run any layer on the host."),
)

inputs = _apply(
    click.option(
        "--inputs",
        "given",
        metavar="FILE[:KEY]",
        help="Samples to verify with: .npz or .npy; an array 'labels' gives accuracy.",
    ),
    click.option(
        "--input-layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="Axis order of the samples, when it is not the network's.",
    ),
    click.option(
        "--input-scale", type=float, default=1.0, show_default=True, help="Multiply samples first."
    ),
    click.option(
        "--input-offset", type=float, default=0.0, show_default=True, help="Then add this."
    ),
    click.option(
        "--source",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The network MODEL was quantised from: compare results with it, not with MODEL.",
    ),
    click.option(
        "--random",
        "random_samples",
        type=click.IntRange(0, 10_000),
        default=4,
        show_default=True,
        help="Random samples to verify with.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0),
        default=0,
        show_default=True,
        help="Of the random samples.",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        help="Longest time one layer may take while verifying; default: 60 s and more for large "
        "layers.",
    ),
    click.option(
        "--sanitize", is_flag=True, help="Build with AddressSanitizer and UBSan to verify."
    ),
)


numerics = click.option(
    "--numerics",
    type=click.Choice(["exact", "calibrated"]),
    default="exact",
    show_default=True,
    help="exact never changes a number of the network; calibrated quantises it to the target's "
    "arithmetic, looking at --calib.",
)

calibration = _apply(
    click.option(
        "--calib",
        metavar="FILE[:KEY]",
        help="Calibration samples: .npz or .npy, or a folder of images.",
    ),
    click.option(
        "--calib-layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="Axis order of the calibration samples, when it is not the network's.",
    ),
    click.option(
        "--calib-scale",
        type=float,
        default=1.0,
        show_default=True,
        help="Multiply calibration samples first.",
    ),
    click.option(
        "--calib-offset", type=float, default=0.0, show_default=True, help="Then add this."
    ),
    click.option(
        "--calib-samples",
        type=click.IntRange(1),
        help="Use at most this many calibration samples, drawn by the seed.",
    ),
    click.option(
        "--calib-seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Of what calibration draws.",
    ),
    click.option(
        "--max-drop",
        type=click.FloatRange(0, 100),
        metavar="POINTS",
        help="Accuracy quantising may cost, in percentage points. Layers that spend too much stay "
        "in float32, on the host.",
    ),
    click.option(
        "--min-sqnr",
        type=click.FloatRange(0, 1000),
        metavar="DB",
        help="The same by signal to noise at the output, which takes no labels.",
    ),
    click.option(
        "--eval",
        "judged_on",
        metavar="FILE[:KEY]",
        help="Samples to measure that on, with an array 'labels'; prepared like those of --calib. "
        "Default: those of --calib.",
    ),
)


def pairs(texts: tuple[str, ...], option: str) -> dict[str, str]:
    """``("a=1", ..)`` as a mapping; the last equals sign splits, so names may hold one."""
    found = {}
    for text in texts:
        key, equals, value = text.rpartition("=")
        if not equals or not key or not value:
            raise UsageError(
                f"{option} takes KEY=VALUE", code="E130", seen=text, hint=f"{option} key=value"
            )
        found[key] = value
    return found


def parse_shapes(texts: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    """``("x=1x3x8x8", ..)`` as shapes by input name."""
    shapes = {}
    for name, text in pairs(texts, "--shape").items():
        parts = text.lower().split("x")
        if not all(_EXTENT.fullmatch(part) for part in parts):
            raise UsageError(
                f"--shape {name} is not a shape",
                code="E131",
                seen=text,
                accepted="positive extents joined by x",
                hint=f"--shape {name}=1x3x32x32",
            )
        shapes[name] = tuple(int(part) for part in parts)
    return shapes


def calibration_options(values: dict[str, Any]) -> CalibrationOptions:
    """What the options of :data:`calibration` ask for.

    Raises:
        UsageError: E100.
    """
    from htvm.deployment import CalibrationOptions

    return CalibrationOptions(
        data=_calibration_data(values),
        samples=values["calib_samples"],
        seed=values["calib_seed"],
        budget=_accuracy_budget(values),
    )


def _calibration_data(values: dict[str, Any]) -> InputSpec:
    if not values["calib"]:
        raise UsageError(
            "quantising takes calibration data",
            accepted="--calib FILE[:KEY] with .npz or .npy, or a folder of images",
            hint="--calib data.npz",
        )
    return _prepared_like_calibration(values["calib"], values)


def _accuracy_budget(values: dict[str, Any]) -> AccuracyBudget | None:
    """What quantising may cost; None without limit."""
    from htvm.deployment import AccuracyBudget

    drop, noise, samples = values["max_drop"], values["min_sqnr"], values["judged_on"]
    if drop is None and noise is None:
        if samples:
            raise UsageError(
                "--eval is of use only to an accuracy budget",
                seen=f"--eval {samples}",
                hint="--max-drop POINTS or --min-sqnr DB",
            )
        return None
    for option, number in (("--max-drop", drop), ("--min-sqnr", noise)):
        if number is not None and not isfinite(number):
            raise UsageError(f"{option} takes a number", seen=str(number))
    return AccuracyBudget(
        max_drop=drop,
        min_sqnr_db=noise,
        judged_on=_prepared_like_calibration(samples, values) if samples else None,
    )


def _prepared_like_calibration(text: str, values: dict[str, Any]) -> InputSpec:
    from htvm.host.inputs import parse_spec

    return parse_spec(
        text,
        layout=values["calib_layout"],
        scale=values["calib_scale"],
        offset=values["calib_offset"],
    )


def verify_options(values: dict[str, Any], *, required: bool) -> VerifyOptions:
    """The verification asked for by the options of :data:`inputs`.

    Raises:
        UsageError: E100.
    """
    from htvm.deployment import VerifyOptions
    from htvm.host.inputs import parse_spec

    if values["source"] and not values["given"]:
        raise UsageError("--source leaves nothing to compare", hint="--inputs FILE[:KEY]")
    spec = values["given"] and parse_spec(
        values["given"],
        layout=values["input_layout"],
        scale=values["input_scale"],
        offset=values["input_offset"],
    )
    return VerifyOptions(
        random=values["random_samples"],
        given=(spec,) if spec else (),
        sanitize=values["sanitize"],
        required=required,
        seed=values["seed"],
        timeout_s=values["timeout"],
        source=values["source"],
    )


def refuse_samples(values: dict[str, Any]) -> None:
    """Refuse what only verification uses, where there is to be none.

    Raises:
        UsageError: E100.
    """
    asked = (("--inputs", "given"), ("--sanitize", "sanitize"), ("--source", "source"))
    useless = [option for option, key in asked if values[key]]
    if useless:
        raise UsageError(
            f"--no-verify leaves no use for {useless[0]}", hint="leave out one of them"
        )


def request(
    values: dict[str, Any],
    *,
    verify: VerifyOptions | None,
    output: Path | None = None,
    upto: str = "compare",
) -> Request:
    """The request asked for by the options of :data:`build`."""
    from htvm.deployment import Request

    return Request(
        path=values["model"],
        target=values["target"],
        output=output,
        shapes=parse_shapes(values["shapes"]),
        settings=pairs(values["settings"], "--set"),
        pins=pairs(values["pins"], "--pin"),
        strict=values["strict"],
        verify=verify,
        calibration=_wanted_calibration(values),
        upto=upto,
    )


def _wanted_calibration(values: dict[str, Any]) -> CalibrationOptions | None:
    """What ``--numerics`` asks for; calibration data without it would go unused."""
    if values.get("numerics", "exact") == "calibrated":
        return calibration_options(values)
    for option, key in _ONLY_CALIBRATED:
        if values.get(key) not in (None, ""):
            raise UsageError(
                f"{option} is of use only to --numerics calibrated",
                seen=f"{option} with --numerics exact",
                hint="--numerics calibrated --calib ...",
            )
    return None
