"""What an expression of an old xm file comes to: a small, bounded part of Python, walked, never executed.

Numbers, texts, lists, names assigned before, arithmetic, comparisons, %, some functions and methods.
Every result has a bound, and so has the number of steps: whoever writes 10 ** 10 ** 10 waits for nothing.
"""

import ast
import re
from collections.abc import Iterator
from typing import Any

from xend.config.arithmetic import (
    BINARY,
    COMPARED,
    FUNCTIONS,
    MAX_BITS,
    MAX_CHARS,
    MAX_ITEMS,
    TEXT_METHODS,
    UNARY,
)
from xend.config.slips import BOOLEANS, YES_OR_NO

__all__ = ["NAMES_HINT", "Computing", "NotComputed"]

#: Of one file.
MAX_STEPS = 200_000
_MAX_WIDTH = 999

NAMES_HINT = "only names that were assigned further up have a value; texts stand in quotes"
_COMPUTED = (
    "numbers, texts, lists, names assigned before, + - * / // % **, comparisons, and range, len, str, int"
)


class NotComputed(Exception):
    """An expression that is not computed.

    Attributes:
        node: what it is about.
        found, expected, hint: for the error.
        is_told: it follows from one that was told already.
    """

    is_told = False

    def __init__(self, node: ast.AST, found: str, expected: str = _COMPUTED, hint: str | None = None) -> None:
        super().__init__(found)
        self.node = node
        self.found = found
        self.expected = expected
        self.hint = hint


_WIDTH = re.compile(r"%[-+ #0]*(\*|[0-9]*)(?:\.(\*|[0-9]*))?")


class _Unknown(NotComputed):
    is_told = True


class Computing:
    """Computes expressions with names.

    Attributes:
        names: what each has, as of now.
        unknown: names of what was not computed.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"True": True, "False": False, "None": None}
        self.unknown: set[str] = set()
        self._steps = 0

    def step(self, node: ast.AST, steps: int = 1) -> None:
        """So many more things that are done.

        Raises:
            NotComputed: there were too many.
        """
        if self._steps > MAX_STEPS:
            raise _Unknown(node, "more to compute than a configuration has")
        self._steps += steps
        if self._steps > MAX_STEPS:
            raise NotComputed(node, "more to compute than a configuration has", f"at most {MAX_STEPS} steps")

    def value(self, node: ast.expr) -> Any:
        """What an expression comes to: an int, float, bool, str, list or None.

        Raises:
            NotComputed: it is none of this part of Python, or an error in Python, too.
        """
        self.step(node)
        compute = getattr(self, f"_{type(node).__name__}", None)
        if compute is None:
            raise NotComputed(node, _named(node))
        try:
            found = compute(node)
        except NotComputed:
            raise
        except (ArithmeticError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise NotComputed(node, f"{ast.unparse(node)[:60]} ({_said(error)})") from None
        return self._bounded(node, found)

    def _bounded(self, node: ast.AST, found: Any) -> Any:
        """A value that is small enough, with all that it holds; a list may hold itself."""
        left, chars = [found], 0
        while left:
            each = left.pop()
            if isinstance(each, list):
                self.step(node, 1 + len(each))
                left += each
            elif isinstance(each, str):
                chars += len(each)
            elif not isinstance(each, int | float | None):
                raise NotComputed(node, f"a {type(each).__name__}")
            is_large = isinstance(each, int) and each.bit_length() > MAX_BITS
            if is_large or chars > MAX_CHARS or len(left) > MAX_ITEMS:
                raise NotComputed(node, "a value that is too large")
        return found

    # --- what there is, by the names of Python's nodes ------------------------------------------------------

    def _Constant(self, node: ast.Constant) -> Any:
        if isinstance(node.value, str | int | float) or node.value is None:
            return node.value
        raise NotComputed(node, f"a {type(node.value).__name__}")

    def _Name(self, node: ast.Name) -> Any:
        if node.id in self.unknown:
            raise _Unknown(node, f'the name "{node.id[:40]}"')
        if node.id not in self.names:
            hint = YES_OR_NO if node.id.lower() in BOOLEANS else NAMES_HINT
            raise NotComputed(node, f'the name "{node.id[:40]}", which has no value', hint=hint)
        return self.names[node.id]

    def _List(self, node: ast.List | ast.Tuple) -> list[Any]:
        if len(node.elts) > MAX_ITEMS:
            raise NotComputed(node, "a list that is too long")
        return [self.value(each) for each in node.elts]

    _Tuple = _List

    def _BinOp(self, node: ast.BinOp) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node.op, ast.Mod):
            return self._filled(node, left, right) if isinstance(left, str) else left % right
        if type(node.op) not in BINARY:
            raise NotComputed(node, _named(node))
        return BINARY[type(node.op)](left, right)

    def _filled(self, node: ast.BinOp, text: str, values: Any) -> str:
        for widths in _WIDTH.findall(text):
            if any(width == "*" or (width and int(width[:9]) > _MAX_WIDTH) for width in widths):
                raise NotComputed(node, "a width that is too large")
        is_many = isinstance(node.right, ast.Tuple)
        return text % (tuple(values) if is_many else (values,))

    def _UnaryOp(self, node: ast.UnaryOp) -> Any:
        return UNARY[type(node.op)](self.value(node.operand))

    def _BoolOp(self, node: ast.BoolOp) -> Any:
        is_and = isinstance(node.op, ast.And)
        for each in node.values[:-1]:
            found = self.value(each)
            if bool(found) != is_and:
                return found
        return self.value(node.values[-1])

    def _Compare(self, node: ast.Compare) -> bool:
        left = self.value(node.left)
        for how, each in zip(node.ops, node.comparators, strict=True):
            right = self.value(each)
            if not COMPARED[type(how)](left, right):
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp) -> Any:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _Subscript(self, node: ast.Subscript) -> Any:
        whole = self.value(node.value)
        if isinstance(node.slice, ast.Slice):
            parts = (node.slice.lower, node.slice.upper, node.slice.step)
            return whole[slice(*(None if part is None else self.value(part) for part in parts))]
        return whole[self.value(node.slice)]

    def _JoinedStr(self, node: ast.JoinedStr) -> str:
        pieces = []
        for each in node.values:
            if isinstance(each, ast.FormattedValue):
                if each.format_spec is not None:
                    raise NotComputed(each, "a format in a text", "% with a width")
                pieces.append(str(self.value(each.value)))
            else:
                pieces.append(str(self.value(each)))
        return "".join(pieces)

    def _ListComp(self, node: ast.ListComp) -> list[Any]:
        found = []
        before = dict(self.names)
        for _ in self._rounds(node.generators):
            found.append(self.value(node.elt))
            if len(found) > MAX_ITEMS:
                raise NotComputed(node, "a list that is too long")
        self.names = before
        return found

    _GeneratorExp = _ListComp

    def _rounds(self, loops: list[ast.comprehension]) -> Iterator[None]:
        if not loops:
            yield
            return
        first, *others = loops
        for item in self.items(first.iter):
            self.assign(first.target, item)
            if all(self.value(test) for test in first.ifs):
                yield from self._rounds(others)

    def _Call(self, node: ast.Call) -> Any:
        arguments = [self.value(each) for each in node.args]
        if node.keywords or any(isinstance(each, ast.Starred) for each in node.args):
            raise NotComputed(node, f"a call of {ast.unparse(node.func)[:40]} with names")
        if isinstance(node.func, ast.Name) and node.func.id in self.unknown:
            raise _Unknown(node, "a call")
        if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
            return FUNCTIONS[node.func.id](*arguments)
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.expr):
            return self._method(node, node.func, arguments)
        raise NotComputed(node, f"a call of {ast.unparse(node.func)[:40]}")

    def _method(self, node: ast.Call, method: ast.Attribute, arguments: list[Any]) -> Any:
        name = ast.unparse(method)[:40]
        outermost = _outermost(method)
        if outermost in self.unknown:
            raise _Unknown(node, f"a call of {name}")
        if outermost not in self.names and not _is_literal(method.value):
            raise NotComputed(node, f"a call of {name}")
        whole = self.value(method.value)
        if isinstance(whole, str) and method.attr in TEXT_METHODS:
            return getattr(whole, method.attr)(*arguments)
        if isinstance(whole, str) and method.attr == "join":
            parts: list[str] = list(*arguments)
            if sum(len(part) for part in parts) + len(whole) * len(parts) > MAX_CHARS:
                raise OverflowError
            return whole.join(parts)
        if isinstance(whole, str) and method.attr == "replace" and len(arguments) == 2:
            old, new = arguments
            if whole.count(old) * len(new) + len(whole) > MAX_CHARS:
                raise OverflowError
            return whole.replace(old, new)
        if isinstance(whole, list) and method.attr in ("append", "extend"):
            (item,) = arguments
            whole += [item] if method.attr == "append" else list(item)
            self._bounded(node, whole)
            return None
        raise NotComputed(node, f"a call of {name}")

    # --- for statements -------------------------------------------------------------------------------------

    def items(self, node: ast.expr) -> list[Any]:
        """What is gone over."""
        found = self.value(node)
        if not isinstance(found, list | str):
            raise NotComputed(node, f"{ast.unparse(node)[:40]}, which is no list")
        return list(found)

    def assign(self, target: ast.expr, found: Any) -> None:
        """Give names their value; several take one each."""
        if isinstance(target, ast.Name):
            self.unknown.discard(target.id)
            self.names[target.id] = found
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(found, list):
            if len(target.elts) != len(found):
                raise NotComputed(target, f"{len(found)} values for {len(target.elts)} names")
            for each, value in zip(target.elts, found, strict=True):
                self.assign(each, value)
        else:
            raise NotComputed(target, f"{ast.unparse(target)[:40]} before =", "a name before =")


def _outermost(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _is_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant | ast.BinOp | ast.List | ast.JoinedStr | ast.Call | ast.Subscript)


def _named(node: ast.AST) -> str:
    """What a node is called, in words."""
    names: dict[type[ast.AST], str] = {
        ast.Dict: "a dictionary", ast.Set: "a set", ast.Lambda: "a function (lambda)",
        ast.Attribute: "a name with a dot", ast.Await: "await", ast.Yield: "yield",
    }  # fmt: skip
    return names.get(type(node), f"Python ({type(node).__name__})")


def _said(error: Exception) -> str:
    return "a number too large" if isinstance(error, OverflowError) else str(error)[:80]
