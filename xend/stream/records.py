"""The records of a saved domain: libxl's, and libxc's stream of memory and processor state among them.

Both are records of {u32 type, u32 length, body, zeros to a multiple of 8}, little-endian.  All headers and
lists of page numbers are read and checked here, no page: that costs a few reads for each 4 MiB.
"""

import struct
from collections.abc import Callable, Mapping

import attrs

from xend.hypervisor.control import Leaf
from xend.stream import StreamError
from xend.stream.emulator import Emulator, read_nodes, read_state
from xend.stream.reader import Reader

RECORD = struct.Struct("<II")
_LIBXL = struct.Struct(">8sII")
_LIBXL_MAGIC, _LIBXL_VERSION = b"LibxlFmt", 2
_BIG_ENDIAN, _LEGACY = 1, 2
#: Types of libxl's records (libxl_sr_stream_format.h).
END, LIBXC_CONTEXT, EMULATOR_STORE, EMULATOR_CONTEXT = range(4)
_LIBXL_NAMES = ("END", "LIBXC_CONTEXT", "EMULATOR_XENSTORE_DATA", "EMULATOR_CONTEXT")

IMAGE = struct.Struct(">QIIH6x")
DOMAIN = struct.Struct("<IHHII")
MARKER, IDENTITY = (1 << 64) - 1, 0x58454E46
VERSIONS = (2, 3)
PV, HVM = 1, 2
PAGE_SHIFT, PAGE_BYTES = 12, 4096
#: Types of libxc's records (xg_sr_stream_format.h); those that are not named here are reserved.
NAMES: Mapping[int, str] = {
    0x00: "END", 0x01: "PAGE_DATA", 0x02: "X86_PV_INFO", 0x03: "X86_PV_P2M_FRAMES",
    0x04: "X86_PV_VCPU_BASIC", 0x05: "X86_PV_VCPU_EXTENDED", 0x06: "X86_PV_VCPU_XSAVE", 0x07: "SHARED_INFO",
    0x08: "X86_TSC_INFO", 0x09: "HVM_CONTEXT", 0x0A: "HVM_PARAMS", 0x0B: "TOOLSTACK",
    0x0C: "X86_PV_VCPU_MSRS", 0x0D: "VERIFY", 0x0E: "CHECKPOINT", 0x0F: "CHECKPOINT_DIRTY_PFN_LIST",
    0x10: "STATIC_DATA_END", 0x11: "X86_CPUID_POLICY", 0x12: "X86_MSR_POLICY",
}  # fmt: skip
TYPES = {name: number for number, name in NAMES.items()}
OPTIONAL = 1 << 31
#: As libxc bounds them (REC_LENGTH_MAX, xg_sr_common.h).
BODY_MAX = 128 << 20
#: Of a type, what a stream must have besides END.
_NEEDED = {
    PV: ("X86_PV_INFO", "X86_PV_P2M_FRAMES", "PAGE_DATA", "X86_PV_VCPU_BASIC", "SHARED_INFO"),
    HVM: ("PAGE_DATA", "HVM_CONTEXT", "HVM_PARAMS"),
}
_LISTS = struct.Struct("<II")
#: Page numbers are below this: 16 TiB of memory, and the frames of devices above it.
_PFN_END = 1 << 40
_PFN_MASK = (1 << 52) - 1
#: Kinds of pages of which no contents are sent; the last two are not there at all.
XALLOC, BROKEN, XTAB = 0xD, 0xE, 0xF
#: All kinds that there are.
_PAGE_KINDS = bytes((*range(5), *range(9, 16)))
#: Of a byte: its halves.
_UPPER, _LOWER = bytes(byte >> 4 for byte in range(256)), bytes(byte & 15 for byte in range(256))
_LEAF = struct.Struct("<6I")
_LEAVES_MAX = 4096


@attrs.define(kw_only=True)
class Memory:
    """What a stream of libxc's holds.

    Attributes:
        type: PV or HVM (which a pvh domain is, too).
        xen: the release that wrote it: "4.17".
        pages: how many of memory.
        leaves: what the domain saw of its processor: (leaf, subleaf, eax, ebx, ecx, edx) each.
        begins, ends: its first byte in the file, and the first behind it.
        first_page: where the contents of the first page lie.
    """

    type: int
    xen: str
    pages: int = 0
    leaves: tuple[Leaf, ...] = ()
    begins: int
    ends: int = 0
    first_page: int = 0


def survey(reader: Reader) -> tuple[Memory, Emulator | None]:
    """Walk over libxl's stream, from where the reader is (behind xl's header) to its end.

    Returns its memory, and what its device model left, if it had one.

    Raises:
        StreamError: it is none, is not whole, or has what this xend does not read; OSError.
    """
    _libxl_header(reader)
    kind, length, where = _libxl_record(reader)
    if kind != LIBXC_CONTEXT or length:
        raise StreamError(reader.offset - RECORD.size, where, "expected an empty LIBXC_CONTEXT first")
    found = memory(reader)
    return found, _emulator(reader, found)


def _emulator(reader: Reader, memory: Memory) -> Emulator | None:
    """What follows memory: nodes or none, a state or none, the end."""
    expected = [] if memory.type == PV else [EMULATOR_STORE, EMULATOR_CONTEXT]
    nodes: dict[str, str] | None = None
    state: tuple[int, int] | None = None
    while True:
        at = reader.offset
        kind, length, where = _libxl_record(reader)
        if kind == END and not length and (nodes is None or state is not None):
            return None if state is None else Emulator(nodes or {}, *state)
        if kind not in expected:
            left = [_LIBXL_NAMES[each] for each in expected] if nodes is not None else []
            raise StreamError(at, where, f"expected {' or '.join(left) or 'END'}")
        body_at = reader.offset
        if kind == EMULATOR_STORE:
            nodes, expected = read_nodes(reader, length, where), [EMULATOR_CONTEXT]
        else:
            state, expected = read_state(reader, length, where), []
        reader.skip(body_at + _padded(length) - reader.offset, where)


def _libxl_header(reader: Reader) -> None:
    at = reader.offset
    magic, version, options = _LIBXL.unpack(reader.read(_LIBXL.size, "libxl's header"))
    if magic != _LIBXL_MAGIC:
        raise StreamError(at, "libxl's header", "expected LibxlFmt")
    if version != _LIBXL_VERSION:
        raise StreamError(at + 8, "libxl's header", f"version {version}, expected {_LIBXL_VERSION}")
    if options & _BIG_ENDIAN or options & ~(_BIG_ENDIAN | _LEGACY):
        raise StreamError(at + 12, "libxl's header", f"options {options:#x}, expected 0 or {_LEGACY}")


def _libxl_record(reader: Reader) -> tuple[int, int, str]:
    at = reader.offset
    kind, length = RECORD.unpack(reader.read(RECORD.size, "a record of libxl's"))
    if kind >= len(_LIBXL_NAMES):
        raise StreamError(at, f"a record of libxl's of type {kind:#x}", "of a newer Xen, or none")
    return kind, length, f"libxl's record {_LIBXL_NAMES[kind]}"


def memory(reader: Reader) -> Memory:
    """Walk over a stream of libxc's alone.

    Raises:
        StreamError, OSError: as `survey`.
    """
    begins = reader.offset
    version = _image_header(reader)
    found = _domain_header(reader, begins)
    seen: set[str] = set()
    while True:
        at = reader.offset
        kind, length = RECORD.unpack(reader.read(RECORD.size, "a record of libxc's"))
        name = NAMES.get(kind)
        where = f"record {name}" if name else f"a record of libxc's of type {kind:#x}"
        if name is None and not kind & OPTIONAL:
            raise StreamError(at, where, "of a newer Xen, or none")
        if length > BODY_MAX:
            raise StreamError(at, where, f"{length} bytes, expected {BODY_MAX} at most")
        if name == "END":
            _check_whole(found, seen, at)
            found.ends = reader.offset
            return found
        _check_place(name, seen, version, at, where)
        body_at = reader.offset
        _BODIES.get(name or "", _skip)(reader, length, where, found)
        assert reader.offset <= body_at + _padded(length)
        reader.skip(body_at + _padded(length) - reader.offset, where)
        seen.add(name or "")


def _image_header(reader: Reader) -> int:
    at, where = reader.offset, "libxc's header"
    marker, identity, version, options = IMAGE.unpack(reader.read(IMAGE.size, where))
    if marker != MARKER or identity != IDENTITY:
        raise StreamError(at, where, "no stream of libxc's begins here")
    if version not in VERSIONS:
        raise StreamError(at + 12, where, f"version {version}, expected 2 or 3: it is of another Xen")
    if options:
        raise StreamError(at + 16, where, f"options {options:#x}, expected 0: little-endian")
    return int(version)


def _domain_header(reader: Reader, begins: int) -> Memory:
    at, where = reader.offset, "libxc's header of the domain"
    kind, shift, _, major, minor = DOMAIN.unpack(reader.read(DOMAIN.size, where))
    if kind not in (PV, HVM):
        raise StreamError(at, where, f"a domain of type {kind:#x}, expected x86 PV or HVM")
    if shift != PAGE_SHIFT:
        raise StreamError(at + 4, where, f"pages of 2^{shift} bytes, expected 4096")
    return Memory(type=kind, xen=f"{major}.{minor}", begins=begins)


def _check_place(name: str | None, seen: set[str], version: int, at: int, where: str) -> None:
    if name in ("CHECKPOINT", "CHECKPOINT_DIRTY_PFN_LIST"):
        raise StreamError(at, where, "it belongs to a domain that is copied all the time (remus)")
    if name == "PAGE_DATA" and version > 2 and "STATIC_DATA_END" not in seen:
        raise StreamError(at, where, "expected STATIC_DATA_END before")


def _check_whole(memory: Memory, seen: set[str], at: int) -> None:
    for name in _NEEDED[memory.type]:
        if name not in seen:
            raise StreamError(at, "record END", f"expected {name} before")


def _pages(reader: Reader, length: int, where: str, memory: Memory) -> None:
    at = reader.offset
    if length < _LISTS.size:
        raise StreamError(at, where, f"{length} bytes, expected {_LISTS.size} at least")
    count, _ = _LISTS.unpack(reader.read(_LISTS.size, where))
    if not count or _LISTS.size + 8 * count > length:
        raise StreamError(at, where, f"{count} page numbers in {length} bytes")
    numbers = reader.read(8 * count, where)
    kinds = numbers[7::8].translate(_UPPER)
    _check_numbers(numbers, kinds, at + _LISTS.size, where)
    absent = kinds.count(BROKEN) + kinds.count(XTAB)
    sent = count - absent - kinds.count(XALLOC)
    expected = _LISTS.size + 8 * count + PAGE_BYTES * sent
    if length != expected:
        raise StreamError(at, where, f"{length} bytes with {sent} pages, expected {expected}")
    memory.first_page = memory.first_page or reader.offset
    memory.pages += count - absent


def _check_numbers(numbers: bytes, kinds: bytes, at: int, where: str) -> None:
    """See that they are page numbers.  Where they are, none is looked at alone: a domain has millions."""
    is_below_end = not numbers[5::8].strip(b"\0") and not numbers[6::8].translate(_LOWER).strip(b"\0")
    if is_below_end and not kinds.translate(None, _PAGE_KINDS):
        return
    for place, (number,) in enumerate(struct.iter_unpack("<Q", numbers)):
        if number & _PFN_MASK >= _PFN_END or kinds[place] not in _PAGE_KINDS:
            raise StreamError(at + 8 * place, where, f"no page number: {number:#x}")


def _policy(reader: Reader, length: int, where: str, memory: Memory) -> None:
    if length % _LEAF.size or not 0 < length <= _LEAVES_MAX * _LEAF.size:
        raise StreamError(reader.offset, where, f"{length} bytes, expected {_LEAF.size} for each leaf")
    memory.leaves = tuple(_LEAF.iter_unpack(reader.read(length, where)))


def _empty(reader: Reader, length: int, where: str, memory: Memory) -> None:
    if length:
        raise StreamError(reader.offset, where, f"{length} bytes, expected none")


def _skip(reader: Reader, length: int, where: str, memory: Memory) -> None:
    reader.skip(length, where)


_BODIES: Mapping[str, Callable[[Reader, int, str, Memory], None]] = {
    "PAGE_DATA": _pages, "X86_CPUID_POLICY": _policy, "STATIC_DATA_END": _empty, "VERIFY": _empty,
}  # fmt: skip


def _padded(length: int) -> int:
    return -(-length // 8) * 8


def record(kind: int, body: bytes = b"") -> bytes:
    """A record, of libxl's or libxc's."""
    return RECORD.pack(kind, len(body)) + body + bytes(-len(body) % 8)


#: What stands in front of libxc's stream, and behind it where the domain has no device model.
BEFORE = _LIBXL.pack(_LIBXL_MAGIC, _LIBXL_VERSION, 0) + record(LIBXC_CONTEXT)
AFTER = record(END)
