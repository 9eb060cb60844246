"""Operators and functions of a small part of Python, each with bounds; see xend.config.computing."""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

__all__ = [
    "BINARY", "COMPARED", "FUNCTIONS", "MAX_BITS", "MAX_CHARS", "MAX_ITEMS", "TEXT_METHODS", "UNARY",
]  # fmt: skip

#: Items of a list, characters of a text, bits of a number.
MAX_ITEMS = 10_000
MAX_CHARS = 1 << 20
MAX_BITS = 64


def _divided(left: Any, right: Any) -> Any:
    """As Python 2 did: whole numbers give a whole one."""
    return left // right if isinstance(left, int) and isinstance(right, int) else left / right


def _powered(left: Any, right: Any) -> Any:
    if isinstance(right, int) and abs(right) > MAX_BITS and left not in (0, 1, -1):
        raise OverflowError
    return left**right


def _shifted(left: Any, right: Any) -> Any:
    if isinstance(right, int) and right > MAX_BITS:
        raise OverflowError
    return left << right


def _repeated(left: Any, right: Any) -> Any:
    for times, whole in ((left, right), (right, left)):
        if isinstance(times, int) and not isinstance(whole, int | float):
            most = MAX_CHARS if isinstance(whole, str) else MAX_ITEMS
            if times * len(whole) > most:
                raise OverflowError
    return left * right


BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: _repeated,
    ast.Div: _divided,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _powered,
    ast.LShift: _shifted,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.BitXor: operator.xor,
}
UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}
COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
}


def _range(*bounds: Any) -> list[int]:
    found = range(*bounds)
    if len(found) > MAX_ITEMS:
        raise OverflowError
    return list(found)


def _int(value: Any, base: int | None = None) -> int:
    if isinstance(value, str) and len(value) > MAX_BITS:
        raise OverflowError
    return int(value) if base is None else int(value, base)


def _str(value: Any = "") -> str:
    return value if isinstance(value, str) else repr(value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "range": _range, "xrange": _range, "len": len, "str": _str, "repr": repr, "int": _int, "long": _int,
    "float": float, "bool": bool, "list": list, "tuple": list, "sorted": sorted, "min": min, "max": max,
    "sum": sum, "abs": abs, "hex": hex, "oct": oct, "round": round, "chr": chr, "ord": ord,
}  # fmt: skip
#: Of texts; each gives a text no longer than what it was given, or a list of parts.
TEXT_METHODS = (
    "lower", "upper", "strip", "lstrip", "rstrip", "split", "startswith", "endswith", "capitalize", "title",
    "find", "count", "isdigit",
)  # fmt: skip
