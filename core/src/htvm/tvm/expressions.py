"""TIR expressions as C99 text.

TIR means what C means for everything printed here, with three exceptions taken care of: narrow
integers (C computes in ``int``), left shifts of signed values (undefined in C) and float constants
(printed in hexadecimal, so that no digit is lost). Signed overflow stays undefined: definitions
that wrap compute in unsigned types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from htvm.errors import InternalError
from htvm.tvm.helpers import PREFIX, selection

_ATOM = 100
_UNARY = 90
_CONDITIONAL = 5

_BINARY = {
    "Mul": ("*", 80),
    "Div": ("/", 80),
    "Mod": ("%", 80),
    "Add": ("+", 70),
    "Sub": ("-", 70),
    "LShift": ("<<", 60),
    "RShift": (">>", 60),
    "LT": ("<", 50),
    "LE": ("<=", 50),
    "GT": (">", 50),
    "GE": (">=", 50),
    "EQ": ("==", 45),
    "NE": ("!=", 45),
    "BitwiseAnd": ("&", 40),
    "BitwiseXor": ("^", 39),
    "BitwiseOr": ("|", 38),
    "And": ("&&", 20),
    "Or": ("||", 19),
}
_CALLS_OF_FLOATS = {
    "nearbyint": "nearbyintf",
    "round": "nearbyintf",
    "exp": "expf",
    "tanh": "tanhf",
    "sqrt": "sqrtf",
    "floor": "floorf",
    "ceil": "ceilf",
    "trunc": "truncf",
    "fabs": "fabsf",
}
_OPERATORS = {
    "shift_right": "RShift",
    "shift_left": "LShift",
    "bitwise_and": "BitwiseAnd",
    "bitwise_or": "BitwiseOr",
    "bitwise_xor": "BitwiseXor",
}
_C_TYPES = {"float32": "float", "float64": "double", "bool": "uint8_t"}
_NARROW = frozenset(("int8", "uint8", "int16", "uint16"))
_ARITHMETIC = frozenset("*/%+-")
_COMPARISONS = frozenset(("<", "<=", ">", ">=", "==", "!="))
_LOGIC = frozenset(("&&", "||"))


def c_type(dtype: str) -> str:
    """The C99 type of a TIR element type."""
    return _C_TYPES.get(dtype, f"{dtype}_t")


@dataclass(frozen=True)
class _Text:
    """C text and how tightly its outermost operator binds."""

    code: str
    level: int
    operator: str = ""


class Expressions:
    """Prints expressions.

    Args:
        variable: Gives the C text of a variable.
        load: Gives the C text of an element of a buffer, from the buffer and its printed index.
    """

    def __init__(self, variable: Callable[[Any], str], load: Callable[[Any, str], str]) -> None:
        self._variable = variable
        self._load = load
        self.headers: set[str] = set()
        self.helpers: set[str] = set()

    def text(self, node: Any) -> str:
        """``node`` as C, without enclosing parentheses."""
        return self._print(node).code

    def _print(self, node: Any) -> _Text:
        kind = type(node).__name__
        if kind in _BINARY:
            return self._binary(kind, node.a, node.b, _dtype(node))
        method = getattr(self, f"_print_{kind.lower()}", None)
        if method is None:
            raise InternalError(f"no C for the TIR expression {kind}", seen=str(node))
        result: _Text = method(node)
        return result

    def _binary(self, kind: str, left: Any, right: Any, dtype: str) -> _Text:
        operator, level = _BINARY[kind]
        if kind == "LShift" and dtype.startswith("int"):
            unsigned = c_type(f"u{dtype}")
            shifted = f"({unsigned}){self._tight(left)} << {self._tight(right)}"
            return _Text(f"({c_type(dtype)})({shifted})", _UNARY)
        a = self._operand(left, level, operator)
        b = self._operand(right, level + 1, operator)
        combined = _Text(f"{a} {operator} {b}", level, operator)
        if dtype in _NARROW:
            return _Text(f"({c_type(dtype)})({combined.code})", _UNARY)
        return combined

    def _operand(self, node: Any, level: int, parent: str) -> str:
        text = self._print(node)
        if text.level < level or not _plain(text.operator, parent):
            return f"({text.code})"
        return text.code

    def _tight(self, node: Any) -> str:
        text = self._print(node)
        return text.code if text.level >= _UNARY else f"({text.code})"

    def _print_var(self, node: Any) -> _Text:
        return _Text(self._variable(node), _ATOM)

    def _print_tensorload(self, node: Any) -> _Text:
        (index,) = node.indices
        return _Text(self._load(node.source, self.text(index)), _ATOM)

    def _print_intimm(self, node: Any) -> _Text:
        return integer(int(node.value), _dtype(node))

    def _print_floatimm(self, node: Any) -> _Text:
        return _Text(float32(float(node.value)), _UNARY)

    def _print_cast(self, node: Any) -> _Text:
        return self._print_cast_to(_dtype(node), node.value)

    def _print_cast_to(self, dtype: str, value: Any) -> _Text:
        if dtype == "bool":
            return _Text(f"{self._tight(value)} != 0", 45, "!=")
        inner = _cast_operand(value)
        if inner is not None and _bits(_dtype(value)) >= _bits(dtype) > 0 < _bits(_dtype(inner)):
            # A cast on the way that loses no bit that is kept is noise.
            return self._print_cast_to(dtype, inner)
        if _dtype(value) == dtype:
            return self._print(value)
        return _Text(f"({c_type(dtype)}){self._tight(value)}", _UNARY)

    def _print_not(self, node: Any) -> _Text:
        return _Text(f"!{self._tight(node.a)}", _UNARY)

    def _print_min(self, node: Any) -> _Text:
        return self._pick("min", node)

    def _print_max(self, node: Any) -> _Text:
        return self._pick("max", node)

    def _pick(self, function: str, node: Any) -> _Text:
        # A function, not a conditional: operands are long, and C would name each twice.
        return self._call(selection(function, _dtype(node)), [node.a, node.b])

    def _print_select(self, node: Any) -> _Text:
        return self._choose(node.condition, node.true_value, node.false_value)

    def _choose(self, condition: Any, yes: Any, no: Any) -> _Text:
        parts = (self._tight(part) for part in (condition, yes, no))
        return _Text("({} ? {} : {})".format(*parts), _ATOM)

    def _print_call(self, node: Any) -> _Text:
        name, dtype = node.op.name.rsplit(".", 1)[-1], _dtype(node)
        arguments = list(node.args)
        if name in _OPERATORS:
            left, right = arguments
            return self._binary(_OPERATORS[name], left, right, dtype)
        if name in _CALLS_OF_FLOATS:
            return self._call(_CALLS_OF_FLOATS[name], arguments)
        printers: dict[str, Callable[..., _Text]] = {
            "if_then_else": self._choose,
            "likely": self._print,
            "reinterpret": lambda value: self._print_cast_to(dtype, value),
            "call_pure_extern": lambda function, *rest: self._call(function.value, rest),
        }
        if name not in printers:
            raise InternalError(f"no C for the TIR intrinsic {name}", seen=str(node))
        return printers[name](*arguments)

    def _call(self, function: str, arguments: Sequence[Any]) -> _Text:
        if function.startswith(PREFIX):
            self.helpers.add(function)
        else:
            self.headers.add("math.h")
        return _Text(f"{function}({', '.join(map(self.text, arguments))})", _ATOM)


def _plain(inner: str, outer: str) -> bool:
    """Whether ``inner`` may stand in ``outer`` unbracketed, for compilers and readers alike."""
    if inner in ("", outer):
        return True
    if inner in _ARITHMETIC:
        return outer in _ARITHMETIC or outer in _COMPARISONS
    return inner in _COMPARISONS and outer in _LOGIC


def integer(value: int, dtype: str) -> _Text:
    """An integer constant of a type, exact and without a warning."""
    level = _ATOM if value >= 0 else _UNARY
    if dtype == "int64":
        if value == -(2**63):
            return _Text("INT64_MIN", _ATOM)
        return _Text(_signed("INT64_C({})", value), level)
    if dtype == "uint64":
        return _Text(f"UINT64_C({value})", _ATOM)
    if dtype == "uint32":
        return _Text(f"{value}u", _ATOM)
    if value == -(2**31):
        return _Text("INT32_MIN", _ATOM)
    return _Text(str(value), level)


def _signed(form: str, value: int) -> str:
    return form.format(value) if value >= 0 else "-" + form.format(-value)


def float32(value: float) -> str:
    """A float32 constant in C99's hexadecimal form, with the fewest digits."""
    if not math.isfinite(value):
        raise InternalError("a float constant is not finite", seen=str(value))
    mantissa, exponent = value.hex().split("p")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}p{exponent}f"


def _cast_operand(node: Any) -> Any:
    """What an integer cast is of, or None for anything else."""
    if type(node).__name__ == "Cast":
        return node.value
    if type(node).__name__ == "Call" and node.op.name.endswith("reinterpret"):
        return node.args[0]
    return None


def _bits(dtype: str) -> int:
    """Width of an integer type; 0 for others."""
    digits = dtype.removeprefix("u").removeprefix("int")
    return int(digits) if digits.isdigit() else 0


def _dtype(node: Any) -> str:
    return str(node.ty.dtype)
