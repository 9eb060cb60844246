"""The documents for whoever changes the code name only what there is: tests, files, names, make's verbs.

Looked at are the words in `code style`, and in pictures those with a dot and a capital (`Store.seal`).
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("docs/architecture.md", "CONTRIBUTING.md")
#: Where what they name may be.
FOLDERS = ("xenstore", "xend", "clients", "cython", "contrib", "docs", "examples", "pkgsrc", "rc.d", "tests")

FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
IN_PICTURES = re.compile(r"\b_?[A-Z]\w*\.[a-z_]\w*")
FILE = re.compile(r"[\w.-]+\.(py|pyi|pyx|pxd|h|c|md|toml|sh|in|cfg)")
NAME = re.compile(r"\w+(\.\w+)*")

#: Of Cython: what begins a class or a table of values, what defines a function, and what declares attributes.
CYTHON_OWNER = re.compile(r"(?:cdef |ctypedef )?(class|struct|enum)(?: (\w+))?")
CYTHON_FUNCTION = re.compile(r"\s*(?:cdef|cpdef|def)\b[^(=#]*?(\w+)\(")
CYTHON_ATTRIBUTES = re.compile(r"\s*(?:cdef )?(?:[\w *\[\]]+ \*?)?(\w+(?:, \*?\w+)*)\s*(?:=.*)?$")


@cache
def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    pyx = {path for path in found if path.suffix == ".pyx"}
    generated = {path.with_suffix(".c") for path in pyx}
    return [path for path in found if path.suffix not in (".so", ".pyc") and path not in generated]


@cache
def text_of_all() -> str:
    """What stands anywhere but in the documents themselves."""
    of_itself = {ROOT / document for document in DOCUMENTS} | {Path(__file__)}
    paths = [*sources(), ROOT / "README.md", ROOT / "pyproject.toml", ROOT / "Makefile"]
    return "\n".join(path.read_text(errors="replace") for path in paths if path not in of_itself)


@cache
def members() -> dict[str, set[str]]:
    """The names that each class and module of the product defines; those of all by the empty name."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sources():
        if path.is_relative_to(ROOT / "tests"):
            continue
        if path.suffix == ".py":
            module = path.parent.name if path.stem == "__init__" else path.stem
            for owner, name in python_names(module, ast.parse(path.read_text())):
                found[owner].add(name)
        elif path.suffix in (".pyx", ".pxd"):
            for owner, name in cython_names(path.stem, path.read_text()):
                found[owner].add(name)
    found[""] = set(found).union(*found.values())
    return found


def python_names(owner: str, tree: ast.AST) -> Iterator[tuple[str, str]]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield owner, node.name
            yield from python_names(node.name, node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield owner, node.name
            for inner in ast.walk(node):
                if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                    yield owner, inner.attr
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                yield from ((owner, each.id) for each in ast.walk(target) if isinstance(each, ast.Name))


def cython_names(module: str, text: str) -> Iterator[tuple[str, str]]:
    owner, kind = module, ""
    for line in (line.partition("#")[0].rstrip() for line in text.splitlines()):
        if line[:1] not in ("", " ", "@", ")"):
            owner, kind = module, ""
            if match := CYTHON_OWNER.match(line):
                kind, owner = match[1], match[2] or module
                yield module, owner
                continue
        elif line[:8].isspace() or (not kind and line[:1] == " "):
            continue  # within a function
        if match := CYTHON_FUNCTION.match(line):
            yield owner, match[1]
        elif match := CYTHON_ATTRIBUTES.match(line):
            yield from ((owner, name.strip(" *")) for name in match[1].split(","))


def is_module(dotted: str) -> bool:
    path = dotted.replace(".", "/")
    places = (path, f"{path}.py", f"clients/{path}", f"clients/{path}.py", f"cython/{path}.pyx")
    return any((ROOT / place).exists() for place in places)


def is_quoted(text: str) -> bool:
    return f'"{text}"' in text_of_all() or f"'{text}'" in text_of_all()


def is_there(name: str) -> bool:
    if "::" in name:
        path, _, function = name.partition("::")
        return (ROOT / path).is_file() and f"def {function}(" in (ROOT / path).read_text()
    if name.startswith("make "):
        verb = name.split()[1]
        return re.search(rf"^{verb}:", (ROOT / "Makefile").read_text(), re.MULTILINE) is not None
    if "/" in name.strip("/") and " " not in name and not name.startswith(("/", "-", "$", "@")):
        return (ROOT / name).exists()
    if FILE.fullmatch(name):
        return any(path.name == name for path in sources()) or (ROOT / name).exists()
    if not NAME.fullmatch(name):
        return name in text_of_all()
    *owners, last = name.split(".")
    if owners and last in members().get(owners[-1], ()):
        return True
    return is_module(name) or is_quoted(name) or (not owners and last in members()[""])


def named(text: str) -> Iterator[str]:
    for picture in FENCE.findall(text):
        yield from IN_PICTURES.findall(picture)
    yield from (" ".join(span.split()) for span in SPAN.findall(FENCE.sub("", text)))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_names_is_there(document: str) -> None:
    names = set(named((ROOT / document).read_text()))
    assert len(names) > 40
    missing = sorted(name for name in names if not is_there(name.removesuffix("()")))
    assert not missing, f"{document} names what there is not: {', '.join(missing)}"


@pytest.mark.parametrize(
    "name",
    [
        "tests/unit/test_architecture.py::test_nothing_like_this",
        "tests/unit/test_nowhere.py::test_x",
        "tests/unit/nowhere.py",
        "nowhere.py",
        "Store.sealed",
        "Nobody.seal",
        "xenstore.nowhere",
        "Nobody",
        "make nothing",
        "--no-such-option",
    ],
)
def test_what_is_not_there_is_missed(name: str) -> None:
    assert not is_there(name)


def test_every_invariant_has_a_test() -> None:
    text = (ROOT / "docs/architecture.md").read_text()
    items = re.findall(r"^- \*\*I(\d+)\*\* (.*\n(?: +.*\n)*)", text, re.MULTILINE)
    assert [int(number) for number, _ in items] == list(range(1, len(items) + 1))
    for number, item in items:
        assert re.search(r"`tests/[\w/]+\.py::test_\w+`$", item.strip()), f"I{number} names no test"
