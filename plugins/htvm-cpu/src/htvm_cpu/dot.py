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
from htvm_cpu.text import Lines, block, loop

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


def interleaved(weights: Array, outputs: int) -> Array:
    """Weights ``(N, K)`` as ``[ceil(N / outputs)][K][outputs]``."""
    rows, taps = weights.shape
    packed = np.zeros((padded(rows, outputs), taps), dtype=weights.dtype)
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
    stores = [f"acc[{p} * stride + {o}] = s{p}{o};" for p, o in pairs]
    twice = [line for part in range(2) for line in _step(pixels, outputs, step, part)]
    body = [
        f"const {activation.c_name} *const end = x + (taps - taps % 2) * {step};",
        *block("while (x != end)", [*twice, f"x += {2 * step};", f"w += {2 * outputs};"]),
        *block("if (taps % 2)", _step(pixels, outputs, step, 0)),
    ]
    lines = [
        "#if defined(__GNUC__) && !defined(__clang__) && defined(__riscv)",
        "#pragma GCC push_options",
        '#pragma GCC optimize("no-schedule-insns", "no-tree-ter")',
        "#endif",
        f"static void {name}(const {activation.c_name} *x, const {weight.c_name} *w,",
        "    int32_t taps, int32_t *acc, int32_t stride)",
        "{",
        f"    int32_t {sums};",
        *(f"    {line}" for line in [*body, *stores]),
        "}",
        "#if defined(__GNUC__) && !defined(__clang__) && defined(__riscv)",
        "#pragma GCC pop_options",
        "#endif",
    ]
    return name, "\n".join(lines)


def _step(pixels: int, outputs: int, step: int, part: int) -> Lines:
    """One product for every sum; the next activation is loaded before the last product is added."""
    lines = [f"const int32_t w{part}{o} = w[{part * outputs + o}];" for o in range(outputs)]
    loads = [f"const int32_t x{part}{p} = x[{part * step + p}];" for p in range(pixels)]
    lines.append(loads[0])
    last = outputs - 1
    for p in range(pixels):
        lines += [f"s{p}{o} += x{part}{p} * w{part}{o};" for o in range(last)]
        lines.append(f"const int32_t t{part}{p} = x{part}{p} * w{part}{last};")
        lines += loads[p + 1 : p + 2]
        lines.append(f"s{p}{last} += t{part}{p};")
    return lines


def float_block(outputs: int) -> tuple[str, str]:
    """Name and text of a function that multiplies a row with interleaved weights in float32.

    Every sum takes its products in the order of the row, so the text fixes the result to the bit.
    """
    name = f"htvm_dot{outputs}_float32"
    sums = ", ".join(f"s{o} = 0.0f" for o in range(outputs))
    step = [
        "const float v = x[k];",
        *(f"s{o} += v * w[{o}];" for o in range(outputs)),
        f"w += {outputs};",
    ]
    lines = [
        f"static void {name}(const float *x, const float *w, int32_t taps, float *acc)",
        "{",
        f"    float {sums};",
        *(f"    {line}" for line in loop("k", "taps", step)),
        *(f"    acc[{o}] = s{o};" for o in range(outputs)),
        "}",
    ]
    return name, "\n".join(lines)
