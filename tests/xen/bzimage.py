"""Kernels as they are shipped: an image in a container of Linux's boot protocol, compressed in each way."""

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable

#: Where the boot protocol has what: sectors of the setup code, the sector's magic word, the protocol's own,
#: its version, the payload.
SETUP_SECTORS, BOOT_FLAG, MAGIC, VERSION, PAYLOAD = 0x1F1, 0x1FE, 0x202, 0x206, 0x248
SECTOR = 512


def _zstd(data: bytes) -> bytes:
    """A frame of raw blocks."""
    blocks = [data[at : at + 65536] for at in range(0, len(data), 65536)]
    head = struct.pack("<IBI", 0xFD2FB528, 0xA0, len(data))  # one segment, its size in four bytes
    rows = (
        (len(block) << 3 | (number == len(blocks) - 1)).to_bytes(3, "little") + block
        for number, block in enumerate(blocks)
    )
    return head + b"".join(rows)


def _lz4(data: bytes) -> bytes:
    """The legacy format, which Linux uses: one block of literals."""
    length, rest = bytearray(), len(data) - 15
    while rest >= 255:
        length.append(255)
        rest -= 255
    block = bytes([0xF0, *length, rest]) + data
    return struct.pack("<II", 0x184C2102, len(block)) + block


#: By name; all but gzip are followed by the size of what was compressed.
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "bzip2": lambda data: bz2.compress(data, 1),
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=0),
    "xz": lambda data: lzma.compress(data, lzma.FORMAT_XZ, lzma.CHECK_CRC32, preset=0),
    "lz4": _lz4,
    "zstd": _zstd,
}


def bzimage(image: bytes, compression: str) -> bytes:
    """A bzImage of an ELF image."""
    payload = COMPRESSIONS[compression](image)
    if compression != "gzip":
        payload += struct.pack("<I", len(image))
    setup = bytearray(2 * SECTOR)
    setup[SETUP_SECTORS] = 1
    setup[BOOT_FLAG : BOOT_FLAG + 2] = b"\x55\xaa"
    struct.pack_into("<4sH", setup, MAGIC, b"HdrS", 0x20C)
    struct.pack_into("<II", setup, PAYLOAD, 0, len(payload))
    return bytes(setup) + payload
