"""The conformance kit: what a target claims, held against what it does."""

from htvm.testing.conformance import Conformance
from htvm.testing.kit import run_kit
from htvm.testing.outcome import Fault, Outcome, Status
from htvm.testing.scorecard import Scorecard
from htvm.testing.subject import Subject

__all__ = ["Conformance", "Fault", "Outcome", "Scorecard", "Status", "Subject", "run_kit"]
