"""Cores of domains, read again: ELF files of sections alone, of 64 bits, little endian."""

import struct
from typing import NamedTuple


class Section(NamedTuple):
    """One of them.

    Attributes:
        form: its type, alignment and size of an entry.
        data: what it has.
    """

    form: tuple[int, int, int]
    data: memoryview


def sections(core: memoryview) -> dict[str, Section]:
    """All of a file, by their names."""
    start, size, count, names_at = struct.unpack_from("<40xQ10xHHH", core)
    rows = [struct.unpack_from("<IIQQQQIIQQ", core, start + number * size) for number in range(count)]
    names = bytes(core[rows[names_at][4] :][: rows[names_at][5]])
    return {
        names[row[0] : names.index(b"\0", row[0])].decode(): Section(
            (row[1], row[8], row[9]), core[row[4] : row[4] + row[5]]
        )
        for row in rows
    }


def notes(data: memoryview) -> list[tuple[int, bytes]]:
    """(Type, text) of each note of a section."""
    found = []
    while data:
        _, size, type = struct.unpack_from("<3I", data)
        found.append((type, bytes(data[16 : 16 + size])))
        data = data[16 + size :]
    return found


def numbers(data: memoryview) -> list[int]:
    """Of 64 bits each."""
    return [number for (number,) in struct.iter_unpack("<Q", data)]
