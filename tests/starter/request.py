"""What a program is started with, as `tests/starter/python.c` hands it over."""

import array
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_HEAD = struct.Struct("=III")
_PEER = struct.Struct("=iII")
#: Of SCM_RIGHTS.
_DESCRIPTORS = 253
_BYTES = 128 << 10


class Request(NamedTuple):
    """Descriptors are this process's, for those of the program with these numbers."""

    pid: int
    umask: int
    argv: list[bytes]
    environment: dict[bytes, bytes]
    numbers: list[int]
    descriptors: list[int]
    directory: int

    def close(self) -> None:
        """Give its descriptors back."""
        for fd in (*self.descriptors, self.directory):
            os.close(fd)


def pack(argv: Sequence[bytes], environment: Mapping[bytes, bytes], numbers: Sequence[int]) -> bytes:
    """The message of a program that gets these descriptors, beside which they and its directory go over."""
    os.umask(umask := os.umask(0o022))
    head = _HEAD.pack(umask, len(argv), len(numbers)) + struct.pack(f"={len(numbers)}i", *numbers)
    words = [*argv, *(name + b"=" + value for name, value in environment.items())]
    return head + b"".join(word + b"\0" for word in words)


def receive(caller: socket.socket) -> Request:
    """What a caller wants.

    Raises:
        EOFError: it has gone.
    """
    size = socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
    message, control, _, _ = caller.recvmsg(_BYTES, size)
    if not message:
        raise EOFError
    received = array.array("i")
    for _level, _kind, data in control:
        received.frombytes(data)
    umask, argc, count = _HEAD.unpack_from(message)
    strings = _HEAD.size + 4 * count
    numbers = list(struct.unpack_from(f"={count}i", message, _HEAD.size))
    words = message[strings:].split(b"\0")[:-1]
    variables = (word.partition(b"=") for word in words[argc:])
    pid, _, _ = _PEER.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    *descriptors, directory = received
    return Request(
        pid=pid,
        umask=umask,
        argv=words[:argc],
        environment={name: value for name, _, value in variables},
        numbers=numbers,
        descriptors=descriptors,
        directory=directory,
    )
