"""Saved domains: what is read of them, and one line of each that is broken, with its place."""

import os
import struct
from pathlib import Path

import pytest

from tests.unit.xend.stream.files import JSON, file, memory, reader
from xend.stream import StreamError, header, own, records
from xend.stream.reader import Reader
from xend.stream.records import AFTER, BEFORE, TYPES, record

FRONT = len(header.pack(header.Header(JSON)))
#: Where libxc's stream begins.
MEMORY = FRONT + len(BEFORE)
LEAF = struct.pack("<6I", 7, 0, 1, 2, 3, 4)


def walk(found: Reader) -> records.Memory:
    header.read(found)
    return records.survey(found)[0]


@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_a_whole_file(tmp_path: Path, type: str) -> None:
    found = reader(tmp_path / "f", file(type))
    assert header.read(found).config == JSON
    surveyed, _ = records.survey(found)
    assert found.offset == found.size
    assert (surveyed.type, surveyed.xen, surveyed.pages) == (
        records.PV if type == "pv" else records.HVM,
        "4.17",
        16,
    )
    assert (surveyed.begins, surveyed.ends) == (MEMORY, found.size - len(AFTER))


@pytest.mark.parametrize("type", ["pv", "pvh"])
def test_a_file_that_ends_anywhere(tmp_path: Path, type: str) -> None:
    data = file(type)
    for end in range(len(data)):
        if end > 400 and end % 997:
            continue  # of long bodies some places will do
        found = reader(tmp_path / "f", data[:end])
        with pytest.raises(StreamError) as error:
            walk(found)
        os.close(found.fd)
        if end >= 32:
            assert "truncated" in error.value.text
        assert error.value.offset <= end
        assert "\n" not in str(error.value)


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def with_record(kind: int, body: bytes, length: int | None = None) -> bytes:
    """A file whose memory has this record in front of its END."""
    made = record(kind, body)
    if length is not None:
        made = struct.pack("<II", kind, length) + made[8:]
    end = record(TYPES["END"])
    return file()[:MEMORY] + memory()[: -len(end)] + made + end + AFTER


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\x7fELF" + bytes(100), "at byte 0, header: no saved domain"),
        (b"libvirt-xml\n \0 \r" + bytes(100), "libvirt's: virsh restore reads it"),
        (b"LinuxGuestRecord" + bytes(100), "xm's, of Xen 4.1 or older"),
        (patched(file(), 32, b"\1\2\3\4"), "at byte 32, header: the byte order is 0x04030201"),
        (patched(file(), 36, b"\7"), "at byte 36, header: flags 0x4 of a newer xl"),
        (patched(file(), 36, b"\1"), "at byte 36, header: it is of Xen 4.5 or older"),
        (patched(file(), 44, b"\xff\xff\xff\x7f"), "at byte 44, header: 2147483647 bytes of data"),
        (patched(file(), 44, b"\2\0\0\0"), "2 bytes of data, expected a configuration"),
        (patched(file(), 48, b"\xff\0\0\0"), "truncated: 60 of the 255 bytes of a configuration"),
        (patched(file(), FRONT, b"x"), f"at byte {FRONT}, libxl's header: expected LibxlFmt"),
        (patched(file(), FRONT + 11, b"\3"), "libxl's header: version 3, expected 2"),
        (patched(file(), FRONT + 15, b"\1"), "libxl's header: options 0x1, expected 0 or 2"),
        (patched(file(), FRONT + 16, b"\7"), "a record of libxl's of type 0x7: of a newer Xen, or none"),
        (patched(file(), FRONT + 16, b"\2"), "EMULATOR_XENSTORE_DATA: expected an empty LIBXC_CONTEXT first"),
        (patched(file(), MEMORY, b"\0"), f"at byte {MEMORY}, libxc's header: no stream of libxc's begins"),
        (patched(file(), MEMORY + 15, b"\4"), "libxc's header: version 4, expected 2 or 3"),
        (patched(file(), MEMORY + 17, b"\1"), "options 0x1, expected 0: little-endian"),
        (patched(file(), MEMORY + 24, b"\3"), "a domain of type 0x3, expected x86 PV or HVM"),
        (patched(file(), MEMORY + 28, b"\x0d"), "pages of 2^13 bytes, expected 4096"),
        (with_record(0x13, b""), "libxc's of type 0x13: of a newer Xen, or none"),
        (with_record(TYPES["CHECKPOINT"], b""), "record CHECKPOINT: it belongs to a domain that is copied"),
        (with_record(TYPES["TOOLSTACK"], b"", 0xFFFFFFFF), "record TOOLSTACK: 4294967295 bytes, expected"),
        (with_record(TYPES["TOOLSTACK"], b"", 1 << 20), "record TOOLSTACK: truncated"),
        (with_record(TYPES["X86_CPUID_POLICY"], LEAF[:-1]), "23 bytes, expected 24 for each leaf"),
        (with_record(TYPES["VERIFY"], b"x"), "record VERIFY: 1 bytes, expected none"),
        (with_record(TYPES["PAGE_DATA"], b""), "record PAGE_DATA: 0 bytes, expected 8 at least"),
        (with_record(TYPES["PAGE_DATA"], bytes(8)), "0 page numbers in 8 bytes"),
        (with_record(TYPES["PAGE_DATA"], b"\xff\xff\xff\xff" + bytes(60)), "4294967295 page numbers"),
        (with_record(TYPES["PAGE_DATA"], struct.pack("<IIQ", 1, 0, 1 << 50)), "no page number: 0x4"),
        (with_record(TYPES["PAGE_DATA"], struct.pack("<IIQ", 1, 0, 5 << 60)), "no page number: 0x5"),
        (with_record(TYPES["PAGE_DATA"], struct.pack("<IIQ", 1, 0, 1)), "with 1 pages, expected 4112"),
        (file()[:MEMORY] + memory("pvh")[:40] + record(0) + AFTER, "record END: expected PAGE_DATA before"),
        (file() [: -len(AFTER)] + record(2, bytes(16)), "EMULATOR_XENSTORE_DATA: expected END"),
    ],
)  # fmt: skip
def test_a_broken_file(tmp_path: Path, data: bytes, text: str) -> None:
    found = reader(tmp_path / "f", data)
    with pytest.raises(StreamError) as error:
        walk(found)
    assert text in str(error.value)


@pytest.mark.parametrize("kind", range(16))
def test_the_kinds_of_pages(tmp_path: Path, kind: int) -> None:
    numbers = [1, kind << 60 | 2, 3]
    body = struct.pack("<II3Q", 3, 0, *numbers) + bytes(4096 * (3 if kind < records.XALLOC else 2))
    found = reader(tmp_path / "f", with_record(TYPES["PAGE_DATA"], body))
    if 5 <= kind < 9:
        with pytest.raises(StreamError, match=f"no page number: {numbers[1]:#x}"):
            walk(found)
    else:
        assert walk(found).pages == 16 + (3 if kind <= records.XALLOC else 2)


@pytest.mark.parametrize("bit", range(60))
def test_where_page_numbers_end(tmp_path: Path, bit: int) -> None:
    """Below 2^40; of what lies above 2^52 Xen says nothing."""
    body = struct.pack("<II2Q", 2, 0, 1, 1 << bit) + bytes(8192)
    data = with_record(TYPES["PAGE_DATA"], body)
    found = reader(tmp_path / "f", data)
    if 40 <= bit < 52:
        with pytest.raises(StreamError, match=f"no page number: {1 << bit:#x}") as error:
            walk(found)
        assert error.value.offset == data.index(struct.pack("<QQ", 1, 1 << bit)) + 8
    else:
        assert walk(found).pages == 18


def test_what_is_optional_is_passed_over_and_a_policy_is_read(tmp_path: Path) -> None:
    data = with_record(1 << 31 | 0x77, b"something")
    policy = record(TYPES["X86_CPUID_POLICY"], LEAF)
    at = MEMORY + 40
    found = reader(tmp_path / "f", data[:at] + policy + data[at:])
    header.read(found)
    assert records.survey(found)[0].leaves == ((7, 0, 1, 2, 3, 4),)


def test_an_older_stream_needs_no_static_data(tmp_path: Path) -> None:
    static = record(TYPES["STATIC_DATA_END"])
    data = file().replace(static, b"", 1)
    found = reader(tmp_path / "f", data)
    header.read(found)
    with pytest.raises(StreamError, match="expected STATIC_DATA_END before"):
        records.survey(found)
    found = reader(tmp_path / "f", patched(data, MEMORY + 15, b"\2"))
    header.read(found)
    assert records.survey(found)[0].pages == 16


def test_own_data(tmp_path: Path) -> None:
    data = own.pack(own.Own(fields={"name": "a"}))
    assert own.read(data + b"more", 0) == own.Own(fields={"name": "a"})
    sealed = patched(data, own.SEAL_AT, own.seal(7, 9))
    assert own.read(sealed, 0) == own.Own(fields={"name": "a"}, checksum=7, length=9)
    assert own.read(b"", 0) is None
    assert own.read(b"XEND-EXTRA", 0) is None
    assert own.read(patched(data, 8, bytes((own.VERSION + 1,))), 0) is None  # of a newer xend
    for broken in (data[:20], data[:-1], patched(data, 28, b"\xc1")):
        with pytest.raises(StreamError, match="at byte 100, header, xend's own data: "):
            own.read(broken, 100)
    front = header.Header(JSON, own=data)
    assert header.pack(front)[header.own_offset(front) :] == data
    assert header.read(reader(tmp_path / "f", header.pack(front))) == front
