"""The table of device types is the only place that tells one type from another."""

import ast
from pathlib import Path
from typing import Any

import pytest

import xend
from xend.device.kind import DeviceKind
from xend.device.kinds import IN_ORDER, KINDS, with_verb

PACKAGE = Path(xend.__file__).parent
#: A row's own files, by the type's name or its option's: its values, and its nodes.
OWN = {f"config/{kind.option}.py" for kind in IN_ORDER} | {f"device/{kind.name}.py" for kind in IN_ORDER}
#: The table of xl's options names them all.  The simulator plays kernels, which have drivers of their own.
OTHERS = {"config/options.py"}


def names_in(path: Path) -> set[str]:
    """The texts of a module that are a type's name, whole."""
    tree = ast.parse(path.read_text())
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in KINDS
    }


def test_nothing_outside_of_a_row_names_a_type() -> None:
    found = {
        relative: names
        for path in sorted(PACKAGE.rglob("*.py"))
        if not (relative := path.relative_to(PACKAGE).as_posix()).startswith("simulator/")
        and relative not in OWN | OTHERS
        and (names := names_in(path))
    }
    assert not found, "ask the type's row (xend/device/kinds.py) instead"


def test_disks_come_before_interfaces() -> None:
    names = [kind.name for kind in IN_ORDER]
    assert names.index("vbd") < names.index("vif")


def test_rows_are_told_apart() -> None:
    for key in ("option", "order", "json_key"):
        assert len({getattr(kind, key) for kind in IN_ORDER}) == len(KINDS), key


@pytest.mark.parametrize("verb", ["attach", "detach", "insert", "eject"])
def test_a_verb_is_of_some_type(verb: str) -> None:
    assert with_verb(verb)
    assert set().union(*(kind.verbs for kind in IN_ORDER)) == {"attach", "detach", "insert", "eject"}


@pytest.mark.parametrize("kind", IN_ORDER, ids=lambda kind: kind.name)
def test_a_driver_has_a_name_on_every_platform(kind: DeviceKind[Any]) -> None:
    assert set(kind.drivers) == {"linux", "netbsd"}
