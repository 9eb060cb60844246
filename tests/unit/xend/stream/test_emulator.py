"""What a file has of a device model: what is right is read, what is not is one line, with its place."""

from pathlib import Path

import pytest

from tests.unit.xend.stream.files import JSON, memory, reader
from xend.stream import StreamError, header, records
from xend.stream.emulator import HEAD, NODES_MAX_BYTES, QEMU, STATE_MAX_BYTES, Emulator, nodes_body
from xend.stream.records import AFTER, BEFORE, EMULATOR_CONTEXT, EMULATOR_STORE, RECORD, record

NODES = {"physmap/f0000000/start_addr": "f0000000", "physmap/f0000000/name": "vga.vram"}
STATE = record(EMULATOR_CONTEXT, HEAD.pack(QEMU, 0) + b"QEVM state")
STORE = record(EMULATOR_STORE, nodes_body(NODES))
FRONT = header.pack(header.Header(JSON)) + BEFORE


def survey(tmp_path: Path, behind: bytes, type: str = "hvm") -> Emulator | None:
    found = reader(tmp_path / "f", FRONT + memory(type) + behind)
    header.read(found)
    _, emulator = records.survey(found)
    assert found.offset == found.size
    return emulator


def test_both_records(tmp_path: Path) -> None:
    found = survey(tmp_path, STORE + STATE + AFTER)
    assert found is not None
    assert found.nodes == NODES
    data = (tmp_path / "f").read_bytes()
    assert data[found.begins : found.begins + found.length] == b"QEVM state"


def test_what_may_be_left_out(tmp_path: Path) -> None:
    found = survey(tmp_path, STATE + AFTER)
    assert found is not None
    assert found.nodes == {}
    assert survey(tmp_path, AFTER) is None


def store(body: bytes) -> bytes:
    return record(EMULATOR_STORE, HEAD.pack(QEMU, 0) + body) + STATE + AFTER


@pytest.mark.parametrize(
    ("behind", "text"),
    [
        (STATE + STATE + AFTER, "EMULATOR_CONTEXT: expected END"),
        (STATE + STORE + AFTER, "EMULATOR_XENSTORE_DATA: expected END"),
        (STORE + STORE + STATE + AFTER, "EMULATOR_XENSTORE_DATA: expected EMULATOR_CONTEXT"),
        (STORE + AFTER, "END: expected EMULATOR_CONTEXT"),
        (record(EMULATOR_CONTEXT, HEAD.pack(1, 0) + b"x") + AFTER, "of emulator 1, expected 2"),
        (record(EMULATOR_CONTEXT, HEAD.pack(QEMU, 1) + b"x") + AFTER, "number 1 of its domain, expected 0"),
        (record(EMULATOR_CONTEXT, HEAD.pack(QEMU, 0)) + AFTER, "8 bytes, expected 9 to"),
        (RECORD.pack(EMULATOR_CONTEXT, STATE_MAX_BYTES + 9), f"{STATE_MAX_BYTES + 9} bytes, expected 9 to"),
        (RECORD.pack(EMULATOR_CONTEXT, 4096) + HEAD.pack(QEMU, 0), "truncated"),
        (STATE[:-1], "truncated"),
        (STATE, "truncated"),
        (record(EMULATOR_STORE, b"xy") + STATE + AFTER, "2 bytes, expected 8 at least"),
        (RECORD.pack(EMULATOR_STORE, NODES_MAX_BYTES + 1), "expected 65536 at most"),
        (store(b"physmap/0/name\0x"), "the last node has no end"),
        (store(b"physmap/0/name\0"), "a node without a value"),
        (store(b"physmap/0/name\0x\0" * 2), "a node that is there twice"),
        (store(b"/local/domain/0/name\0x\0"), "the node '/local/domain/0/name', expected physmap/"),
        (store(b"physmap/../../name\0x\0"), "the node 'physmap/../../name', expected physmap/"),
        (store(b"state\0running\0"), "the node 'state', expected physmap/"),
        (store(b"\0x\0"), "the node '', expected physmap/"),
        (store(b"physmap/0/name\0\xff\n\0"), r"the node physmap/0/name is '\xff\n'"),
        (store(b"physmap/0/size\0-1\0"), "the node physmap/0/size is '-1'"),
        (store(b"physmap/0/size\0" + b"f" * 17 + b"\0"), "the node physmap/0/size is"),
    ],
)
def test_what_is_wrong_with_them(tmp_path: Path, behind: bytes, text: str) -> None:
    with pytest.raises(StreamError) as error:
        survey(tmp_path, behind)
    assert text in str(error.value)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("behind", [STATE + AFTER, STORE + STATE + AFTER])
def test_a_paravirtual_domain_has_none(tmp_path: Path, behind: bytes) -> None:
    with pytest.raises(StreamError, match="expected END"):
        survey(tmp_path, behind, "pv")
