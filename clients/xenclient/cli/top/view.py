"""What somebody at the screen has chosen by keys, and what each key does (Xen's xentop has the same)."""

from __future__ import annotations

from xenclient.cli.top.choices import seconds
from xenclient.cli.top.columns import COLUMNS, NAME
from xenclient.cli.xl.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from xenclient.cli.top.choices import Choices

#: Keys, by the names that `live` gives them.
ESCAPE, ENTER, ERASE, QUIT = "escape", "enter", "erase", "quit"
PAGE_ROWS = 10
#: How long a delay may be as it is typed, in characters.
PROMPT_MAX = 10


class View:
    """The screen's state.

    Attributes:
        choices: toggled by keys.
        sort: the column that rows are sorted by.
        first: the place of the first domain that is shown, from 0.
        shift: how many columns behind NAME are scrolled away; 0: those of most weight are shown.
        prompt: what was typed of a new delay; None: nobody is typing one.
        trouble: why there are no newer figures; "" while there are.
        ended: somebody wants to go.
        look_now: figures are missing that are to be shown.
    """

    def __init__(self, choices: Choices) -> None:
        self.choices = choices
        self.sort = NAME
        self.first = 0
        self.shift = 0
        self.prompt: str | None = None
        self.trouble = ""
        self.ended = False
        self.look_now = False

    def press(self, key: str) -> None:
        """Do what a key does: a character, or a name such as "up"; nothing if it has no meaning."""
        if self.prompt is not None and key != QUIT:
            self._type(key)
            return
        act = _KEYS.get(key.lower() if len(key) == 1 else key)
        if act is not None:
            act(self)

    def scrolled(self, domains: int) -> int:
        """The place of the first domain, there being so many."""
        self.first = max(0, min(self.first, domains - 1))
        return self.first

    def _type(self, key: str) -> None:
        assert self.prompt is not None
        if key == ENTER:
            self._take_delay(self.prompt)
            self.prompt = None
        elif key == ESCAPE:
            self.prompt = None
        elif key == ERASE:
            self.prompt = self.prompt[:-1]
        elif len(key) == 1 and key in "0123456789." and len(self.prompt) < PROMPT_MAX:
            self.prompt += key

    def _take_delay(self, text: str) -> None:
        try:
            self.choices.delay_s = seconds(text)
        except Failure as error:
            self.trouble = error.message if text else self.trouble

    def _quit(self) -> None:
        self.ended = True

    def _ask_delay(self) -> None:
        self.prompt = ""

    def _networks(self) -> None:
        self.choices.networks = not self.choices.networks

    def _vbds(self) -> None:
        self.choices.vbds = not self.choices.vbds

    def _vcpus(self) -> None:
        self.choices.vcpus = self.look_now = not self.choices.vcpus

    def _repeat(self) -> None:
        self.choices.repeat_header = not self.choices.repeat_header

    def _full(self) -> None:
        self.choices.full_name = not self.choices.full_name

    def _sort(self) -> None:
        self.sort = COLUMNS[(COLUMNS.index(self.sort) + 1) % len(COLUMNS)]

    def _up(self) -> None:
        self.first -= 1

    def _down(self) -> None:
        self.first += 1

    def _page_up(self) -> None:
        self.first -= PAGE_ROWS

    def _page_down(self) -> None:
        self.first += PAGE_ROWS

    def _home(self) -> None:
        self.first = 0

    def _left(self) -> None:
        self.shift = max(0, self.shift - 1)

    def _right(self) -> None:
        self.shift = min(len(COLUMNS) - 2, self.shift + 1)


#: What each key does; letters in either case.
_KEYS = {
    "q": View._quit,
    QUIT: View._quit,
    ESCAPE: View._quit,
    "d": View._ask_delay,
    "n": View._networks,
    "b": View._vbds,
    "v": View._vcpus,
    "r": View._repeat,
    "f": View._full,
    "s": View._sort,
    "up": View._up,
    "down": View._down,
    "page up": View._page_up,
    "page down": View._page_down,
    "home": View._home,
    "left": View._left,
    "right": View._right,
}
