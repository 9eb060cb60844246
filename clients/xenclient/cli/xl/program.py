"""xl from its arguments to its exit status: 0 done, 1 not, 130 interrupted, 141 nobody reads its output."""

from __future__ import annotations

import os
import sys

from xenclient.cli.output import BROKEN_PIPE_STATUS, INTERRUPTED_STATUS, ReaderGone
from xenclient.cli.xl import commands, settings
from xenclient.cli.xl.call import Call, HelpWanted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.xl.settings import Settings


def main() -> int:
    """The exit status of the program as `sys.argv` has it."""
    _open_standard_files()
    return run([os.fsencode(word) for word in sys.argv])


def run(argv: list[bytes]) -> int:
    """The exit status of this command line; errors are told on standard error."""
    chosen = settings.Settings(os.fsdecode(os.path.basename(argv[0])))
    try:
        chosen, words = settings.take(argv)
        return _run(chosen, words)
    except KeyboardInterrupt:
        return INTERRUPTED_STATUS
    except (BrokenPipeError, ReaderGone):
        return BROKEN_PIPE_STATUS
    except Exception as error:
        from xenclient.cli.xl.report import report

        return report(error, chosen)


def _open_standard_files() -> None:
    """Where one of the three is closed, the next file would be taken for it: a socket for standard output.

    It is opened for reading alone: what cannot be written is a failure, as it is of a full disk.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDONLY)


def _run(chosen: Settings, words: list[bytes]) -> int:
    if not words:
        from xenclient.cli.xl.help import general
        from xenclient.cli.xl.printing import complain

        complain(general(chosen.program))
        return 1
    command = commands.find(os.fsdecode(words[0]))
    try:
        call = Call(command, words[1:], chosen)
    except HelpWanted:
        from xenclient.cli.xl.help import of
        from xenclient.cli.xl.printing import write

        write(of(command, chosen.program))
        return 0
    return command.function()(call)
