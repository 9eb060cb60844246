"""Who may import whom: xenclient only the constants, xend the client, inside the store never upward."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: What each package may import of this project.
ALLOWED = {
    "xenstore": {"xenstore"},
    "clients/xenclient": {"xenclient", "xenstore.wire", "xenstore.errors", "xenstore.limits"},
    # What daemons do alike knows none of them.
    "xenstore/daemon": {"xenstore.daemon"},
    # Besides the client: what daemons do alike; the ring engine, which consoles have as well; and hypercalls,
    # pages and event channels, which store and driver of the hypervisor would otherwise each have.
    "xend": {
        "xend",
        "xenclient",
        "xenstore.wire",
        "xenstore.errors",
        "xenstore.limits",
        "xenstore.daemon",
        "xenstore._ring",
        "xenstore._system",
        "xenstore.platform",
    },
}
#: xend's program may start an embedded store; one command asks the hypervisor for what it writes, and one
#: starts a program of xend's.
EXCEPTIONS = {
    ("xend/__main__.py", "xenstore.server"),
    ("clients/xenclient/cli/init_dom0.py", "xenstore.platform"),
    ("clients/xenclient/cli/xl/commands/config_check.py", "xenstore.daemon.child"),
}

#: Where trio may be imported: drivers, servers and transports.
TRIO = {
    "xenstore/server", "xend",
    "clients/xenclient/store/aio.py", "clients/xenclient/store/aio_link.py",
    "clients/xenclient/xend/aio.py", "clients/xenclient/xend/aio_link.py",
}  # fmt: skip

#: The compiled layers of the store, lowest first; a layer cimports those before it only.
LAYERS = (
    "_names", "_perms", "_path", "_ledger", "_tree", "_view", "_transactions", "_watches",
    "_accounts", "_admission", "_failpoint", "_recorder", "_store", "_stream", "_replay",
    "_output", "_session", "_memory", "_arenas", "_system", "_channels", "_ring", "_link", "_pump",
)  # fmt: skip


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def within(name: str, allowed: set[str]) -> bool:
    return any(name == each or name.startswith(each + ".") for each in allowed)


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_downward(package: str) -> None:
    for path in sources(package):
        relative = path.relative_to(ROOT).as_posix()
        for name in imported(path):
            if name.split(".")[0] not in ("xenstore", "xenclient", "xend"):
                continue
            permitted = ALLOWED[package] | {what for where, what in EXCEPTIONS if where == relative}
            assert within(name, permitted), f"{relative} imports {name}"


def test_only_servers_and_transports_import_trio() -> None:
    for package in ALLOWED:
        for path in sources(package):
            relative = path.relative_to(ROOT).as_posix()
            if any(relative == place or relative.startswith(place + "/") for place in TRIO):
                continue
            assert not any(within(name, {"trio"}) for name in imported(path)), f"{relative} imports trio"


def test_compiled_layers_know_only_those_below() -> None:
    found = {path.stem for path in (ROOT / "cython/xenstore").glob("*.pyx")}
    assert found <= set(LAYERS), f"not in LAYERS: {found - set(LAYERS)}"
    for position, layer in enumerate(LAYERS):
        for suffix in (".pyx", ".pxd"):
            path = ROOT / "cython/xenstore" / (layer + suffix)
            if not path.exists():
                continue
            for other in re.findall(r"^from xenstore\.(_\w+) cimport", path.read_text(), re.MULTILINE):
                assert other in LAYERS[: position + 1], f"{path.name} cimports {other}"
