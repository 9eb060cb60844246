"""Bytes of a file, from a place on."""

import os

import attrs

from xend.stream import StreamError


@attrs.define
class Reader:
    """Reads a regular file by its descriptor, whose own place in it stays.

    Attributes:
        size: of the file, in bytes.
        offset: of the next byte.
    """

    fd: int
    size: int
    offset: int = 0

    @classmethod
    def of(cls, fd: int) -> "Reader":
        """At the file's beginning.

        Raises:
            OSError: it cannot be looked at.
        """
        return cls(fd, os.fstat(fd).st_size)

    def read(self, count: int, where: str) -> bytes:
        """The next bytes, all of them.

        Raises:
            StreamError: the file ends before; OSError: it cannot be read.
        """
        self._require(count, where)
        data = b""
        while len(data) < count:
            piece = os.pread(self.fd, count - len(data), self.offset + len(data))
            if not piece:
                raise StreamError(self.offset + len(data), where, "the file has become shorter")
            data += piece
        self.offset += count
        return data

    def skip(self, count: int, where: str) -> None:
        """Pass over bytes, which have to be there.

        Raises:
            StreamError: the file ends before.
        """
        self._require(count, where)
        self.offset += count

    def _require(self, count: int, where: str) -> None:
        left = self.size - self.offset
        if count > left:
            raise StreamError(
                self.offset,
                where,
                f"truncated: the file ends at byte {self.size}, {count - left} bytes before this does",
            )
