"""Sums of whole rows, four bytes at a time, for scalar cores.

A word of four bytes is split into two halves of two 16-bit lanes each, which are added up; signed
bytes are made unsigned first by turning their top bits. The order of bytes in a word does not
matter to a sum, so rows with reversed words need nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

from htvm.api import DType, Layout
from htvm_cpu.place import element
from htvm_cpu.text import Lines, block, loop

_WORD = 4
_MOST_WORDS = 257
"""Words whose bytes a 16-bit lane can add up: 257 * 255 = 65535."""

_UNROLLED_WORDS = 8
_CYCLES_WORD = 6.3
_CYCLES_BYTE = 3.0
_CYCLES_ROW = 5.0
_CYCLES_SUM = 12.0


@dataclass(frozen=True, kw_only=True)
class PackedRows:
    """Rows that can be summed word by word.

    Attributes:
        layout: Layout of the image.
        dtype: int8 or uint8.
        axis: The axis rows run along: 2 (transposed maps) or 3.
        extent: Elements of a row.
        rows: Rows of a window.
    """

    layout: Layout
    dtype: DType
    axis: int
    extent: int
    rows: int

    @property
    def words(self) -> int:
        """Whole words of a row."""
        return self.extent // _WORD

    @property
    def cycles(self) -> float:
        """RI5CY cycles of a window's sum."""
        rest = self.extent % _WORD
        row = _CYCLES_ROW + self.words * _CYCLES_WORD + rest * _CYCLES_BYTE
        return self.rows * row + _CYCLES_SUM


def packed_rows(
    layout: Layout,
    dtype: DType,
    shape: tuple[int, ...],
    kernel: tuple[int, int],
    pad: tuple[int, int, int, int],
) -> PackedRows | None:
    """The rows of a pool's windows, if windows span them and words start with them."""
    if dtype not in (DType.INT8, DType.UINT8) or any(pad):
        return None
    for axis in (2, 3):
        spans = kernel[axis - 2] == shape[axis]
        rows = kernel[3 - axis]
        if spans and _starts_words(layout, axis) and rows * shape[axis] <= _WORD * _MOST_WORDS:
            return PackedRows(layout=layout, dtype=dtype, axis=axis, extent=shape[axis], rows=rows)
    return None


def _starts_words(layout: Layout, axis: int) -> bool:
    row = layout.axes[axis]
    others = [other for number, other in enumerate(layout.axes) if number != axis]
    aligned = all(
        other.block == 1 and (other.stride * max(1, other.offset)) % _WORD == 0 for other in others
    )
    return aligned and row.stride == 1 and row.block == 1 and row.offset % _WORD == 0


def sum_lines(packed: PackedRows, first: str, last: str) -> Lines:
    """C that adds rows ``first`` up to ``last`` of channel ``c`` to ``sum``."""
    row = "iy" if packed.axis == 3 else "ix"
    start = _place(packed, row, "0", turned=False)
    turn = " ^ UINT32_C(0x80808080)" if packed.dtype is DType.INT8 else ""
    if not packed.words:
        return block(
            f"for (int32_t {row} = {first}; {row} < {last}; {row}++)", _add_rest(packed, row)
        )
    body = [f"const uint32_t *word = (const uint32_t *)(const void *)(in0 + {start});"]
    if packed.words <= _UNROLLED_WORDS:
        for number in range(packed.words):
            body += _add_word(f"word[{number}]{turn}", f"four{number}")
    else:
        body += loop("i", packed.words, _add_word(f"word[i]{turn}", "four"))
    body += _add_rest(packed, row)
    bias = 128 * _WORD * packed.words * packed.rows if turn else 0
    lanes = "(even & 0xffff) + (even >> 16) + (odd & 0xffff) + (odd >> 16)"
    return [
        "uint32_t even = 0, odd = 0;",
        *block(f"for (int32_t {row} = {first}; {row} < {last}; {row}++)", body),
        f"sum += (int32_t)({lanes}) - {bias};",
    ]


def _add_rest(packed: PackedRows, row: str) -> Lines:
    """The bytes of a row behind its last whole word."""
    return [
        f"sum += in0[{_place(packed, row, str(index), turned=True)}];"
        for index in range(packed.words * _WORD, packed.extent)
    ]


def _add_word(value: str, name: str) -> Lines:
    return [
        f"const uint32_t {name} = {value};",
        f"even += {name} & UINT32_C(0xff00ff);",
        f"odd += {name} >> 8 & UINT32_C(0xff00ff);",
    ]


def _place(packed: PackedRows, row: str, index: str, *, turned: bool) -> str:
    indices = ("0", "c", row, index) if packed.axis == 3 else ("0", "c", index, row)
    plain = packed.layout if turned else _unturned(packed.layout)
    return element(plain, indices)


def _unturned(layout: Layout) -> Layout:
    return Layout(name=layout.name, axes=layout.axes, size=layout.size)
