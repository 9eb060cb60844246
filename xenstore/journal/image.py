"""Images: everything a store holds at one moment, as Xen's migration stream with our private records.

A trailer follows the stream: what it is of, and a checksum of both.
"""

import mmap
import os
import struct
import zlib
from contextlib import suppress
from pathlib import Path

from xenstore import private_file, stream
from xenstore._failpoint import reach
from xenstore.image import capture, restore
from xenstore.journal.files import Files
from xenstore.store import Store

_SLICE_BYTES = 16 << 10
_MAGIC = b"xendimg1"
_TRAILER = struct.Struct("<8s16sQQ")  # magic, life, sequence of the last frame before, bytes of the stream
_CHECKSUM = struct.Struct("<I")
_TRAILER_BYTES = _TRAILER.size + _CHECKSUM.size


class ImageWriter:
    """Writes the image of a store as it is at construction, in slices.

    Attributes:
        number: of the first segment after it.
        size: bytes written so far.

    Raises:
        OSError: there is no room for it.
    """

    def __init__(self, files: Files, number: int, store: Store, life: bytes, sequence: int) -> None:
        self.number = number
        self.size = 0
        self._path = files.image(number)
        self._of = life, sequence
        self._crc = 0
        self._image = capture(store)
        self._nodes: stream.NodeWriter | None = stream.NodeWriter(store, True)
        self._made = self._path.with_name(self._path.name + ".new")
        self._fd = private_file.create(self._made)
        reach("image.begun")
        self._write(stream.head(self._image, private=True))

    def work(self) -> bool:
        """Write a slice; returns whether the image is complete, and in its place."""
        if self._nodes is not None:
            if piece := self._nodes.next(_SLICE_BYTES):
                self._write(piece)
                reach("image.slice")
                return False
            self._nodes = None
            self._write(stream.tail(self._image, private=True))
        life, sequence = self._of
        trailer = _TRAILER.pack(_MAGIC, life, sequence, self.size)
        self._write(trailer)
        self._write(_CHECKSUM.pack(self._crc))
        self._close()
        reach("image.written")
        os.rename(self._made, self._path)
        reach("image.placed")
        return True

    def abandon(self) -> None:
        """Remove what is half made."""
        self._close()
        with suppress(OSError):
            self._made.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        private_file.write_all(self._fd, data)
        self.size += len(data)


class Image:
    """A complete image: whose it is (`life`), and after which frame (`sequence`).

    Raises:
        ValueError: it is damaged, or no image.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        data = memoryview(self._map)
        end = len(data) - _TRAILER_BYTES
        if end < 0:
            raise ValueError("shorter than its trailer")
        magic, self.life, self.sequence, size = _TRAILER.unpack(data[end : end + _TRAILER.size])
        if data[-_CHECKSUM.size :] != _CHECKSUM.pack(zlib.crc32(data[: -_CHECKSUM.size])):
            raise ValueError("its checksum is wrong")
        if magic != _MAGIC or size != end:
            raise ValueError("of another program or version")
        self._stream = data[:end]

    def load(self, store: Store) -> None:
        """Make a fresh store hold what the image describes.

        Raises:
            StreamError: it is damaged where no checksum shows it.
        """
        restore(stream.read(self._stream, store), store)
