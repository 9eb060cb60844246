"""The memory of a simulated domain as libxc's stream: its kernel's state in the first pages, others empty."""

import errno
import os
import struct
from collections.abc import Iterator, Mapping
from typing import Any

from xend.config.cpuid_names import FIELDS
from xend.hypervisor import Blueprint, HypervisorError, Image, Machine
from xend.packing import pack, unpack
from xend.stream import StreamError
from xend.stream import records as r
from xend.stream.features import leaves_of
from xend.stream.reader import Reader
from xenstore.daemon.files import write_all

#: Page numbers in one record, as libxc has them.
_BATCH = 1024
_MAGIC = b"simulated domain"
_LENGTH = struct.Struct("<16sI")
_EMPTY = {
    r.PV: (("X86_PV_INFO", b"\x08\x04" + bytes(6)), ("X86_PV_P2M_FRAMES", bytes(16))),
    r.HVM: (),
}
_LAST = {
    r.PV: (("X86_TSC_INFO", bytes(24)), ("SHARED_INFO", bytes(4096)), ("X86_PV_VCPU_BASIC", bytes(5176))),
    r.HVM: (("X86_TSC_INFO", bytes(24)), ("HVM_CONTEXT", bytes(16)), ("HVM_PARAMS", bytes(8))),
}
#: More state than this no kernel has.
_STATE_MAX = 1 << 20


def stream(type: str, memory_kib: int, state: Mapping[str, Any]) -> Iterator[bytes]:
    """The stream of a domain of this type, in pieces."""
    kind = r.PV if type == "pv" else r.HVM
    yield r.IMAGE.pack(r.MARKER, r.IDENTITY, 3, 0) + r.DOMAIN.pack(kind, r.PAGE_SHIFT, 0, 4, 17)
    policy = b"".join(struct.pack("<6I", *leaf) for leaf in leaves_of(state.get("features", ())))
    policies = [("X86_CPUID_POLICY", policy)] if policy else []
    for name, body in (*policies, ("STATIC_DATA_END", b""), *_EMPTY[kind]):
        yield r.record(r.TYPES[name], body)
    data = pack(dict(state))
    data = _LENGTH.pack(_MAGIC, len(data)) + data
    data += bytes(-len(data) % r.PAGE_BYTES)
    full = len(data) // r.PAGE_BYTES
    yield _pages(0, full, 0, data)
    for first in range(full, memory_kib // 4, _BATCH):
        yield _pages(first, min(_BATCH, memory_kib // 4 - first), r.XALLOC, b"")
    for name, body in _LAST[kind]:
        yield r.record(r.TYPES[name], body)
    yield r.record(r.TYPES["END"])


def state_of(fd: int) -> tuple[str, Mapping[str, Any]]:
    """The type ("pv", or "pvh" for all others) and state of a domain whose stream begins at a descriptor's
    place.

    The place is behind the stream then.

    Raises:
        ValueError: it is none, or of a domain that was not simulated; OSError.
    """
    reader = Reader(fd, os.fstat(fd).st_size, os.lseek(fd, 0, os.SEEK_CUR))
    try:
        memory = r.memory(reader)
        state = _first_page(Reader(fd, memory.ends, memory.first_page))
    except StreamError as error:
        raise ValueError(str(error)) from error
    os.lseek(fd, memory.ends, os.SEEK_SET)
    return ("pv" if memory.type == r.PV else "pvh"), state


def _first_page(reader: Reader) -> Mapping[str, Any]:
    magic, length = _LENGTH.unpack(reader.read(_LENGTH.size, "the first page"))
    if magic != _MAGIC or length > _STATE_MAX:
        raise ValueError("it is of a domain that was not simulated")
    state = unpack(reader.read(length, "the kernel's state"))
    if not isinstance(state, dict):
        raise ValueError("no state of a kernel")
    return state


def _pages(first: int, count: int, kind: int, data: bytes) -> bytes:
    numbers = struct.pack(f"<{count}Q", *(number | kind << 60 for number in range(first, first + count)))
    return r.record(r.TYPES["PAGE_DATA"], struct.pack("<II", count, 0) + numbers + data)


# --- what the hypervisor does with it -----------------------------------------------------------------------


def write(fd: int, type: str, state: Mapping[str, Any]) -> None:
    """Write a domain's stream to a descriptor.

    Raises:
        HypervisorError: as the descriptor says.
    """
    try:
        for piece in stream(type, int(state["memory_kib"]), state):
            write_all(fd, piece)
    except OSError as error:
        raise HypervisorError(
            error.errno or errno.EIO, f"the domain's memory cannot be written: {error.strerror or error}"
        ) from error


def read(fd: int) -> tuple[str, Mapping[str, Any]]:
    """As `state_of`.

    Raises:
        HypervisorError: EINVAL: it is no stream of a simulated domain.
    """
    try:
        return state_of(fd)
    except OSError as error:
        raise HypervisorError(
            error.errno or errno.EIO, f"the saved memory cannot be read: {error}"
        ) from error
    except ValueError as error:
        raise HypervisorError(errno.EINVAL, f"the saved memory cannot be restored: {error}") from error


def image_of(state: Mapping[str, Any], domid: int) -> tuple[int, Image]:
    """The memory, in KiB, and the image of a state.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    memory_kib, age_s = state["memory_kib"], state["age_s"]
    if type(memory_kib) is not int or not 0 < memory_kib < 1 << 40 or not 0 <= float(age_s) < 1e12:
        raise ValueError("its size or age")
    if not all(type(each) is int for each in state["online"]):
        raise ValueError("its vCPUs")
    if not all(feature in FIELDS for feature in state.get("features") or ()):
        raise ValueError("its features")
    # What it was created from is the new domain's, whatever that was.
    blueprint = Blueprint(uuid="", max_vcpus=1, max_memory_kib=memory_kib)
    fields = dict(state["image"])
    machine = fields.pop("machine", None)
    image = Image(blueprint=blueprint, machine=None if machine is None else Machine(**machine), **fields)
    if not isinstance(image.command_line, str):
        raise ValueError("its command line")
    return memory_kib, image
