"""The manual pages are what mandoc(1), NetBSD's own reader of them, takes without a warning."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking

PAGES = sorted((Path(__file__).parents[2] / "docs/man").iterdir())


@pytest.mark.peer
def test_mandoc_has_no_warning() -> None:
    if shutil.which("mandoc") is None:
        lacking("not installed: mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *PAGES], capture_output=True, text=True)
    assert done.stdout == ""
