"""A process that has our command lines imported and forks to run one: a start costs no import.

Orders are lines of JSON on standard input: {"name": "ls", "argv": [...], "environment": {}, "output": path,
"errors": path}; each is answered with the exit status.
"""

import json
import os
import sys
import traceback
from typing import Any

import xenclient.store.blocking_link  # noqa: F401  # imported late by those that need it
from xenclient.cli import control, xenstore

PROGRAMS = {
    "ls": xenstore.ls,
    "read": xenstore.read,
    "write": xenstore.write,
    "rm": xenstore.rm,
    "list": xenstore.list_,
    "exists": xenstore.exists,
    "chmod": xenstore.chmod,
    "watch": xenstore.watch,
    "control": control.main,
}


def be_program(order: dict[str, Any]) -> int:
    """The child's part; returns the exit status."""
    os.environ.update(order["environment"])
    sys.argv = order["argv"]
    for fd, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["output"], os.O_WRONLY),
        (2, order["errors"], os.O_WRONLY),
    ):
        os.dup2(os.open(path, flags), fd)
    try:
        status = PROGRAMS[order["name"]]()
        sys.stdout.flush()
    except BaseException:
        traceback.print_exc()
        return 1
    return status


def main() -> None:
    while line := sys.stdin.readline():
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            os._exit(be_program(order))
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
