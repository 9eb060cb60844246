"""The global options, before the sub-command, as Xen's xl has them."""

from __future__ import annotations

import os

from xenclient.cli.xl.failure import Failure


class Settings:
    """What holds for every sub-command.

    Attributes:
        program: the name it was called by, "xl" or "xm".
        verbose: -v: each step on a line.
        dry_run: -N.
        show_progress: -t: on a pipe too.
        timestamps: -T: the lines of -v with date and time.
        json: errors are printed as JSON too (set once the sub-command's options are known).
        command: the sub-command's name, which errors have in place of a method's (set likewise).
    """

    def __init__(self, program: str) -> None:
        self.program = program
        self.verbose = False
        self.dry_run = False
        self.show_progress = False
        self.timestamps = False
        self.json = False
        self.command = ""


def take_settings(argv: list[bytes]) -> tuple[Settings, list[bytes]]:
    """The settings, and what follows the global options; "help" stands for -h and --help.

    Raises:
        Failure: an option that is none.
    """
    settings = Settings("xm" if os.path.basename(argv[0]) == b"xm" else "xl")
    words = argv[1:]
    while words and words[0].startswith(b"-") and words[0] != b"-":
        word = words.pop(0)
        if word == b"--":
            break
        if word in (b"-h", b"--help"):
            return settings, [b"help"]
        for letter in os.fsdecode(word[1:]):
            _set(settings, letter, os.fsdecode(word))
    return settings, words


def _set(settings: Settings, letter: str, word: str) -> None:
    if letter == "v":
        settings.verbose = True
    elif letter == "N":
        settings.dry_run = True
    elif letter == "t":
        settings.show_progress = True
    elif letter == "T":
        settings.timestamps = True
    elif letter != "f":  # -f goes past the lock of Xen's xl, which xend does not need
        raise Failure(
            f"no global option {word!r}", hint="there are -v -f -N -t -T; others follow the sub-command"
        )
