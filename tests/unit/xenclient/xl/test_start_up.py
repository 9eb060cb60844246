"""xl imports next to nothing, and of its sub-commands only the one that is called."""

import pytest

from tests.unit.xenclient.test_start_up import HEAVY, NEEDED, imported
from xenclient.cli.xl.table import COMMANDS

MODULES = sorted({f"commands.{row.module}" for row in COMMANDS})


def test_the_program_imports_no_sub_command() -> None:
    assert not imported("xenclient.cli.xl.program") & {f"xenclient.cli.xl.{name}" for name in MODULES}


@pytest.mark.parametrize("module", ["program", *MODULES])
def test_imports(module: str) -> None:
    names = imported(f"xenclient.cli.xl.{module}")
    assert not names & HEAVY
    assert {name for name in names if not name.startswith(("xenclient", "xenstore"))} <= NEEDED
    assert "xenclient.xend.blocking" not in names
