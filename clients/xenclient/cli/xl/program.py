"""xl from its arguments to its exit status: 0 done, 1 not, 130 interrupted, 141 nobody reads its output."""

from __future__ import annotations

import os
import sys

from xenclient.cli.streams import BROKEN_PIPE_STATUS, INTERRUPTED_STATUS, ReaderGone
from xenclient.cli.xl.parsing import HelpWanted, parse
from xenclient.cli.xl.settings import Settings, take_settings
from xenclient.cli.xl.table import find


def main() -> int:
    """The exit status of the program as `sys.argv` has it."""
    _open_standard_files()
    return run([os.fsencode(word) for word in sys.argv])


def run(argv: list[bytes]) -> int:
    """The exit status of this command line; errors are logged on standard error."""
    settings = Settings(os.fsdecode(os.path.basename(argv[0])))
    try:
        settings, words = take_settings(argv)
        return _run(settings, words)
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except (BrokenPipeError, ReaderGone):
        return BROKEN_PIPE_STATUS
    except Exception as error:  # noqa: BLE001 - whatever it is, one line is printed
        from xenclient.cli.xl.errors import log_final_error

        return log_final_error(error, settings)


def _open_standard_files() -> None:
    """Open those of the three that are closed: otherwise the next file, a socket, would be taken for one.

    They are opened for reading alone: that nothing can be written is a failure, as it is on a full disk.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _run(settings: Settings, words: list[bytes]) -> int:
    if not words:
        from xenclient.cli.xl.help_text import help_of_all
        from xenclient.cli.xl.printing import log

        log(help_of_all(settings.program))
        return 1
    if words[0] == b"__complete":
        from xenclient.cli.xl.completion import completion
        from xenclient.cli.xl.printing import write

        write(completion([os.fsdecode(word) for word in words[1:]]))
        return 0
    row = find(os.fsdecode(words[0]))
    command = row.command()
    try:
        call = parse(row.name, command, words[1:], settings)
    except HelpWanted:
        from xenclient.cli.xl.help_text import help_of
        from xenclient.cli.xl.printing import write

        write(help_of(row, settings.program))
        return 0
    return command.run(call)
