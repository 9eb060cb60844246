"""The screen itself: curses draws what `screen` says, and keys go to `view`."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from xenclient.cli.top.batch import look
from xenclient.cli.top.figures import figures
from xenclient.cli.top.host_cpus import busy_percents
from xenclient.cli.top.screen import ACTIVE, BOLD, HEADER, PLAIN, REVERSE, frame
from xenclient.cli.top.view import ENTER, ERASE, ESCAPE, QUIT, View
from xenclient.cli.xl.failure import Failure
from xenclient.xend.errors import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from xenclient.cli.top.choices import Choices
    from xenclient.xend.blocking import Client

ESCAPE_MS = 25
#: A terminal that is gone has no key at once, time after time; one that changes its size now and then.
EARLY_SECONDS, EARLY_MAX = 0.05, 100
#: Terminals on which nothing can be drawn.
DUMB = ("", "dumb", "unknown")


def run(client: Client, choices: Choices) -> None:
    """Show the domains until somebody quits, or so many looks were taken as were chosen.

    Raises:
        ClientError: xend is gone at the first look, or refused it.
        Failure: there is no screen.
    """
    for descriptor in (0, 1):
        if not os.isatty(descriptor):
            raise Failure("it needs a terminal", hint="-b prints lines, for programs")
    if os.environ.get("TERM", "") in DUMB:
        raise Failure("the terminal (TERM) cannot be drawn on", hint="-b prints lines")
    try:
        import curses
    except ImportError as error:
        raise Failure(
            "this Python has no curses", hint="pkgsrc: devel/py-curses; Debian: python3; -b needs none"
        ) from error
    import locale

    locale.setlocale(locale.LC_ALL, "")
    watching = Watching(client, choices)
    watching.look()  # what fails now is told below, not on the screen
    curses.set_escdelay(ESCAPE_MS)
    try:
        curses.wrapper(watching.show)
    except curses.error as error:
        raise Failure(f"the terminal cannot be drawn on: {error}", hint="-b prints lines") from error


class Watching:
    """Looks and draws in turn."""

    def __init__(self, client: Client, choices: Choices) -> None:
        self._client = client
        self._view = View(choices)
        self._before: dict[str, Any] | None = None
        self._answer: dict[str, Any] = {}
        self._clock = ""
        self._taken = 0
        self._early = 0

    def look(self) -> None:
        """Take figures.  Raises: ClientError."""
        answer = look(self._client, self._view.choices)
        if not self._view.look_now:  # between two keys too little time passes to tell a load
            self._before = self._answer or None
        self._view.look_now = False
        self._answer = answer
        self._view.trouble = ""
        self._clock = time.strftime("%H:%M:%S")

    def show(self, screen: Any) -> None:
        """Until it is ended."""
        import curses

        looks = _looks(curses)
        with suppress(curses.error):  # a vt100 cannot hide it
            curses.curs_set(0)
        due = time.monotonic() + self._view.choices.delay_s
        while not self._view.ended:
            self._draw(screen, looks)
            delay_s = self._view.choices.delay_s
            if key := self._key(screen, curses, due):
                self._view.press(key)
            if key == "redraw":
                screen.clear()
            if self._view.choices.delay_s != delay_s:
                due = time.monotonic() + self._view.choices.delay_s
            if self._view.look_now:
                self._try_to_look()
            if time.monotonic() >= due:
                self._taken += 1
                if self._taken == self._view.choices.iterations:
                    return
                self._try_to_look()
                due = time.monotonic() + self._view.choices.delay_s

    def _key(self, screen: Any, curses: Any, due: float) -> str:
        """The next key that is pressed before it is due to look again; "": none.

        Raises:
            Failure: there is no terminal any more.
        """
        screen.timeout(max(0, int((due - time.monotonic()) * 1000)))
        typed = _typed(screen, curses)
        is_early = typed == "" and time.monotonic() < due - EARLY_SECONDS
        self._early = self._early + 1 if is_early else 0
        if self._early == EARLY_MAX:
            raise Failure("the terminal is gone")
        return _name(curses, typed)

    def _try_to_look(self) -> None:
        try:
            self.look()
        except ClientError as error:
            self._view.trouble = f"since {self._clock} no figures: {error}"

    def _draw(self, screen: Any, looks: dict[str, int]) -> None:
        height, width = screen.getmaxyx()
        rows = figures(self._answer, self._before)
        screen.erase()
        host = self._answer["host"]
        busy = busy_percents(self._answer, self._before) if self._view.choices.pcpus else None
        lines = frame(rows, host, self._view, height, width, self._clock, busy)
        for y, line in enumerate(lines):
            screen.move(y, 0)
            for text, how in line:
                _add(screen, text, looks[how])
        screen.refresh()


def _add(screen: Any, text: str, looks: int) -> None:
    """Write it; the last place of a screen cannot be written without an error, and is."""
    import curses

    try:
        screen.addstr(text, looks)
    except (curses.error, UnicodeEncodeError):
        return


def _looks(curses: Any) -> dict[str, int]:
    """curses' attributes; nothing is coloured but what is on, and that not where NO_COLOR is set."""
    active = curses.A_BOLD | curses.A_UNDERLINE
    if curses.has_colors() and not os.environ.get("NO_COLOR"):
        with suppress(curses.error):  # it has colours, but none of its own
            curses.use_default_colors()
            curses.init_pair(1, -1, curses.COLOR_YELLOW)
            active = curses.color_pair(1)
    return {
        PLAIN: curses.A_NORMAL,
        REVERSE: curses.A_REVERSE,
        HEADER: curses.A_REVERSE,
        BOLD: curses.A_BOLD | curses.A_REVERSE,
        ACTIVE: active,
    }


def _typed(screen: Any, curses: Any) -> str | int:
    """A character, or curses' number of a key; "": none in time."""
    try:
        typed: str | int = screen.get_wch()
    except curses.error:
        return ""
    return typed


def _name(curses: Any, typed: str | int) -> str:
    """What `View.press` calls it."""
    if isinstance(typed, int):
        names = {
            curses.KEY_UP: "up",
            curses.KEY_DOWN: "down",
            curses.KEY_LEFT: "left",
            curses.KEY_RIGHT: "right",
            curses.KEY_PPAGE: "page up",
            curses.KEY_NPAGE: "page down",
            curses.KEY_HOME: "home",
            curses.KEY_BACKSPACE: ERASE,
            curses.KEY_DC: ERASE,
            curses.KEY_ENTER: ENTER,
        }
        return names.get(typed, "resize")
    return {
        "\x1b": ESCAPE,
        "\x03": QUIT,
        "\n": ENTER,
        "\r": ENTER,
        "\x7f": ERASE,
        "\b": ERASE,
        "\x0c": "redraw",
    }.get(typed, typed)
