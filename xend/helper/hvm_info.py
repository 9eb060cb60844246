"""What hvmloader is told of its domain by a table in memory (xen/include/public/hvm/hvm_info_table.h).

libxenguest makes it for one virtual CPU, all of whose possible ones are online: here it is put right.
"""

import errno
import struct

from xend.helper.steps import Refused

__all__ = ["AT", "FRAME", "corrected"]

#: Where it lies.
FRAME, AT = 0x9F, 0x800
_HEAD = struct.Struct("<8sIBB2xI")
_SIGNATURE = b"HVM INFO"
_CHECKSUM_AT = 12
#: Behind the head: where memory ends, three numbers; then a bit for each virtual CPU.
_ONLINE_AT = 32
_ONLINE_BYTES = 16
SIZE = _ONLINE_AT + _ONLINE_BYTES


def corrected(page: bytes, max_vcpus: int, vcpus: int, has_apic: bool) -> bytes:
    """The table of a frame, with how many virtual CPUs there are, and how many of them from the start.

    Raises:
        Refused: EIO: there is none.
    """
    table = bytearray(page[AT : AT + SIZE])
    signature, length, *_ = _HEAD.unpack_from(table)
    if signature != _SIGNATURE or length != SIZE:
        raise Refused(errno.EIO, "Xen's libraries left no table for hvmloader (HVM INFO) in its memory")
    _HEAD.pack_into(table, 0, signature, length, 0, int(has_apic), max_vcpus)
    table[_ONLINE_AT:] = ((1 << vcpus) - 1).to_bytes(_ONLINE_BYTES, "little")
    table[_CHECKSUM_AT] = -sum(table) & 0xFF
    return bytes(table)
