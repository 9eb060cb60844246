"""Whether messages are printed as a guide's table has them."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.guide.book import GUIDE, rows
from tests.guide.host import Host
from tests.guide.provocations import Provocation

_VARIES = re.compile(r"[0-9a-f]*\d[0-9a-f]*")


def unprovoked(provocations: Sequence[Provocation], guide: Path = GUIDE) -> list[str]:
    """The messages of a guide that not just one of these is for, and how many are for none."""
    messages = [row.message for row in rows(guide)]
    found = {message: [row for row in provocations if message.startswith(row.begins)] for message in messages}
    wrong = [message for message, those in found.items() if len(those) != 1]
    return wrong + [
        each.begins for each in provocations if not any(each in those for those in found.values())
    ]


def printed_otherwise(host: Host, provocations: Sequence[Provocation], guide: Path = GUIDE) -> list[str]:
    """Provoke each, and mend it; the messages that are not printed as they stand there, with what is."""
    wrong = []
    for row in provocations:
        (message,) = [each.message for each in rows(guide) if each.message.startswith(row.begins)]
        said = host.typed(row.script).stdout
        if not any(pattern(message).fullmatch(varying(line)) for line in said.splitlines()):
            wrong.append(f"{message}\n{said}")
        mended = host.typed(row.mend)
        if mended.returncode != 0:
            wrong.append(f"{row.mend}\n{mended.stdout}")
    return wrong


def pattern(message: str) -> re.Pattern[str]:
    """For lines that are that message; "..." is anything."""
    return re.compile(".*".join(map(re.escape, varying(message).split("..."))))


def varying(line: str) -> str:
    """The line, with every number as N."""
    return _VARIES.sub("N", line)
