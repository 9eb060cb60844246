"""A guide as its test reads it: blocks in their order, and the rows of its table of messages.

A block's first line says what it is: `sh`, commands; `console`, commands behind "# " with what they print;
`conf PATH`, a file, or with `+PATH` more lines of one.  A word `linux` or `netbsd` before that says for which
system it is; without, it is for both, but in docs/dom0.md for NetBSD.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
GUIDE, DOMAINS = DOCS / "dom0.md", DOCS / "domains.md"
SYSTEMS = ("netbsd", "linux")
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
        systems: for which it is, of SYSTEMS.
        path: of a file; begins with "+" if lines are added.  Empty for commands.
        text: what it holds, whole lines.
    """

    line: int
    section: str
    kind: str
    systems: tuple[str, ...]
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


def blocks(system: str, guide: Path = GUIDE) -> list[Block]:
    """Those for a system, in order."""
    return [block for block in all_blocks(guide) if system in block.systems]


def all_blocks(guide: Path = GUIDE) -> list[Block]:
    """All, in order."""
    return list(_blocks(guide.read_text(), SYSTEMS[:1] if guide == GUIDE else SYSTEMS))


def _blocks(text: str, usual: tuple[str, ...]) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        words = found[1].split()
        systems = tuple(word for word in words if word in SYSTEMS) or usual
        kind, *rest = (word for word in words if word not in SYSTEMS)
        path = rest[0] if rest else ""
        assert kind in KINDS, f"line {line}: {kind} is none of {', '.join(KINDS)}"
        assert len(rest) == (kind == "conf"), f"line {line}: {found[1]}"
        section = re.findall(r"^## (.*)$", text[: found.start()], re.MULTILINE)[-1]
        yield Block(line, section, kind, systems, path, found[2])


def rows(guide: Path = GUIDE) -> list[Row]:
    """The rows of all tables of messages, in order."""
    section = guide.read_text().split(_MESSAGES)[1].split("\n## ")[0]
    cells = [_cells(line) for line in section.splitlines() if line.startswith("| `")]
    return [Row(message.strip("`"), cause, remedy) for message, cause, remedy in cells]


def _cells(line: str) -> list[str]:
    r"""Of a row of a table; \| is a bar that is meant."""
    return [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
