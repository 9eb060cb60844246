"""No circles of imports: who is imported, at any time or for types alone, imports nobody back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Where packages have their sources, compiled ones apart.
FOLDERS = {"xenstore": "xenstore", "xend": "xend", "xenclient": "clients/xenclient"}
COMPILED = re.compile(r"^from (xenstore\.\w+|xend\.\w+) c?import |^from (xenstore|xend) c?import (.*)", re.M)

#: Circles that may stay, each with the reason; nothing else may.
KNOWN: set[frozenset[str]] = set()

Graph = dict[str, set[str]]


def python_modules() -> dict[str, Path]:
    """Every module of ours that is written in Python, by its name."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in (ROOT / folder).rglob("*.py"):
            names = [package, *path.relative_to(ROOT / folder).with_suffix("").parts]
            found[".".join(names[:-1] if names[-1] == "__init__" else names)] = path
    return found


def compiled_modules() -> dict[str, Path]:
    return {f"{path.parent.name}.{path.stem}": path for path in (ROOT / "cython").glob("*/_*.pyx")}


def imports_of(tree: ast.Module, modules: set[str]) -> Iterator[str]:
    """What a module imports anywhere in it: at its top, within functions, under TYPE_CHECKING."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, "imports here are absolute"
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in modules else node.module


def compiled_imports_of(text: str) -> Iterator[str]:
    for module, package, names in COMPILED.findall(text):
        yield from [module] if module else [f"{package}.{name.strip()}" for name in names.split(",")]


def graph() -> Graph:
    """Which module imports which; what a compiled one declares in its .pyi counts, too."""
    python, compiled = python_modules(), compiled_modules()
    modules = {*python, *compiled}
    found = {name: set(imports_of(ast.parse(path.read_text()), modules)) for name, path in python.items()}
    for name, path in compiled.items():
        stub = ROOT.joinpath(*name.split(".")).with_suffix(".pyi")
        declared = imports_of(ast.parse(stub.read_text()), modules) if stub.exists() else ()
        texts = [each.read_text() for each in (path, path.with_suffix(".pxd")) if each.exists()]
        found[name] = {*declared, *(each for text in texts for each in compiled_imports_of(text))}
    return {name: (imports & modules) - {name} for name, imports in found.items()}


def reached(start: str, imports: Graph) -> set[str]:
    """What a module imports, and what that imports, and so on."""
    found: set[str] = set()
    left = list(imports[start])
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += imports[name]
    return found


def circles(imports: Graph) -> set[frozenset[str]]:
    """The largest sets of modules of which each reaches each other one."""
    reach = {name: reached(name, imports) for name in imports}
    return {
        frozenset(other for other in reach[name] if name in reach[other])
        for name in imports
        if name in reach[name]
    }


@pytest.mark.parametrize(
    ("imports", "expected"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, set()),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}, set()),
        ({"a": {"b"}, "b": {"a"}, "c": {"a"}}, {frozenset("ab")}),
        ({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"e"}, "e": {"d"}}, {frozenset("abc"), frozenset("de")}),
    ],
)
def test_circles_are_found(imports: Graph, expected: set[frozenset[str]]) -> None:
    assert circles(imports) == expected


def test_an_import_counts_wherever_it_stands() -> None:
    text = """
from typing import TYPE_CHECKING
import one
from package import two, name
if TYPE_CHECKING:
    from package.three import Name
def function():
    from package import four
"""
    modules = {"one", "package", "package.two", "package.three", "package.four"}
    assert modules <= set(imports_of(ast.parse(text), modules))
    assert list(
        compiled_imports_of("from xenstore._tree cimport Tree\nfrom xenstore import errors, limits")
    ) == [
        "xenstore._tree",
        "xenstore.errors",
        "xenstore.limits",
    ]


def test_no_modules_import_each_other() -> None:
    found = circles(graph())
    assert not found - KNOWN, [sorted(circle) for circle in found - KNOWN]
    assert not KNOWN - found, "these circles are open: take them off the list"
