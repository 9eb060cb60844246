"""A process that has the program imported and forks daemons of it: a restart costs no import.

Orders are lines of JSON on standard input.  {"start": [arguments], "environment": {}, "stderr": path,
"life": path, "segment": bytes of one, or 0 for the true size, "user": whom to be, or 0} is answered with a
process id, {"reap": process id} with how it ended.  Whoever is left when the input ends is killed.
"""

import json
import os
import signal
import socket
import sys
from typing import Any

import xenstore.server.main as program
from xenstore.journal import segment
from xenstore.server import recovery


def be_daemon(order: dict[str, Any]) -> None:
    """The child's part: a connection to `life` ends when it does."""
    life = socket.socket(socket.AF_UNIX)
    life.connect(order["life"])
    os.environ.update(order["environment"])
    null = os.open(os.devnull, os.O_RDWR)
    errors = os.open(order["stderr"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for fd, source in ((0, null), (1, errors), (2, errors)):
        os.dup2(source, fd)
    if order["segment"]:
        vars(segment)["SEGMENT_BYTES"] = order["segment"]
    recovery.LOOK_SECONDS = 0.05
    if order["user"]:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    os._exit(program.main(order["start"]))


def main() -> None:
    living: set[int] = set()
    while line := sys.stdin.readline():
        order = json.loads(line)
        if "reap" in order:
            living.discard(order["reap"])
            print(os.waitstatus_to_exitcode(os.waitpid(order["reap"], 0)[1]), flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            be_daemon(order)
        living.add(pid)
        print(pid, flush=True)
    for pid in living:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
