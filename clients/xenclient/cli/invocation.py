"""A xenstore program's name, options and arguments, and its usage."""

from __future__ import annotations

import os

from xenclient.cli import output
from xenclient.cli.options import Options, atoi
from xenclient.cli.output import Failure, Output
from xenclient.store.address import socket_path

PLAIN, VALUED = "hfspturR", "n"
NAMES = {
    "help": "h",
    "flat": "f",
    "prefix": "p",
    "tidy": "t",
    "upto": "u",
    "recurse": "r",
    "number": "n",
    "raw": "R",
    "json": "j",
}
USAGE = {
    "ls": b"[-h] [-f] [-p] [-s] [path]",
    "read": b"[-h] [-p] [-s] [-R] key [...]",
    "write": b"[-h] [-s] [-R] key value [...]",
    "rm": b"[-h] [-s] [-t] key [...]",
    "list": b"[-h] [-p] [-s] key [...]",
    "exists": b"[-h] [-p] [-s] key [...]",
    "chmod": b"[-h] [-u] [-r] [-s] key <mode [modes...]>",
    "watch": b"[-h] [-n NR] key",
}
#: The options each program takes besides -h, -s and --json.
TAKEN = {
    "ls": "fp",
    "read": "pR",
    "write": "R",
    "rm": "t",
    "list": "p",
    "exists": "",
    "chmod": "ur",
    "watch": "n",
}


class Invocation:
    """A program with its options and arguments.

    Attributes:
        path: the only place of the store to try, or None.
    """

    def __init__(self, mode: str, argv: list[bytes], out: Output) -> None:
        self.mode = mode
        self.argv0 = argv[0]
        self.out = out
        self.flags: set[str] = set()
        self.count = -1
        self.path: str | None = None
        options = Options(argv, PLAIN, VALUED, NAMES, output.log)
        for letter, value in options:
            self._option(letter, value)
        self.arguments = options.arguments
        if not self.arguments and mode != "ls":
            raise self.usage()
        if mode == "write" and len(self.arguments) % 2:
            raise self.usage()

    def usage(self) -> Failure:
        return self.failure(b"Usage: " + self.argv0 + b" " + USAGE[self.mode])

    def failure(self, text: bytes) -> Failure:
        return Failure(os.path.basename(self.argv0) + b": " + text)

    def _option(self, letter: str, value: bytes) -> None:
        if letter == "j":
            self.out.json = True
        elif letter == "n" and letter in TAKEN[self.mode]:
            self.count = atoi(value)
        elif letter in TAKEN[self.mode]:
            self.flags.add(letter)
        elif letter == "s":
            self.path = socket_path()
        else:
            raise self.usage()
