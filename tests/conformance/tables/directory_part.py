"""DIRECTORY_PART: long listings in pieces, each with the directory's generation."""

import re
from collections.abc import Sequence

from tests.conformance.reasons import NO_DIRECTORY_PART, O_NO_PARTS
from tests.conformance.table import do, node, scenario
from tests.conformance.words import (
    E2BIG,
    EACCES,
    EINVAL,
    ENOENT,
    OK,
    Like,
    begins,
    directory,
    directory_part,
    end,
    names,
    raw,
    start,
    write,
)
from xenstore.wire import MessageType as Type

MANY = [f"{n:0>63}" for n in range(100)]  # 6400 bytes of listing, 64 each


def part(listing: bytes) -> Like:
    """The generation, the same in all parts, and a piece of the listing."""
    return Like(rb"(?P<gen>\d+)\x00" + re.escape(listing))


def first_part(children: Sequence[str]) -> Like:
    """As many whole names as fit with the generation into 4095 bytes; after the last of all one NUL more."""
    choices = []
    for digits in range(1, 9):
        room = 4095 - digits - 1
        fitting = [name for n, name in enumerate(children) if len(names(*children[: n + 1])) <= room]
        end = b"\0" if len(fitting) == len(children) else b""
        choices.append(rb"\d{%d}\x00" % digits + re.escape(names(*fitting) + end))
    return Like(b"|".join(choices))


def filling(size: int, letters: str) -> list[str]:
    """Names that take `size` bytes of listing, and then single letters, two bytes each."""
    return [*(f"{n:0>63}" for n in range(63)), "x" * (size - 63 * 64 - 1), *letters]


SCENARIOS = [
    scenario(
        "a directory that fits",
        do(
            "a",
            directory_part("/t", 0),
            part(names("a", "c", "b") + b"\0"),
            "all names, and an empty one at the end",
        ),
        do("a", directory_part("/t", 2), part(names("c", "b") + b"\0"), "from an offset"),
        do("a", directory_part("/t", 4), part(names("b") + b"\0"), "the last one"),
        do("a", directory_part("/t", 6), part(b"\0"), "the end"),
        do("a", directory_part("/t", 7), part(b"\0"), "past it"),
        do("a", directory_part("/t", 99999), part(b"\0"), "far past it"),
        given=[node("/t/a"), node("/t/c"), node("/t/b")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "an empty directory",
        do("a", directory_part("/t", 0), part(b"\0"), "the end at once"),
        do("a", directory_part("/t", 1), part(b"\0"), "at any offset"),
        given=[node("/t")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "the generation changes with the directory",
        do("a", directory_part("/t", 0), Like(rb"(?P<one>\d+)\0a\0\0"), "one generation"),
        do(
            "a", directory_part("/t", 0), Like(rb"(?P<one>\d+)\0a\0\0"), "is the same until something changes"
        ),
        do("a", write("/t/b"), OK, "a new child"),
        do(
            "a", directory_part("/t", 0), Like(rb"(?P<two>\d+)\0a\0b\0\0", unlike="one"), "another generation"
        ),
        do("a", directory_part("/t", 0), Like(rb"(?P<two>\d+)\0a\0b\0\0"), "which is kept"),
        given=[node("/t/a")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "a directory of 6400 bytes",
        do("a", directory("/t"), E2BIG, "is too long for DIRECTORY"),
        do("a", directory_part("/t", 0), part(names(*MANY[:63])), "as many whole names as fit, no end"),
        do("a", directory_part("/t", 63 * 64), part(names(*MANY[63:]) + b"\0"), "the rest, and the end"),
        do("a", directory_part("/t", 64), part(names(*MANY[1:64])), "any name may be the first"),
        given=[node(f"/t/{name}") for name in MANY],
        not_on=O_NO_PARTS,
    ),
    # Whatever the number of digits of the generation, one of these ends at byte 4094, 4095 and 4096.
    *(
        scenario(
            f"{size} bytes of names and {letters}",
            do(
                "a",
                directory_part("/t", 0),
                first_part(filling(size, letters)),
                "a name may end at byte 4095",
            ),
            given=[node(f"/t/{name}") for name in filling(size, letters)],
            not_on=O_NO_PARTS,
        )
        for size in (4083, 4084)
        for letters in ("ab", "abc", "abcd", "abcde", "abcdefghij")
    ),
    scenario(
        "arguments",
        do("a", raw(Type.DIRECTORY_PART, b"/t\0000\0x\0"), EINVAL, "three strings"),
        do("a", raw(Type.DIRECTORY_PART, b"/t\0"), EINVAL, "no offset"),
        do("a", raw(Type.DIRECTORY_PART, b"/t\0000"), EINVAL, "an offset that no NUL ends"),
        do("a", raw(Type.DIRECTORY_PART, b"\0000\0"), EINVAL, "no path"),
        do("a", directory_part("/t/", 0), EINVAL, "a bad path"),
        do("a", directory_part("/missing", 0), ENOENT, "a missing node"),
        given=[node("/t")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "domains may ask, too",
        do("d3", directory_part("/t", 0), part(b"x\0\0"), "what they may read"),
        do("d3", directory_part("/u", 0), EACCES, "not what they may not"),
        do("d3", directory_part("/u/missing", 0), EACCES, "nor what is hidden"),
        do("d3", directory_part("/t/missing", 0), ENOENT, "what is missing and not hidden"),
        given=[node("/t", perms="r0"), node("/t/x"), node("/u")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "inside a transaction",
        do("a", start(), begins("T"), "a transaction"),
        do("a", write("/t/b"), OK, "adds a child", tx="T"),
        do("a", directory_part("/t", 0), Like(rb"\d+\0a\0b\0\0"), "and lists it", tx="T"),
        do("a", directory_part("/t", 0), Like(rb"\d+\0a\0\0"), "others do not see it"),
        do("a", end(), OK, "until it commits", tx="T"),
        do("a", directory_part("/t", 0), Like(rb"\d+\0a\0b\0\0"), "now they do"),
        given=[node("/t/a")],
        not_on=O_NO_PARTS,
    ),
    scenario(
        "oxenstored 4.17 does not know it",
        do("a", directory_part("/t", 0), part(b"\0"), "an empty directory", o=NO_DIRECTORY_PART),
        given=[node("/t")],
    ),
]
