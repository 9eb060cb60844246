"""A domain's core: an ELF file with the notes that say what it is a core of, and no pages.

Source: xen/include/public/elfnote.h, docs/misc/dump-core-format.txt.
"""

import errno
import os
import struct
import tempfile
from contextlib import suppress

from xend.hypervisor import HypervisorError

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_NOTE = struct.Struct("<III")
_CORE, _X86_64, _PT_NOTE = 4, 62, 4
_NONE, _DUMP_HEADER = 0x2000000, 0x2000001
_PV_MAGIC = 0xF00FEBED
_PAGE_KIB = 4
#: Magic number, vCPUs, pages, page size.
_HEADER_NOTE = struct.Struct("<QQQQ")


def core(memory_kib: int, vcpus: int) -> bytes:
    """The bytes of the core of a domain."""
    header_note = _HEADER_NOTE.pack(_PV_MAGIC, vcpus, memory_kib // _PAGE_KIB, _PAGE_KIB * 1024)
    notes = _note(_NONE, b"") + _note(_DUMP_HEADER, header_note)
    start = _HEADER.size + _SEGMENT.size
    header = _HEADER.pack(
        b"\x7fELF\2\1\1", _CORE, _X86_64, 1, 0, _HEADER.size, 0, 0, _HEADER.size, _SEGMENT.size, 1, 0, 0, 0
    )
    return header + _SEGMENT.pack(_PT_NOTE, 0, start, 0, 0, len(notes), 0, 4) + notes


def write(path: str, data: bytes) -> None:
    """Make a new file of its owner's alone; it is there whole or not at all.

    Raises:
        HypervisorError: EEXIST and whatever else the system says.
    """
    try:
        fd, temporary = tempfile.mkstemp(prefix=".core-", dir=os.path.dirname(path) or ".")
        try:
            with open(fd, "wb") as file:
                file.write(data)
            os.link(temporary, path)
        finally:
            with suppress(OSError):
                os.unlink(temporary)
    except OSError as error:
        number = error.errno or errno.EIO
        raise HypervisorError(number, f"{path}: {error.strerror or error}") from error


def _note(type: int, description: bytes) -> bytes:
    return _NOTE.pack(4, len(description), type) + b"Xen\0" + description
