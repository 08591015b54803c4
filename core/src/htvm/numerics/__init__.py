"""The integer reference, independent of everything that generates code."""

from htvm.numerics.execute import apply, execute
from htvm.numerics.inputs import random_inputs

__all__ = ["apply", "execute", "random_inputs"]
