"""The xenstored of these tests: `python -m tests.crash.program HOW WORD ...`, forked by tests/starter.

HOW is JSON: {"life": path of a socket, a connection to which ends when the daemon does, "segment": bytes of
one, or 0 for the true size, "user": whom to be, or 0}; the words are xenstored's.
"""

import json
import os
import socket
import sys

import xenstore.server.main as program
from xenstore.journal import segment
from xenstore.server import background


def main(how: str, words: list[str]) -> int:
    """xenstored's exit status."""
    order = json.loads(how)
    life = socket.socket(socket.AF_UNIX)
    life.connect(order["life"])
    if order["segment"]:
        vars(segment)["SEGMENT_BYTES"] = order["segment"]
    background.LOOK_SECONDS = 0.05
    if order["user"]:
        os.setgroups([])
        os.setgid(order["user"])
        os.setuid(order["user"])
    return program.main(words)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
