"""Why a layer runs where it does, in words."""

from __future__ import annotations

from types import SimpleNamespace

from htvm.dispatch.plan import Alternative
from htvm.report.reasons import reason


def told(engine: str, *alternatives: Alternative) -> str:
    layer = SimpleNamespace(nodes=(), macs=0)
    cost = SimpleNamespace(total=10)
    return reason(SimpleNamespace(engine=engine, alternatives=alternatives, layer=layer, cost=cost))


def refusal(engine: str, text: str) -> Alternative:
    return Alternative(engine=engine, pattern="p", cycles=None, reason=text)


def test_what_keeps_the_chosen_engine_from_another_pattern_is_no_reason_for_it() -> None:
    own, other = refusal("cpu", "some rule of the host"), refusal("array", "K = 16: 3")
    assert told("cpu", own) == "only cpu has a pattern for it"
    assert told("cpu", own, other) == "only cpu takes it: array (p): K = 16: 3"
