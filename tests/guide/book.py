"""docs/dom0.md as its test reads it: blocks in their order, and the rows of its table of messages.

A block's first line says what it is: `sh`, commands; `console`, commands behind "# " with what they print;
`conf PATH`, a file, or with `+PATH` more lines of one.  A word `linux` before that: on a Linux dom0.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

GUIDE = Path(__file__).parents[2] / "docs" / "dom0.md"
KINDS = ("sh", "console", "conf")
PROMPT = "# "
_FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```\n", re.MULTILINE)
#: A line, and those of a loop's that follow it.
_COMMAND = re.compile(r"^\S.*(?:\n +.*|\ndone)*", re.MULTILINE)
_MESSAGES = "\n## Messages\n"


@dataclass(frozen=True)
class Block:
    """A block of code.

    Attributes:
        line: of the guide, where it begins.
        section: the heading that it stands below.
        kind: one of KINDS.
        system: "netbsd" or "linux".
        path: of a file; begins with "+" if lines are added.  Empty for commands.
        text: what it holds, whole lines.
    """

    line: int
    section: str
    kind: str
    system: str
    path: str
    text: str

    def commands(self) -> list[tuple[str, str | None]]:
        """Commands and what they print; None: it is not shown."""
        if self.kind == "sh":
            return [(command, None) for command in re.findall(_COMMAND, self.text)]
        parts = f"\n{self.text}".split(f"\n{PROMPT}")
        assert parts.pop(0) == "", f"line {self.line}: a console begins with {PROMPT!r}"
        pairs = (part.partition("\n") for part in parts)
        return [(command, printed.removesuffix("\n")) for command, _, printed in pairs]


@dataclass(frozen=True)
class Row:
    """What a message means: its text without the program's name, and where it is explained."""

    message: str
    cause: str
    remedy: str


def text() -> str:
    """The guide."""
    return GUIDE.read_text()


def blocks(system: str) -> list[Block]:
    """Those for a system, in order."""
    return [block for block in _blocks(text()) if block.system == system]


def _blocks(guide: str) -> Iterator[Block]:
    for found in _FENCE.finditer(guide):
        line = guide.count("\n", 0, found.start()) + 1
        words = found[1].split()
        system = "linux" if "linux" in words else "netbsd"
        kind, *rest = (word for word in words if word != "linux")
        path = rest[0] if rest else ""
        assert kind in KINDS, f"line {line}: {kind} is none of {', '.join(KINDS)}"
        assert len(rest) == (kind == "conf"), f"line {line}: {found[1]}"
        section = re.findall(r"^## (.*)$", guide[: found.start()], re.MULTILINE)[-1]
        yield Block(line, section, kind, system, path, found[2])


def rows() -> list[Row]:
    """The rows of all tables of messages, in order."""
    section = text().split(_MESSAGES)[1].split("\n## ")[0]
    cells = [_cells(line) for line in section.splitlines() if line.startswith("| `")]
    return [Row(message.strip("`"), cause, remedy) for message, cause, remedy in cells]


def _cells(line: str) -> list[str]:
    r"""Of a row of a table; \| is a bar that is meant."""
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
