"""Holds BLAS to one thread.

Calibration is thousands of small products. A second thread shortens hardly any of them, and where
another program wants the processor the threads wait for each other, several times as long as the
work takes. One thread also adds numbers up in one order, whatever the machine.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from threadpoolctl import threadpool_limits

Given = ParamSpec("Given")
Result = TypeVar("Result")


def one_thread(function: Callable[Given, Result]) -> Callable[Given, Result]:
    """Run a function with BLAS on one thread, and leave BLAS as it was afterwards."""

    @wraps(function)
    def limited(*given: Given.args, **named: Given.kwargs) -> Result:
        with threadpool_limits(limits=1):
            return function(*given, **named)

    return limited
