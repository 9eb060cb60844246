"""What the thread that has the kernel's device does all day; see `device` for the rules it keeps."""

from __future__ import annotations

from errno import EIO, errorcode
from select import POLLIN, POLLOUT, poll

from xenstore.wire import HEADER, HEADER_SIZE, MessageType, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from typing import Protocol

    class File(Protocol):
        """The device, open; errors are OSError."""

        def fileno(self) -> int: ...
        def read(self, size: int) -> bytes: ...
        def write(self, data: bytes) -> object: ...
        def close(self) -> None: ...


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


class Bridge:
    """Carries messages between the device and the client's socket, one request at a time."""

    def __init__(self, file: File, sock: socket) -> None:
        self._file = file
        self._sock = sock
        self._from_client = bytearray()
        self._from_device = bytearray()

    def _read_device(self) -> None:
        data = self._file.read(READ_BYTES)
        if not data:
            raise OSError(EIO, "the device ended")
        self._from_device += data


def _next(buffer: bytearray) -> bytes:
    """The first message, removed from the buffer; b"" while it is incomplete."""
    if len(buffer) < HEADER_SIZE:
        return b""
    size = HEADER_SIZE + HEADER.unpack_from(buffer)[3]
    if len(buffer) < size:
        return b""
    message = bytes(buffer[:size])
    del buffer[:size]
    return message


def _type(message: bytes) -> int:
    type: int = HEADER.unpack_from(message)[0]
    return type


def _refusal(message: bytes, error: str) -> bytes:
    _type, req_id, tx_id, _size = HEADER.unpack_from(message)
    return pack(MessageType.ERROR, error.encode() + b"\0", req_id=req_id, tx_id=tx_id)


def _name(error: OSError) -> str:
    return errorcode.get(error.errno or EIO, "EIO")


class Polled(Bridge):
    """Linux: poll tells when there is something to read, and events come at any time."""

    def __init__(self, file: File, sock: socket) -> None:
        super().__init__(file, sock)
        sock.setblocking(False)
        self._to_client = bytearray()
        self._unanswered = False

    def run(self) -> None:
        """Until the client hangs up or, with an OSError, the device fails."""
        waiting = poll()
        going = True
        while going:
            waiting.register(self._sock.fileno(), POLLIN | (POLLOUT if self._to_client else 0))
            waiting.register(self._file.fileno(), POLLIN if len(self._to_client) < UNREAD_MAX_BYTES else 0)
            ready = dict(waiting.poll())
            if self._file.fileno() in ready:
                self._read_device()
                self._take_answers()
            if ready.get(self._sock.fileno(), 0) & ~POLLOUT:
                going = self._read_client()
            self._pass_on()
            self._give()

    def _take_answers(self) -> None:
        while message := _next(self._from_device):
            self._to_client += message
            if _type(message) != MessageType.WATCH_EVENT:
                self._unanswered = False

    def _read_client(self) -> bool:
        """Whether it is still there."""
        data = self._sock.recv(READ_BYTES)
        self._from_client += data
        return bool(data)

    def _pass_on(self) -> None:
        while not self._unanswered and (message := _next(self._from_client)):
            if _type(message) == MessageType.RESET_WATCHES:
                self._to_client += _refusal(message, "ENOSYS")
            elif len(message) > MESSAGE_MAX_BYTES:
                self._to_client += _refusal(message, "E2BIG")
            else:
                self._write(message)

    def _write(self, message: bytes) -> None:
        try:
            self._file.write(message)
        except OSError as error:
            self._to_client += _refusal(message, _name(error))
        else:
            self._unanswered = True

    def _give(self) -> None:
        if self._to_client:
            try:
                del self._to_client[: self._sock.send(self._to_client)]
            except BlockingIOError:
                return


class Stepwise(Bridge):
    """NetBSD: the answer is there when the write returns, and there are no events."""

    def run(self) -> None:
        """Until the client hangs up or, with an OSError, the device fails."""
        while data := self._sock.recv(READ_BYTES):
            self._from_client += data
            while message := _next(self._from_client):
                self._sock.sendall(self._answer(message))

    def _answer(self, message: bytes) -> bytes:
        if _type(message) not in CARRIED_BY_NETBSD:
            return _refusal(message, "ENOSYS")
        if len(message) > MESSAGE_MAX_BYTES:
            return _refusal(message, "E2BIG")
        try:
            self._file.write(message)
        except OSError as error:
            # The message is still in the kernel's buffer, so this opening is of no more use.
            self._sock.sendall(_refusal(message, _name(error)))
            raise
        while not (answer := _next(self._from_device)):
            self._read_device()
        return answer
