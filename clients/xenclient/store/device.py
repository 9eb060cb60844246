"""The store through the kernel's device, with the face of a socket.

A client cannot wait for the device itself within a deadline: a write waits in the kernel for xenstored's
answer (each on NetBSD, those of watches on Linux), and NetBSD's has neither poll nor kqueue.  So a thread of
its own reads and writes the device, and the client, of either kind, talks to that thread over a pair of
sockets as if it were xenstored.  What is particular about a device stays here:

- One write is at most one message, of at most 4096 bytes with its header.  An error of a write is the
  answer to that message.
- All openings share the domain's one connection to the store.  RESET_WATCHES would reset that, with the
  kernel's own watches, so it is refused.
- Linux: what several openings ask is told apart by the kernel, which gives requests ids of its own and
  restores the caller's.  It ignores a watch's depth (the client looks at it too).
- NetBSD: an opening belongs to the thread that made it.  The answer is there as soon as the write returns;
  a read without one fails instead of waiting.  Watches, and most of what only a toolstack asks, are not
  carried at all, and a message that failed stays in the kernel's buffer until the device is closed.

Source: Linux drivers/xen/xenbus/xenbus_dev_frontend.c, 4.11 and later; NetBSD
sys/arch/xen/xenbus/xenbus_dev.c, 1.9.12.1.
"""

from __future__ import annotations

import os
import signal
import sys
from _socket import socket, socketpair
from _thread import allocate_lock, start_new_thread
from errno import EAGAIN, EIO, errorcode
from select import POLLIN, POLLOUT, poll

from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Protocol

    class File(Protocol):
        """The device, open; errors are OSError."""

        def fileno(self) -> int: ...
        def read(self, size: int) -> bytes: ...
        def write(self, data: bytes) -> object: ...
        def close(self) -> None: ...


NETBSD = sys.platform.startswith("netbsd")

#: Header and payload of a message that the kernel takes, in bytes.
MESSAGE_MAX_BYTES = 4096
READ_BYTES = 16384
#: While the client has so many bytes to read, the rest waits in the kernel.
UNREAD_MAX_BYTES = 65536

#: What NetBSD's device passes on.
CARRIED_BY_NETBSD = frozenset(
    (
        MessageType.DIRECTORY,
        MessageType.READ,
        MessageType.GET_PERMS,
        MessageType.TRANSACTION_START,
        MessageType.TRANSACTION_END,
        MessageType.RELEASE,
        MessageType.GET_DOMAIN_PATH,
        MessageType.WRITE,
        MessageType.MKDIR,
        MessageType.RM,
        MessageType.SET_PERMS,
    )
)


class KernelFile:
    """The real one."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR)

    def fileno(self) -> int:
        return self._fd

    def read(self, size: int) -> bytes:
        return os.read(self._fd, size)

    def write(self, data: bytes) -> object:
        return os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


def open_device(path: str) -> socket:
    """A connected, non-blocking socket that leads to the device; closing it closes the device.

    Its thread ends with it, though not before the kernel lets go of a write: a Linux process waits for that
    when it ends.

    Raises:
        OSError: the device cannot be opened, or no thread be started.
    """
    ours, theirs = socketpair()
    failures: list[OSError] = []
    opened = allocate_lock()
    opened.acquire()

    def serve() -> None:
        # Signals are the main thread's: in this one they would not wake a call that waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            file: File = KernelFile(path)
        except OSError as error:
            failures.append(error)
            return
        finally:
            opened.release()
        _serve(file, theirs)

    try:
        start_new_thread(serve, ())
    except RuntimeError as error:
        failures.append(OSError(EAGAIN, str(error)))
    else:
        opened.acquire()
    if failures:
        ours.close()
        theirs.close()
        raise failures[0]
    ours.setblocking(False)
    return ours


def _serve(file: File, sock: socket) -> None:
    bridge = Stepwise(file, sock) if NETBSD else Polled(file, sock)
    try:
        bridge.run()
    except OSError:
        pass  # the client sees the stream end, and opens the device again if it still wants it
    finally:
        sock.close()
        file.close()


class Bridge:
    """Carries messages between the device and the client's socket."""

    def __init__(self, file: File, sock: socket) -> None:
        self._file = file
        self._sock = sock
        self._incoming = bytearray()

    def _messages(self, data: bytes) -> Iterator[bytes]:
        """The client's messages that are complete with these bytes of its."""
        self._incoming += data
        while len(self._incoming) >= HEADER_SIZE:
            size = HEADER_SIZE + HEADER.unpack_from(self._incoming)[3]
            if len(self._incoming) < size:
                return
            message = bytes(self._incoming[:size])
            del self._incoming[:size]
            yield message


def _refusal(message: bytes, error: str) -> bytes:
    _type, req_id, tx_id, _size = HEADER.unpack_from(message)
    return pack(MessageType.ERROR, error.encode() + b"\0", req_id=req_id, tx_id=tx_id)


def _name(error: OSError) -> str:
    return errorcode.get(error.errno or EIO, "EIO")


class Polled(Bridge):
    """Linux: poll tells when there is something to read; answers and events come as they come."""

    def run(self) -> None:
        """Until the client hangs up or, with an OSError, the device fails."""
        self._sock.setblocking(False)
        self._unread = bytearray()
        waiting = poll()
        going = True
        while going:
            waiting.register(self._sock.fileno(), POLLIN | (POLLOUT if self._unread else 0))
            waiting.register(self._file.fileno(), POLLIN if len(self._unread) < UNREAD_MAX_BYTES else 0)
            ready = dict(waiting.poll())
            if self._file.fileno() in ready:
                self._unread += _some(self._file.read(READ_BYTES))
            if ready.get(self._sock.fileno(), 0) & ~POLLOUT:
                going = self._take()
            self._give()

    def _take(self) -> bool:
        """Pass on what the client sent; whether it is still there."""
        data = self._sock.recv(READ_BYTES)
        for message in self._messages(data):
            if HEADER.unpack_from(message)[0] == MessageType.RESET_WATCHES:
                self._unread += _refusal(message, "ENOSYS")
            elif len(message) > MESSAGE_MAX_BYTES:
                self._unread += _refusal(message, "E2BIG")
            else:
                self._pass_on(message)
        return bool(data)

    def _pass_on(self, message: bytes) -> None:
        try:
            self._file.write(message)
        except OSError as error:
            self._unread += _refusal(message, _name(error))

    def _give(self) -> None:
        if self._unread:
            try:
                del self._unread[: self._sock.send(self._unread)]
            except BlockingIOError:
                return


class Stepwise(Bridge):
    """NetBSD: one message, then its answer, then the next."""

    def run(self) -> None:
        """Until the client hangs up or, with an OSError, the device fails."""
        while data := self._sock.recv(READ_BYTES):
            for message in self._messages(data):
                self._sock.sendall(self._refused(message) or self._answer(message))

    def _refused(self, message: bytes) -> bytes:
        if HEADER.unpack_from(message)[0] not in CARRIED_BY_NETBSD:
            return _refusal(message, "ENOSYS")
        if len(message) > MESSAGE_MAX_BYTES:
            return _refusal(message, "E2BIG")
        return b""

    def _answer(self, message: bytes) -> bytes:
        try:
            self._file.write(message)
        except OSError as error:
            # The message is still in the kernel's buffer, so this opening is of no more use.
            self._sock.sendall(_refusal(message, _name(error)))
            raise
        answer = bytearray()
        size = HEADER_SIZE
        while len(answer) < size:
            answer += _some(self._file.read(READ_BYTES))
            if len(answer) >= HEADER_SIZE:
                size = HEADER_SIZE + HEADER.unpack_from(answer)[3]
        return bytes(answer)


def _some(data: bytes) -> bytes:
    if not data:
        raise OSError(EIO, "the device ended")
    return data
