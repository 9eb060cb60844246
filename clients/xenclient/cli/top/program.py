"""xentop from its arguments to its exit status: 0 done or interrupted, 1 not, 141 nobody reads its lines."""

from __future__ import annotations

import sys

from xenclient.cli.options import Options
from xenclient.cli.streams import BROKEN_PIPE_STATUS, ReaderGone
from xenclient.cli.top.choices import OPTIONS, choices
from xenclient.cli.xl.command import HELP, Option
from xenclient.cli.xl.failure import Failure
from xenclient.cli.xl.printing import write
from xenclient.cli.xl.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from xenclient.cli.top.choices import Choices
    from xenclient.xend.blocking import Client

PROGRAM = "xentop"
VERSION = Option("V", "version", "print the version")
ALL = (*OPTIONS, HELP, VERSION)
#: The version that Xen's xentop tells, whose lines these are.
VERSION_TEXT = "xentop 1.0 (xend's)\n"


def main() -> int:
    """Run the program; returns its exit status."""
    import os

    settings = Settings(PROGRAM)
    try:
        given = parsed([os.fsencode(word) for word in sys.argv[1:]])
        if "help" in given:
            write(usage())
            return 0
        if "version" in given:
            write(VERSION_TEXT)
            return 0
        from xenclient.xend.blocking import Client

        chosen = choices(given.__contains__, given.get)
        return watch(Client(), chosen)
    except KeyboardInterrupt:
        return 0
    except (BrokenPipeError, ReaderGone):
        return BROKEN_PIPE_STATUS
    except Exception as error:  # noqa: BLE001 - whatever it is, one line is printed
        from xenclient.cli.xl.errors import log_final_error

        return log_final_error(error, settings)


def watch(client: Client, chosen: Choices) -> int:
    """Show the domains as they were chosen to be, until it is ended; returns the exit status.

    Raises:
        ClientError: xend is gone, or refused.
        Failure: there is no screen to show them on.
    """
    import signal
    import time

    # So that a terminal is as before; it exits 0, as Xen's does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        if chosen.batch:
            from xenclient.cli.top import batch

            batch.run(client, chosen, time.sleep)
        else:
            from xenclient.cli.top import live

            live.run(client, chosen)
    except KeyboardInterrupt:
        pass
    return 0


def parsed(words: Sequence[bytes]) -> dict[str, str]:
    """The options that were given, by long name, with their values.

    Raises:
        Failure: these are not its options.
    """

    def refuse(text: bytes) -> None:
        raise Failure(text.decode("utf-8", "surrogateescape").removeprefix(": "), hint="PROGRAM -h")

    options = Options(
        [b"", *words],
        "".join(option.letter for option in ALL if not option.value),
        "".join(option.letter for option in ALL if option.value),
        {option.name: option.letter for option in ALL},
        refuse,
    )
    names = {option.letter: option.name for option in ALL}
    given = {names[letter]: value.decode("utf-8", "surrogateescape") for letter, value in options}
    if options.arguments:
        shown = options.arguments[0].decode("utf-8", "surrogateescape")
        raise Failure(f"{shown!r} is too much: it takes options only", hint="PROGRAM -h")
    return given


def usage() -> str:
    """The text of -h."""
    wide = max(len(option.spelled()) for option in ALL)
    lines = [f" {option.spelled():<{wide}}  {option.text}" for option in ALL]
    return "\n".join([f"Usage: {PROGRAM} [OPTION ...]", "", "The load of all domains.", "", *lines, ""])
