"""A program at the slave's side of a real pty."""

import os

import trio


class Reader:
    """A program at the slave's side."""

    def __init__(self, name: str) -> None:
        self.fd = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *exc: object) -> None:
        os.close(self.fd)

    async def read(self, count: int) -> bytes:
        """So many bytes, or less before the end of file."""
        data = b""
        while len(data) < count:
            await trio.lowlevel.wait_readable(self.fd)
            try:
                piece = os.read(self.fd, count - len(data))
            except OSError:  # EIO: hung up
                break
            if not piece:
                break
            data += piece
        return data
