"""One sub-command as the table describes it: name, arguments, options, and where it is written."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.cli.xl.call import Call

#: No limit to the number of arguments.
ANY = 1_000_000


class Option:
    """An option of a sub-command.

    Attributes:
        key: what `Call` knows it by: the long name if it has one, else the letter.
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


JSON = Option("", "json", "print JSON")
DRY_RUN = Option("N", "dry-run", "print the steps, do nothing")
HELP = Option("h", "help", "print this")


class Command:
    """A sub-command that exists.

    Attributes:
        where: "module:function" below this package; the function takes a Call, returns the exit status.
        least, most: how many arguments it takes.
    """

    def __init__(
        self,
        name: str,
        where: str,
        arguments: str,
        text: str,
        *options: Option,
        least: int = 0,
        most: int | None = None,
    ) -> None:
        self.name = name
        self.where = where
        self.arguments = arguments
        self.text = text
        self.options = (*options, HELP)
        self.least = least
        self.most = least if most is None else most

    def function(self) -> Callable[[Call], int]:
        """What runs it; its module is imported only now."""
        module, _, name = self.where.partition(":")
        full = f"xenclient.cli.xl.{module}"
        found: Callable[[Call], int] = getattr(__import__(full, fromlist=[name]), name)
        return found
