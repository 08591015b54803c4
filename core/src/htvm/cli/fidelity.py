"""How near the generated C is to the labels and to the source network, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from htvm.cli import console

if TYPE_CHECKING:
    from htvm.report.model import Fidelity, LayerError, Report

_NAME_WIDTH = 36


def accuracy_lines(report: Report) -> list[str]:
    """Accuracy and agreement with the source, as far as there is something to tell."""
    accuracy, fidelity = report.verification.accuracy, report.verification.fidelity
    lines = []
    if accuracy is not None:
        line = (
            f"accuracy {accuracy.top1:.2%}  ({accuracy.correct:,} of {accuracy.labels:,} samples)"
        )
        if fidelity is not None and fidelity.source_accuracy is not None:
            line += f"; the source in its own runtime {fidelity.source_accuracy.top1:.2%}"
        lines.append(line)
    if fidelity is None:
        return lines
    if fidelity.same_class is not None:
        share = fidelity.same_class / fidelity.samples
        lines.append(
            f"same class as the source in {share:.2%}  "
            f"({fidelity.same_class:,} of {fidelity.samples:,} samples)"
        )
    return [*lines, *_loss_lines(fidelity)]


def show_layer_errors(fidelity: Fidelity) -> None:
    """A table of the tensors that differ."""
    differing = [error for error in fidelity.layers if error.sqnr_db is not None]
    if not differing:
        return
    most = max(error.lost_db for error in differing)
    rows = [
        (
            shortened(error.layer),
            _steps(error.max_lsb),
            _steps(error.mean_lsb),
            ratio(error),
            f"-{most:.1f} dB" if error.lost_db == most > 0 else "",
        )
        for error in differing
    ]
    columns = ("max LSB", "mean LSB", "SQNR", "most lost")
    shown = console.table((("layer", False), *((name, True) for name in columns)), rows)
    console.people().print(shown)


def ratio(error: LayerError) -> str:
    """Signal to error of a layer."""
    return "equal" if error.sqnr_db is None else f"{error.sqnr_db:.1f} dB"


def shortened(name: str) -> str:
    """A long name without its middle."""
    if len(name) <= _NAME_WIDTH:
        return name
    half = _NAME_WIDTH // 2 - 1
    return f"{name[:half]}…{name[-half:]}"


def _steps(number: float | None) -> str:
    if number is None:
        return ""
    return f"{number:.0f}" if number == round(number) else f"{number:.3g}"


def _loss_lines(fidelity: Fidelity) -> list[str]:
    if fidelity.worst_layer is None:
        return []
    worst = max(fidelity.layers, key=lambda error: error.lost_db)
    name, lost = shortened(worst.layer), f"{worst.lost_db:.1f} dB"
    return [f"most is lost in {name}: {lost}, down to {ratio(worst)}"]
