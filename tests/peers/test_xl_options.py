"""Every sub-command of Debian's xl, and every option that its help names, is one of ours too."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.peers.daemons import need, preloaded
from tests.peers.offline_xl import XL
from xenclient.cli.xl.command import HELP
from xenclient.cli.xl.table import COMMANDS, LATER, NEVER

SECONDS = 20
#: Its global options, as each usage has them.
GLOBAL = re.compile(r"xl \[-\w+\]")
OPTION = re.compile(r"(?<![\w-])(-[a-zA-Z]|--[a-z][a-z_-]+)(?![\w-])")


@pytest.fixture(autouse=True)
def their_xl() -> None:
    need(XL, Path("cc"))


def helped(*words: str) -> str:
    """What Debian's xl prints for help."""
    environment = {**os.environ, "LD_PRELOAD": preloaded("xl_offline"), "LC_ALL": "C"}
    command = ["xl", "help", *words]
    done = subprocess.run(
        command, executable=XL, env=environment, capture_output=True, text=True, check=True, timeout=SECONDS
    )
    return done.stdout


def test_there_is_an_option_for_each_of_theirs() -> None:
    ours = {row.name: row for row in COMMANDS}
    theirs = set(re.findall(r"^ ([a-z][a-z0-9-]+) {2,}", helped(), re.MULTILINE))
    assert len(theirs) > 80
    assert theirs <= {*ours, *LATER, *NEVER}
    named, lacking = 0, []
    for name in sorted(theirs & set(ours)):
        options = (*ours[name].command().options, HELP)
        known = {f"-{each.letter}" for each in options} | {f"--{each.name}" for each in options}
        for option in set(OPTION.findall(GLOBAL.sub("", helped(name)))):
            named += 1
            if option not in known:
                lacking.append(f"{name} {option}")
    assert named > 90
    assert not lacking
