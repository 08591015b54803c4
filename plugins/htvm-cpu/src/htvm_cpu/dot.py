"""Blocks of dot products: the inner loops of convolution, dense and matmul.

Two forms. The vectorised one reads int16 activations and int8 or int16 weights, each row
contiguous and padded to a multiple of 8: compilers turn it into multiply-add instructions on
pairs. The scalar one reads both operands interleaved, so that every load has a constant offset
from a running pointer and 16 accumulators stay in registers.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

from htvm.api import Array, DType
from htvm_cpu.text import Lines, loop

Ints = npt.NDArray[np.int64]

LANES = 8
"""Multiple to which the vectorised form pads the number of products."""


def padded(count: int, multiple: int) -> int:
    """``count`` rounded up."""
    return -(-count // multiple) * multiple


def vector_rows(weights: Ints, outputs: int) -> Array:
    """Weights ``(N, K)`` as N padded to ``outputs`` and K to ``LANES``, row by row."""
    rows, taps = weights.shape
    packed = np.zeros((padded(rows, outputs), padded(taps, LANES)), dtype=np.int64)
    packed[:rows, :taps] = weights
    return packed.reshape(-1)


def interleaved(weights: Ints, outputs: int) -> Array:
    """Weights ``(N, K)`` as ``[ceil(N / outputs)][K][outputs]``."""
    rows, taps = weights.shape
    packed = np.zeros((padded(rows, outputs), taps), dtype=np.int64)
    packed[:rows] = weights
    return packed.reshape(-1, outputs, taps).transpose(0, 2, 1).reshape(-1)


def vector_block(pixels: int, outputs: int, taps: int) -> Lines:
    """Sums ``s<p><o>`` of rows ``x`` (stride ``taps``) with rows ``w`` (stride ``taps``)."""
    pairs = list(product(range(pixels), range(outputs)))
    names = ", ".join(f"s{p}{o} = 0" for p, o in pairs)
    body = [f"s{p}{o} += x[{_row(p, taps)}] * w[{_row(o, taps)}];" for p, o in pairs]
    return [f"int32_t {names};", *loop("k", taps, body)]


def _row(number: int, taps: int) -> str:
    return "k" if number == 0 else f"k + {number * taps}"


def scalar_block(
    pixels: int, outputs: int, activation: DType, weight: DType, *, step: int
) -> tuple[str, str]:
    """Name and text of a function that sums interleaved operands.

    The function adds nothing: it writes ``pixels * outputs`` sums to ``acc``, pixel by pixel,
    ``stride`` apart. Neighbouring elements of a row of ``x`` are ``step`` apart.
    """
    name = f"htvm_dot{pixels}x{outputs}_{activation.value}_{weight.value}_{step}"
    pairs = list(product(range(pixels), range(outputs)))
    sums = ", ".join(f"s{p}{o} = 0" for p, o in pairs)
    body = [
        *(f"const int32_t w{o} = w[{o}];" for o in range(outputs)),
        *(
            line
            for p in range(pixels)
            for line in (
                f"const int32_t x{p} = x[{p}];",
                *(f"s{p}{o} += x{p} * w{o};" for o in range(outputs)),
            )
        ),
        f"x += {step};",
        f"w += {outputs};",
    ]
    stores = [f"acc[{p} * stride + {o}] = s{p}{o};" for p, o in pairs]
    lines = [
        "#if defined(__GNUC__) && !defined(__clang__) && defined(__riscv)",
        "#pragma GCC push_options",
        '#pragma GCC optimize("no-schedule-insns", "unroll-loops")',
        "#endif",
        f"static void {name}(const {activation.c_name} *x, const {weight.c_name} *w,",
        "    int32_t taps, int32_t *acc, int32_t stride)",
        "{",
        f"    int32_t {sums};",
        *(f"    {line}" for line in loop("k", "taps", body)),
        *(f"    {line}" for line in stores),
        "}",
        "#if defined(__GNUC__) && !defined(__clang__) && defined(__riscv)",
        "#pragma GCC pop_options",
        "#endif",
    ]
    return name, "\n".join(lines)
