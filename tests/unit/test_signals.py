"""The tests pass however they were started: by nohup, or by a shell in the background."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: Python puts its own function in place of what SIGINT does by default.
SHOW = """from signal import *
print([getsignal(each) is SIG_DFL for each in (SIGQUIT, SIGHUP)], getsignal(SIGINT) is default_int_handler)
"""


def test_programs_that_tests_start_can_be_interrupted() -> None:
    shown = subprocess.run([sys.executable, "-c", SHOW], capture_output=True, text=True, check=True).stdout
    assert shown == "[True, True] True\n"


def test_also_where_the_tests_cannot_be() -> None:
    this = f"{Path(__file__).relative_to(ROOT)}::{test_programs_that_tests_start_can_be_interrupted.__name__}"
    pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", this]
    argv = ["sh", "-c", """trap '' INT HUP QUIT; exec "$@\"""", "sh", *pytest]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
