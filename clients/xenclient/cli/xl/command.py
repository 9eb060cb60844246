"""How a sub-command declares itself: its arguments, its options, and what runs."""

from __future__ import annotations

from xenclient.cli.xl.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: No limit to the number of arguments.
ANY = 1_000_000


class Option:
    """An option of a sub-command.

    Attributes:
        key: what `Call` knows it by: the long name if it has one, else the letter.
        text: what the help says of it.
        value: how the help names its value; "" where it takes none.
    """

    def __init__(self, letter: str, name: str, text: str, value: str = "") -> None:
        self.letter = letter
        self.name = name
        self.key = name or letter
        self.text = text
        self.value = value

    def spelled(self) -> str:
        """As the help shows it: "-l, --long", "-e, --escape CHAR"."""
        names = [f"-{self.letter}"] if self.letter else []
        if self.name:
            names.append(f"--{self.name}")
        return ", ".join(names) + (f" {self.value}" if self.value else "")


# Options that many sub-commands have.
ALL = Option("a", "all", "all domains but Domain-0")
DRY_RUN = Option("N", "dry-run", "print the steps, do nothing")
HELP = Option("h", "help", "print this")
JSON = Option("", "json", "print JSON")


class Command:
    """A sub-command; its name and its line of help are its row's in the table.

    Attributes:
        arguments: as the usage shows them. They are also what is accepted: each word must be given, but those
            that begin with "[" or "-"; "..." stands for any number.
        run: runs it; returns the program's exit status.
        options: HELP is always one.
        least, most: how many arguments it takes, where `arguments` does not say it.
    """

    def __init__(
        self,
        arguments: str,
        run: Callable[[Call], int],
        *options: Option,
        least: int | None = None,
        most: int | None = None,
    ) -> None:
        words = [word for word in arguments.split() if word.strip("[]") != "..."]
        needed = sum(not word.startswith(("[", "-")) for word in words)
        self.arguments = arguments
        self.run = run
        self.options = (*options, HELP)
        self.least = needed if least is None else least
        self.most = (ANY if "..." in arguments else len(words)) if most is None else most
