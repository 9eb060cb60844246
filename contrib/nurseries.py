"""Finds every `except` above a nursery that can never match: `python -m contrib.nurseries [PATH ...]`.

A nursery raises a group of what its tasks and its block raised; `except X` does not match a group of X, nor
does suppress(X).  Found are the ways by which a group can come there: a nursery in the block, and functions
and context managers of ours that hold one, at any depth.  Where a method's class is not known (it is for
`self`), its name has to do: it counts if all of ours that have this name let a group out.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[1]
FOLDERS = ("xenstore", "xend", "clients", "contrib")

REMEDY = (
    "a nursery raises groups, which this does not match: put `with alone(X):` (xenstore.daemon.groups) "
    "around the nursery, or take `except Exception` and first_error(error)"
)
#: What matches a group, too.
MATCHING = {"Exception", "BaseException", "ExceptionGroup", "BaseExceptionGroup"}
#: What is no error of a task: how a task is ended.
ENDING = {"KeyboardInterrupt", "SystemExit", "GeneratorExit", "Cancelled"}
#: Who begins a task: what that raises comes out of its nursery, not here.
BEGINNING = {"start_soon", "start"}
#: Who enters what it is given.
ENTERING = {"enter_async_context"}
ALONE = "alone"
NURSERY = "open_nursery"
SUPPRESS = "suppress"

Block = ast.Try | ast.With | ast.AsyncWith


@attrs.frozen(eq=False)
class Function:
    """One of ours.

    Attributes:
        scope: the class that it is a method of, or "".
    """

    path: Path
    scope: str
    node: ast.FunctionDef | ast.AsyncFunctionDef

    @property
    def is_async(self) -> bool:
        return isinstance(self.node, ast.AsyncFunctionDef)


class Project:
    """All functions of some sources, and which of them let a group out."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.trees = {path: ast.parse(path.read_text(), str(path)) for path in paths}
        self._by_name: dict[str, list[Function]] = {}
        for path, tree in self.trees.items():
            for scope, node in _functions(tree):
                self._by_name.setdefault(node.name, []).append(Function(path, scope, node))
        self._imported = {path: _imported(tree) for path, tree in self.trees.items()}
        self._raising: set[Function] = set()
        quiet = {
            each: list(_uses(each.node.body)) for functions in self._by_name.values() for each in functions
        }
        while found := [each for each, uses in quiet.items() if self._raises(each, uses)]:
            self._raising.update(found)
            for each in found:
                del quiet[each]

    def faults(self) -> Iterator[tuple[Path, int, str]]:
        """What cannot match: (file, line, "except ValueError" or the like)."""
        for function in [each for functions in self._by_name.values() for each in functions]:
            for block in _blocks(function.node):
                for line, words in self._handlers(function, block):
                    if self._raises(function, _uses(block.body)):
                        yield function.path, line, words

    def _handlers(self, where: Function, block: Block) -> Iterator[tuple[int, str]]:
        """What of a block matches errors, but no groups."""
        if isinstance(block, ast.Try):
            for handler in block.handlers:
                if named := _kinds(handler) - MATCHING - ENDING:
                    yield handler.lineno, f"except {', '.join(sorted(named))}"
            return
        for item in block.items:
            name = _called(item.context_expr)
            if name == SUPPRESS and isinstance(item.context_expr, ast.Call):
                if named := {_name(each) for each in item.context_expr.args} - MATCHING - ENDING:
                    yield block.lineno, f"suppress {', '.join(sorted(named))}"
            elif isinstance(item.context_expr, ast.Call):
                meant = self._meant(where, item.context_expr.func)
                if any(_translates(each.node) for each in meant):
                    yield block.lineno, f"with {name}"

    def _raises(self, where: Function, uses: Iterable[tuple[ast.expr, bool]]) -> bool:
        """Whether a group may come out of one of these."""
        return any(self._is_raising(where, *use) for use in uses)

    def _is_raising(self, where: Function, node: ast.expr, is_awaited: bool) -> bool:
        if _name(node) == NURSERY:
            return is_awaited
        meant = [each for each in self._meant(where, node) if each.is_async == is_awaited]
        return bool(meant) and all(each in self._raising for each in meant)

    def _meant(self, where: Function, node: ast.expr) -> list[Function]:
        """Our functions that a name may stand for."""
        name, owner = _name(node), _owner(node)
        known = self._by_name.get(name, [])
        if owner in ("self", "cls"):
            own = [each for each in known if (each.path, each.scope) == (where.path, where.scope)]
            return own or self._methods(known)
        imported = self._imported[where.path]
        if owner is None:
            here = [each for each in known if each.path == where.path and not each.scope]
            return here or [each for each in known if not each.scope and each.path.stem == imported.get(name)]
        if owner in (classes := _classes(where.node)):
            return [each for each in known if each.scope == classes[owner]]
        if owner in imported:
            return [each for each in known if not each.scope and each.path.stem == owner]
        return self._methods(known)

    def _methods(self, known: list[Function]) -> list[Function]:
        """Methods; where none has the name it is a function that an attribute holds."""
        return [each for each in known if each.scope] or known


def _classes(function: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, str]:
    """The classes of parameters and variables, where they are written down: `x: Kind`, `x = Kind(...)`."""
    given = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    kinds = {each.arg: _name(each.annotation) for each in given if each.annotation is not None}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and _called(node.value)[:2].strip("_")[:1].isupper():
            kinds |= {_name(target): _called(node.value) for target in node.targets}
    return kinds


def _imported(tree: ast.Module) -> dict[str, str]:
    """What is imported by name, and the last word of the module that it is from."""
    return {
        alias.asname or alias.name: (node.module or "").rpartition(".")[2]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every function, those within others too, with the class around it."""

    def below(node: ast.AST, scope: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield scope, child
            yield from below(child, child.name if isinstance(child, ast.ClassDef) else scope)

    yield from below(tree, "")


def _blocks(node: ast.AST) -> Iterator[Block]:
    """The blocks of a function in which errors may be matched, not those of functions in it."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Block):
            yield child
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from _blocks(child)


def _translates(function: ast.AST) -> bool:
    """Whether it is a context manager that makes other errors of those of its block, but not of groups."""
    return any(
        isinstance(block, ast.Try)
        and any(isinstance(node, ast.Yield) for statement in block.body for node in ast.walk(statement))
        and bool(block.handlers)
        and not any(_kinds(handler) & MATCHING for handler in block.handlers)
        for block in _blocks(function)
    )


def _uses(statements: Iterable[ast.AST], is_awaited: bool = False) -> Iterator[tuple[ast.expr, bool]]:
    """What is called, and whether it is awaited, entered or handed on; not where a group is taken care of."""
    for node in statements:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() | ast.TryStar():
                continue
            case ast.With() if any(_called(item.context_expr) == ALONE for item in node.items):
                continue
            case ast.Try() if any(_kinds(handler) & MATCHING for handler in node.handlers):
                yield from _uses([*node.handlers, *node.orelse, *node.finalbody])
                continue
            case ast.Await():
                yield from _uses([node.value], is_awaited=True)
                continue
            case ast.AsyncWith():
                yield from _uses([item.context_expr for item in node.items], is_awaited=True)
                yield from _uses(node.body)
                continue
            case ast.Call() if _name(node.func) in BEGINNING:
                continue
            case ast.Call():
                yield node.func, is_awaited
                yield from ((each, True) for each in node.args if isinstance(each, ast.Name | ast.Attribute))
                yield from _uses([node.func, *node.args], _name(node.func) in ENTERING)
                continue
            case ast.Lambda():
                yield from _uses([node.body], is_awaited=True)
                continue
        yield from _uses(ast.iter_child_nodes(node))


def _kinds(handler: ast.ExceptHandler) -> set[str]:
    if handler.type is None:
        return {"BaseException"}
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {_name(each) for each in types}


def _called(node: ast.expr) -> str:
    return _name(node.func) if isinstance(node, ast.Call) else ""


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _owner(node: ast.AST) -> str | None:
    """What stands before the last dot: "self", another word, "" for an expression; None: there is no dot."""
    return _name(node.value) if isinstance(node, ast.Attribute) else None


def main(arguments: Sequence[str]) -> int:
    """Prints one line for each; returns 1 if there is any."""
    places = [Path(word) for word in arguments] or [ROOT / folder for folder in FOLDERS]
    paths = sorted(path for place in places for path in (place.rglob("*.py") if place.is_dir() else [place]))
    faults = list(Project(paths).faults())
    for path, line, words in faults:
        where = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        print(f"{where}:{line}: {words}: {REMEDY}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
