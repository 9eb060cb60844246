"""Images: everything a store holds at one moment, as Xen's migration stream with our private records.

A header of 4096 bytes is in front, and written last: what the image is of, how long it is, and checksums
of both. Behind the image there may be room for a longer one.
"""

import mmap
import os
import struct
import zlib
from pathlib import Path

from xenstore import stream
from xenstore._failpoint import reach
from xenstore.daemon import files
from xenstore.image import capture, restore
from xenstore.journal.files import Files
from xenstore.journal.segment import Place
from xenstore.store import Store

_SLICE_BYTES = 16 << 10
HEADER_BYTES = 4096
_MAGIC = b"xendimg2"
#: magic, life, sequence of the last frame before, segment, byte of it, bytes of the stream, their checksum
_HEADER = struct.Struct("<8s16sQQQQI")
_CHECKSUM = struct.Struct("<I")


class ImageWriter:
    """Writes the image of a store as it is at construction, in slices, over what a file holds.

    path: that file, which gets the image's name in the end.  sequence: of the last frame before it.

    Attributes:
        number: the image's.
        place: where in the log that frame ends.
        size: bytes written so far, with the header.

    Raises:
        OSError: there is no room for it.
    """

    def __init__(
        self, files: Files, number: int, path: Path, store: Store, life: bytes, sequence: int, place: Place
    ) -> None:
        self.number = number
        self.place = place
        self.size = HEADER_BYTES
        self._files = files
        self._room = path
        self._of = life, sequence, *place
        self._crc = 0
        self._image = capture(store)
        self._nodes: stream.NodeWriter | None = stream.NodeWriter(store, True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        os.lseek(self._fd, HEADER_BYTES, os.SEEK_SET)
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
        header = _HEADER.pack(_MAGIC, *self._of, self.size - HEADER_BYTES, self._crc)
        os.lseek(self._fd, 0, os.SEEK_SET)
        files.write_all(self._fd, header + _CHECKSUM.pack(zlib.crc32(header)))
        self.close()
        reach("image.written")
        os.rename(self._room, self._files.image(self.number))
        reach("image.placed")
        return True

    def close(self) -> None:
        """Write no more; what there is is no image, unless `work` has said so."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        files.write_all(self._fd, data)
        self.size += len(data)


class Image:
    """A complete image: whose it is (`life`), after which frame (`sequence`), and where in the log that ends
    (`place`); `size` bytes without what is behind it.

    Raises:
        ValueError: it is damaged, or no image.
        OSError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        with open(path, "rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        data = memoryview(self._map)
        if len(data) < HEADER_BYTES:
            raise ValueError("shorter than its header")
        header = data[: _HEADER.size]
        if data[_HEADER.size : _HEADER.size + _CHECKSUM.size] != _CHECKSUM.pack(zlib.crc32(header)):
            raise ValueError("its header's checksum is wrong")
        magic, self.life, self.sequence, number, at, size, checksum = _HEADER.unpack(header)
        if magic != _MAGIC:
            raise ValueError("of another program or version")
        self.place = Place(number, at)
        self.size = HEADER_BYTES + size
        self._stream = data[HEADER_BYTES : HEADER_BYTES + size]
        if len(self._stream) != size or zlib.crc32(self._stream) != checksum:
            raise ValueError("its checksum is wrong")

    def load(self, store: Store) -> None:
        """Make a fresh store hold what the image describes.

        Raises:
            StreamError: it is damaged where no checksum shows it.
        """
        restore(stream.read(self._stream, store), store)
