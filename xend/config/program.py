"""Files of xm that compute: assignments, if and for over what is known; see xend.config.computing.

xm executed its files.  Those that are no xl.cfg(5) are looked at here, and what of them computes with
constants gives the same assignments; anything that asks the host, or defines something, is refused.
"""

import ast
import io
import keyword
import re
import tokenize
import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from xend.config.computing import Computing, NotComputed
from xend.config.grammar import Assignment, Value
from xend.config.options import OPTIONS, XM
from xend.config.place import Place, bytes_of, shown
from xend.config.problem import MAX_PROBLEMS, ConfigError, Problem

__all__ = ["ProgramError", "program_assignments"]

#: What is read as a program: larger ones, and deeper ones, are none that somebody wrote for xm.
MAX_PROGRAM_CHARS = 64 << 10
_MAX_DEPTH = 16
_MAX_SIGNS = 100

_HINT = "this file is read, never executed: write the value that this would compute"
_STATEMENTS = "NAME = VALUE, with if and for over what is known: names, numbers, texts and lists"
#: What xm's own examples begin with, and whoever copied them.
_OF_EXAMPLES = frozenset({"os", "re"})
_EXAMPLES_HINT = (
    "xm's examples chose between lib and lib64 so, for device_model; neither is needed here: "
    "take out the import, what uses it, and device_model"
)
_OPTION = re.compile(r"[a-z][._0-9a-z]*")
#: Bytes that are no UTF-8 (surrogates) are private characters while the text is a program.
_TO_PRIVATE = {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)}
_FROM_PRIVATE = {private: surrogate for surrogate, private in _TO_PRIVATE.items()}
_DEEPER = frozenset([*keyword.kwlist]) - {"True", "False", "None"}


def program_assignments(text: str, source: str) -> list[Assignment] | None:
    """What a program assigns to options, in order, each once; None: it is no program.

    Names that are no options and that the program uses itself are its own.

    Raises:
        ProgramError: of each statement that is not understood, where it is, and what is accepted.
    """
    tree = _tree(text)
    return None if tree is None else _Program(source).assignments(tree)


def _tree(text: str) -> ast.Module | None:
    """None: it is no Python, or none that is of a size and depth that somebody wrote."""
    if len(text) > MAX_PROGRAM_CHARS or not _is_shallow(text.translate(_TO_PRIVATE)):
        return None
    try:
        with warnings.catch_warnings():  # of escapes that there are not, which are nobody's business here
            warnings.simplefilter("ignore")
            return ast.parse(text.translate(_TO_PRIVATE))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_shallow(text: str) -> bool:
    """Whether the parser of Python, which recurses, is not led deep, and no list lacks a comma."""
    indents = signs = 0
    open_ones: list[str] = []
    before = None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type in (tokenize.NL, tokenize.COMMENT):
                continue
            if open_ones[-1:] == ["["] and before == token.type == tokenize.STRING:
                return False  # a comma is missing, where Python would join the two
            before = token.type
            if token.type == tokenize.NEWLINE:
                signs = 0
            elif token.type == tokenize.INDENT:
                indents += 1
            elif token.type == tokenize.DEDENT:
                indents -= 1
            elif token.type == tokenize.OP and token.string in "([{":
                open_ones.append(token.string)
            elif token.type == tokenize.OP and token.string in ")]}":
                del open_ones[-1:]
            elif token.string in _DEEPER or (token.type == tokenize.OP and token.string != ","):
                signs += 1
            if max(len(open_ones), indents) > _MAX_DEPTH or signs > _MAX_SIGNS:
                return False
    except (tokenize.TokenError, SyntaxError):
        return False
    return True


class ProgramError(ConfigError):
    """What is wrong with a program.

    Attributes:
        is_slip: nothing of what is wrong computes: more likely it is a slip of the pen in a file of xl's.
    """

    is_slip = False


class _Program:
    """One file as it is gone through."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._computing = Computing()
        self._places: dict[str, Place] = {}
        self._problems: list[Problem] = []
        self._is_slip = True

    def assignments(self, tree: ast.Module) -> list[Assignment]:
        self._run(tree.body)
        used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and _is_read(node)}
        self._check_case(used)
        if self._problems:
            error = ProgramError(self._problems[:MAX_PROBLEMS])
            error.is_slip = self._is_slip and not any(
                isinstance(each, ast.If | ast.For) for each in tree.body
            )
            raise error
        found = []
        for name, place in self._places.items():
            is_own = name in used and name not in OPTIONS and name not in XM
            value = self._computing.names[name]
            if value is None or is_own:
                continue
            try:
                found.append(Assignment(name, _value(value, place), place))
            except NotComputed as error:
                if not _OPTION.fullmatch(name):
                    continue
                raise ProgramError.at(place, f"{name} is {error.found}, expected {error.expected}") from None
        return found

    def _check_case(self, used: Collection[str]) -> None:
        """Refuse KERNEL = ..., which means nothing, where there is no kernel = ..."""
        for name, place in self._places.items():
            meant = name.lower()
            if name != meant and name not in used and meant in OPTIONS and meant not in self._places:
                text = f"found {shown(name)}, expected an option's name in lower case"
                self._problems.append(Problem.at(place, text, hint=f"did you mean {meant}?"))

    def _run(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            if len(self._problems) >= MAX_PROBLEMS:
                return
            try:
                self._statement(statement)
            except NotComputed as error:
                if not error.is_told:
                    self._refuse(error)
                    self._is_slip = self._is_slip and not _computes(statement)
                for name in _assigned(statement):  # what follows of it is not told again
                    self._computing.unknown.add(name)
                    self._places.pop(name, None)

    def _refuse(self, error: NotComputed) -> None:
        place = Place(self._source, getattr(error.node, "lineno", None))
        text = f"found {error.found}, expected {error.expected}"
        self._problems.append(Problem.at(place, text, hint=error.hint or _HINT))

    def _statement(self, statement: ast.stmt) -> None:
        self._computing.step(statement)
        match statement:
            case ast.Assign(targets=targets, value=node):
                found = self._computing.value(node)
                for target in targets:
                    self._assign(target, found, statement)
            case ast.AugAssign(target=ast.Name() as target, op=op, value=node):
                before = ast.copy_location(ast.Name(target.id, ast.Load()), target)
                sum_of = ast.copy_location(ast.BinOp(before, op, node), statement)
                self._assign(target, self._computing.value(sum_of), statement)
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case ast.Expr(value=ast.Call() as call):
                self._computing.value(call)
            case ast.If(test=test, body=body, orelse=orelse):
                self._run(body if self._computing.value(test) else orelse)
            case ast.For(target=target, iter=node, body=body, orelse=orelse):
                for item in self._computing.items(node):
                    self._computing.step(statement)
                    self._computing.assign(target, item)
                    self._run(body)
                    if self._problems:
                        break
                self._run(orelse)
            case ast.Import(names=names) if {each.name for each in names} <= _OF_EXAMPLES:
                raise NotComputed(statement, "import", _STATEMENTS, _EXAMPLES_HINT)
            case _:
                raise NotComputed(statement, _described(statement), _STATEMENTS)

    def _assign(self, target: ast.expr, found: Any, statement: ast.stmt) -> None:
        self._computing.assign(target, _copied(found))
        place = Place(self._source, statement.lineno)
        for node in ast.walk(target):
            if isinstance(node, ast.Name):
                self._places.pop(node.id, None)  # as of its last assignment
                self._places[node.id] = place


def _copied(found: Any) -> Any:
    return [*found] if isinstance(found, list) else found


def _value(found: Any, place: Place, depth: int = 0) -> Value:
    """As xl.cfg(5) would have it."""
    if isinstance(found, float):
        if not found.is_integer():
            raise NotComputed(ast.Pass(), f"{found!r}", "a whole number")
        found = int(found)
    if isinstance(found, int):
        return Value(place, str(int(found)), int(found))
    if isinstance(found, str):
        text = found.translate(_FROM_PRIVATE)
        try:
            is_wrong = b"\0" in bytes_of(text)
        except UnicodeEncodeError:
            is_wrong = True
        if is_wrong:
            raise NotComputed(ast.Pass(), "a text with what is no character", "a text without")
        return Value(place, text)
    if found is None or depth > _MAX_DEPTH:
        raise NotComputed(ast.Pass(), "a list with None" if found is None else "a list too deep", "values")
    return Value(place, items=tuple(_value(item, place, depth + 1) for item in found))


def _computes(statement: ast.stmt) -> bool:
    """Whether it holds more than names, values and lists."""
    plain = (
        ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Name, ast.Constant, ast.List, ast.Tuple,
        ast.Compare, ast.expr_context, ast.operator, ast.cmpop,
    )  # fmt: skip
    return not all(isinstance(node, plain) for node in ast.walk(statement))


def _is_read(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Load)


def _assigned(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement would have given a value."""
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and not _is_read(node):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).partition(".")[0]
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def _described(statement: ast.stmt) -> str:
    """What a statement begins with."""
    words: dict[type[ast.stmt], str] = {
        ast.Import: "import", ast.ImportFrom: "import", ast.FunctionDef: "def", ast.ClassDef: "class",
        ast.While: "while", ast.Try: "try", ast.With: "with", ast.Delete: "del", ast.Raise: "raise",
        ast.Assert: "assert", ast.Global: "global", ast.Return: "return", ast.Break: "break",
        ast.Continue: "continue", ast.AugAssign: "an assignment to a part",
    }  # fmt: skip
    return words.get(type(statement), f"{ast.unparse(statement)[:40]}, which is no assignment")
