"""What a command prints beside what the guide shows of it."""

import re

#: Columns of the tables, by their first word, whose values are the guide's; others may differ.
TABLES = {
    "Name": {"Name", "Mem", "VCPUs"},
    "Vdev": {"Vdev", "BE", "handle", "state", "BE-path"},
    "Idx": {"Idx", "BE", "handle", "state", "BE-path"},
}
#: A last line that stands for all that follows.
AND_SO_ON = "..."
_PID = re.compile(r"(pid[ =])\d+")


def comparable(printed: str) -> list[list[str]]:
    """Lines and their words, as far as they are the same each time."""
    lines = [_PID.sub(r"\1N", line).split() for line in printed.splitlines()]
    if not lines or lines[0][:1] == [] or lines[0][0] not in TABLES:
        return lines
    header = " ".join(lines[0]).replace("Mac Addr.", "Mac").split()
    kept = [header.index(name) for name in header if name in TABLES[lines[0][0]]]
    return [header, *([row[index] for index in kept] for row in lines[1:])]


def is_like(printed: str, shown: str) -> bool:
    """Whether a command has printed what the guide shows."""
    expected, said = comparable(shown), comparable(printed)
    if expected[-1:] == [[AND_SO_ON]]:
        return said[: len(expected) - 1] == expected[:-1] and len(said) >= len(expected)
    return said == expected
