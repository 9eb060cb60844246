"""xl devd: run the hotplug scripts of this domain's backends, which is xenbackendd's work."""

from __future__ import annotations

import os
import sys

from xenclient.cli.xl.call import Call
from xenclient.cli.xl.command import DRY_RUN, Command, Option
from xenclient.cli.xl.failure import Failure

DAEMON = "xenbackendd"


def run(call: Call) -> int:
    if _manages():
        raise Failure(
            "xend runs here, and runs the scripts of this domain's backends itself",
            hint="xl devd is for a driver domain, or for dom0 under another toolstack",
        )
    program = _find()
    words = [program]
    if call.given("F"):
        words.append("-f")
    if (file := call.value("pidfile")) is not None:
        words += ["-p", file]
    if call.dry_run:
        call.show(words, f"{' '.join(words)}\n")
        return 0
    return _become(program, words)


DEVD = Command(
    "",
    run,
    Option("F", "", "stay in the foreground"),
    Option("p", "pidfile", "a file that holds the process id while it runs", "FILE"),
    DRY_RUN,
)


def _manages() -> bool:
    """Whether xend answers in this domain."""
    from xenclient.xend.blocking import Client
    from xenclient.xend.errors import ClientError

    try:
        Client().call("hello")
    except ClientError:
        return False
    return True


def _become(program: str, words: list[str]) -> int:
    """Does not return but with an error."""
    try:
        os.execv(program, words)
    except OSError as error:
        raise Failure(f"cannot run {program}: {os.strerror(error.errno or 0)}") from error


def _find() -> str:
    """xenbackendd, beside this program or on the search path. Raises: Failure: it is not there."""
    import shutil

    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), DAEMON)
    found = beside if os.access(beside, os.X_OK) else shutil.which(DAEMON)
    if found is None:
        raise Failure(f"{DAEMON} is not installed here", hint="it comes with xend")
    return found
