"""The words of the conformance tables: requests, what else can happen, and replies."""

from dataclasses import dataclass
from typing import Any

from tests.peers.wire import Message
from xenstore.wire import MessageType as Type

# --- what is sent ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Request:
    """One message; the request id is the runner's, the transaction id the row's."""

    type: int
    payload: bytes


@dataclass(frozen=True)
class Raw:
    """Bytes as they are; the expected reply is then a tuple of whole messages."""

    data: bytes


Text = str | bytes


def text(value: Text) -> bytes:
    return value.encode("ascii") if isinstance(value, str) else value


def strings(type: int, *arguments: Text) -> Request:
    """A request whose payload is strings, each ended by a NUL."""
    return Request(type, b"".join(text(argument) + b"\0" for argument in arguments))


def raw(type: int, payload: bytes) -> Request:
    """A request whose payload is given byte by byte."""
    return Request(type, payload)


def directory(path: Text) -> Request:
    return strings(Type.DIRECTORY, path)


def directory_part(path: Text, offset: int | str) -> Request:
    return strings(Type.DIRECTORY_PART, path, str(offset))


def read(path: Text) -> Request:
    return strings(Type.READ, path)


def write(path: Text, value: Text = b"") -> Request:
    return Request(Type.WRITE, text(path) + b"\0" + text(value))


def mkdir(path: Text) -> Request:
    return strings(Type.MKDIR, path)


def rm(path: Text) -> Request:
    return strings(Type.RM, path)


def get_perms(path: Text) -> Request:
    return strings(Type.GET_PERMS, path)


def set_perms(path: Text, perms: str) -> Request:
    """`perms` is separated by blanks: "n0 r3"."""
    return strings(Type.SET_PERMS, path, *perms.split())


def watch(path: Text, token: Text, *depth: int | str) -> Request:
    return strings(Type.WATCH, path, token, *map(str, depth))


def unwatch(path: Text, token: Text) -> Request:
    return strings(Type.UNWATCH, path, token)


def reset_watches() -> Request:
    return strings(Type.RESET_WATCHES, "")


def start() -> Request:
    return strings(Type.TRANSACTION_START, "")


def end(commit: bool = True) -> Request:
    return strings(Type.TRANSACTION_END, "T" if commit else "F")


def introduce(domid: int, gfn: int = 1, port: int = 9) -> Request:
    return strings(Type.INTRODUCE, str(domid), str(gfn), str(port))


def release(domid: int) -> Request:
    return strings(Type.RELEASE, str(domid))


def resume(domid: int) -> Request:
    return strings(Type.RESUME, str(domid))


def is_introduced(domid: int) -> Request:
    return strings(Type.IS_DOMAIN_INTRODUCED, str(domid))


def domain_path(domid: int | str) -> Request:
    return strings(Type.GET_DOMAIN_PATH, str(domid))


def set_target(domid: int, target: int) -> Request:
    return strings(Type.SET_TARGET, str(domid), str(target))


def control(*words: str) -> Request:
    return strings(Type.CONTROL, *words)


# --- what else can happen -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Action:
    """Something that happens to a connection or to the world instead of a request."""

    name: str
    arguments: tuple[Any, ...] = ()


HANG_UP = Action("hang_up")
CREATE = Action("create")
DIE = Action("die")
SHUT_DOWN = Action("shut_down")


def wait(seconds: float) -> Action:
    """Time passes; only in process."""
    return Action("wait", (seconds,))


def uses(**counts: int) -> Action:
    """The domain's accounts show these numbers."""
    return Action("uses", tuple(counts.items()))


# --- what must come back ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Error:
    """A message of type ERROR."""

    name: str


@dataclass(frozen=True)
class Like:
    """A payload that matches a pattern as a whole.

    Named groups become the scenario's variables; a group whose variable has a value must equal it, and
    none may equal the variable named by `unlike`.
    """

    pattern: bytes
    unlike: str = ""


@dataclass(frozen=True)
class Signal:
    """No message at all."""

    name: str


CLOSED = Signal("the connection is closed")
SILENCE = Signal("no answer yet")

OK = b"OK\0"
E2BIG = Error("E2BIG")
EACCES = Error("EACCES")
EAGAIN = Error("EAGAIN")
EBUSY = Error("EBUSY")
EEXIST = Error("EEXIST")
EINVAL = Error("EINVAL")
EIO = Error("EIO")
ENOENT = Error("ENOENT")
ENOMEM = Error("ENOMEM")
ENOSPC = Error("ENOSPC")
ENOSYS = Error("ENOSYS")
EPERM = Error("EPERM")
EQUOTA = Error("EQUOTA")  # oxenstored's alone

Reply = bytes | Error | Like | Signal | tuple[Message, ...]


def names(*children: str) -> bytes:
    """The reply to GET_PERMS and DIRECTORY: strings, each ended by a NUL."""
    return b"".join(child.encode("ascii") + b"\0" for child in children)


def begins(transaction: str) -> Like:
    """The reply to TRANSACTION_START; rows say `tx=transaction` from then on."""
    return Like(rb"(?P<%b>[1-9]\d*)\0" % transaction.encode("ascii"))
