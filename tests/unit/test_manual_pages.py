"""The manual pages are what mandoc(1), NetBSD's own reader of them, takes without a word, of style too."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import lacking

PAGES = sorted((Path(__file__).parents[2] / "docs/man").iterdir())
#: Of which pages a system has mandoc's database says that, and it says so on standard error as well.
OF_THE_SYSTEM = "STYLE: referenced manual not found: "
#: Pages of NetBSD's, or of what is named beside it, to which ours refer.
OTHERS = {
    ("less", "1"),
    ("lsusb", "8"),
    ("start-stop-daemon", "8"),
    ("systemd", "1"),
    ("sd_notify", "3"),
    ("strcasecmp", "3"),
    ("syslog", "3"),
    ("vi", "1"),
    ("vnd", "4"),
}


@pytest.mark.peer
def test_mandoc_has_nothing_to_say() -> None:
    if shutil.which("mandoc") is None:
        lacking("not installed: mandoc")
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "style", *PAGES], capture_output=True, text=True)
    assert [line for line in done.stdout.splitlines() if OF_THE_SYSTEM not in line] == []


def test_what_is_referred_to_is_there() -> None:
    known = OTHERS | {(path.stem, path.suffix[1:]) for path in PAGES}
    named = {found for path in PAGES for found in re.findall(r"\bXr (\S+) (\d)", path.read_text())}
    assert named - known == set()
    assert OTHERS - named == set()
