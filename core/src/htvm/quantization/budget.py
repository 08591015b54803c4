"""An accuracy budget: the layers whose quantisation harms most keep the source's real numbers.

A layer's harm is measured: the error of the network's output when this layer is quantised and no
other. Layers are exempted in this order until the network keeps within the budget, at the latest
when none is quantised any more. Those still quantised are rounded anew every time, in view of what
the exempt ones now give them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from htvm.deployment import AccuracyBudget
from htvm.partition.names import shortened
from htvm.quantization.network import FloatNetwork, Floats
from htvm.quantization.progress import SILENT, Listener
from htvm.quantization.quality import Quality, Run, Samples
from htvm.quantization.real import real_layers, sums
from htvm.quantization.threads import one_thread

Leaving = Callable[[frozenset[str]], Run]
"""The network in which the layers named, and no other, compute with real numbers."""

BUDGET_PROPERTY = "accuracy_budget"
"""The property of a quantised file that holds what became of its budget, as JSON."""

_DIGITS = 3
"""Digits of decibels that are stored; further ones depend on the machine that computed them."""
_NAME = 60
"""Characters of a layer's name that are shown."""
_TRIALS = 32
"""Samples by which layers are compared with each other."""


@dataclass(frozen=True, kw_only=True)
class Exemption:
    """A layer that keeps its real numbers.

    Attributes:
        layer: Its name.
        alone_db: Signal to noise of the output when no layer but this is quantised, on the
            samples that layers are compared by.
        followed: Other layers that compute with real numbers since then.
        after: The network's quality with it.
    """

    layer: str
    alone_db: float
    followed: tuple[str, ...]
    after: Quality


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What became of a budget.

    Attributes:
        budget: What was asked.
        judged_on: The samples, for people.
        samples: Their number.
        source_correct: Samples the source network gets right; None without labels.
        quantised: Quality with every layer quantised.
        exemptions: The layers that keep their real numbers, in the order chosen.
    """

    budget: AccuracyBudget
    judged_on: str
    samples: int
    source_correct: int | None
    quantised: Quality
    exemptions: tuple[Exemption, ...] = ()

    @property
    def exempt(self) -> frozenset[str]:
        """Names of the layers chosen."""
        return frozenset(step.layer for step in self.exemptions)

    @property
    def real(self) -> frozenset[str]:
        """Names of all layers that compute with real numbers."""
        followed = (name for step in self.exemptions for name in step.followed)
        return self.exempt.union(followed)

    @property
    def last(self) -> Quality:
        """Quality with all exemptions."""
        return self.exemptions[-1].after if self.exemptions else self.quantised

    @property
    def is_kept(self) -> bool:
        """Whether the network keeps within the budget."""
        return self._within(self.last)

    def document(self) -> dict[str, object]:
        """For reports, as plain data."""
        right = self.source_correct
        return {
            "max_drop": self.budget.max_drop,
            "min_sqnr_db": self.budget.min_sqnr_db,
            "judged_on": self.judged_on,
            "samples": self.samples,
            "source_accuracy": None if right is None else right / self.samples,
            "quantised": self._as_data(self.quantised),
            "is_kept": self.is_kept,
            "exemptions": [
                {
                    "layer": step.layer,
                    "followed": list(step.followed),
                    "alone_db": round(step.alone_db, _DIGITS),
                    "after": self._as_data(step.after),
                }
                for step in self.exemptions
            ],
        }

    def _as_data(self, quality: Quality) -> dict[str, float | None]:
        right = quality.correct
        accuracy = None if right is None else right / self.samples
        return {"accuracy": accuracy, "sqnr_db": round(quality.sqnr_db, _DIGITS)}

    def _within(self, quality: Quality) -> bool:
        wanted = self.budget.min_sqnr_db
        if wanted is not None and quality.sqnr_db < wanted:
            return False
        most = self.budget.max_drop
        if most is None or quality.correct is None or self.source_correct is None:
            return True
        lost = 100 * (self.source_correct - quality.correct) / self.samples
        return lost <= most + 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Search:
    """What the layers to exempt are chosen by.

    Attributes:
        network: The source.
        apart: Makes networks each of whose layers is rounded by itself, to compare layers.
        together: Makes networks whose layers are rounded in view of each other, to be used.
        judged: The samples the budget is about.
        trials: The samples by which layers are compared.
    """

    network: FloatNetwork
    apart: Leaving
    together: Leaving
    judged: Samples
    trials: Samples


def trials_of(arrays: Mapping[str, Floats]) -> dict[str, Floats]:
    """A few of the samples, spread over all."""
    count = len(next(iter(arrays.values())))
    step = max(1, count // _TRIALS)
    return {name: array[::step][:_TRIALS] for name, array in arrays.items()}


@one_thread
def spend(budget: AccuracyBudget, search: Search, listener: Listener = SILENT) -> Spending:
    """Exempt one layer after another until the network keeps within the budget.

    Args:
        budget: What was asked.
        search: The network and how to judge it.
        listener: Told as the work goes on.
    """
    judged = search.judged
    spending = Spending(
        budget=budget,
        judged_on=judged.origin,
        samples=judged.count,
        source_correct=judged.source_correct,
        quantised=judged.quality(search.together(frozenset())),
    )
    if judged.source_correct is not None:
        listener.line(f"the source: accuracy {judged.source_correct / judged.count:.2%}")
    listener.line(f"every layer quantised: {told(spending.quantised, judged.count)}")
    if spending.is_kept:
        return spending
    for name, alone_db in _by_harm(search, listener):
        if name in real_layers(search.network, spending.exempt):
            continue
        listener.status(f"leaving {shortened(name, _NAME)} real")
        step = _exempted(search, spending.exempt, name, alone_db)
        spending = replace(spending, exemptions=(*spending.exemptions, step))
        listener.line(f"{shortened(name, _NAME)} real: {told(step.after, judged.count)}")
        if spending.is_kept:
            break
    return spending


def told(quality: Quality, samples: int) -> str:
    """A quality in words."""
    noise = f"{quality.sqnr_db:.1f} dB"
    if quality.correct is None:
        return noise
    return f"accuracy {quality.correct / samples:.2%}, {noise}"


def _by_harm(search: Search, listener: Listener) -> list[tuple[str, float]]:
    """Every layer with the output's signal to noise when it alone is quantised, worst first."""
    names = sums(search.network)
    looking = listener.at("which layer harms most")
    harm = {}
    for layer in looking.over(layer for layer in search.network.layers if layer.name in names):
        alone = frozenset({layer.name})
        run = search.apart(real_layers(search.network, frozenset(names) - alone, alone))
        harm[layer.name] = search.trials.quality(run).sqnr_db
    return sorted(harm.items(), key=lambda pair: pair[1])


def _exempted(search: Search, exempt: frozenset[str], name: str, alone_db: float) -> Exemption:
    network = search.network
    real = real_layers(network, exempt | {name})
    more = real - real_layers(network, exempt)
    return Exemption(
        layer=name,
        alone_db=alone_db,
        followed=tuple(layer.name for layer in network.layers if layer.name in more - {name}),
        after=search.judged.quality(search.together(real)),
    )
