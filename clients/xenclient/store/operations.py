"""What each operation sends and what it makes of the answer, as generators (see `core`).

The methods of `blocking.Client` and `aio.Client` are these functions; their docstrings are the methods'.
Paths and values are bytes or str (UTF-8); names come back as str, values as bytes.  A relative path is
below /local/domain/<domid of the connection>.  Every operation raises a class of xenstore.errors when the
server refuses, and one of xenclient.store.errors when it does not answer.
Source: xenstore-protocol.md 2; xen/include/public/io/xs_wire.h.
"""

from __future__ import annotations

from xenclient.store.core import Request
from xenclient.store.errors import ProtocolError
from xenclient.store.strings import decode, encode, shown, terminated
from xenstore.errors import E2BIG, ENOENT
from xenstore.wire import MessageType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from xenclient.store.core import Steps
    from xenclient.store.perms import Perm
    from xenclient.store.strings import Text


def directory(path: Text) -> Steps[list[str]]:
    """The names of the node's children in the server's order (creation order).

    One message; a list longer than a message holds is fetched in parts, from the start again whenever
    it changed in between, so what is returned existed at one moment.
    """
    try:
        answer = yield Request(MessageType.DIRECTORY, terminated(path))
    except E2BIG:
        return (yield from _directory_in_parts(path))
    return _names(answer)


def _directory_in_parts(path: Text) -> Steps[list[str]]:
    part = yield from directory_part(path, 0)
    names = list(part.names)
    while not part.last:
        generation, offset = part.generation, part.end
        part = yield from directory_part(path, offset)
        if part.generation != generation:
            part = yield from directory_part(path, 0)
            names.clear()
        elif part.end == offset and not part.last:
            raise ProtocolError(f"DIRECTORY_PART of {shown(path)} at {offset}: the server sent no names")
        names += part.names
    return names


class DirectoryPart(tuple[str, tuple[str, ...], int, bool]):
    """A piece of a directory: (generation, names, end, last).

    Attributes:
        generation: changes whenever the list of children does; compare it only.
        names: whole names.
        end: the offset, in bytes of the NUL-separated list, at which the next part begins.
        last: the list ends here.
    """

    __slots__ = ()

    @property
    def generation(self) -> str:
        return self[0]

    @property
    def names(self) -> tuple[str, ...]:
        return self[1]

    @property
    def end(self) -> int:
        return self[2]

    @property
    def last(self) -> bool:
        return self[3]


def directory_part(path: Text, offset: int) -> Steps[DirectoryPart]:
    """The names of the children from byte `offset` of their list on, as many as fit a message."""
    answer = yield Request(MessageType.DIRECTORY_PART, terminated(path, str(offset)))
    generation, _, listing = answer.partition(b"\0")
    last = listing == b"\0" or listing.endswith(b"\0\0")
    if last:
        listing = listing[:-1]
    return DirectoryPart((decode(generation), tuple(_names(listing)), offset + len(listing), last))


def read(path: Text) -> Steps[bytes]:
    """The node's value."""
    return (yield Request(MessageType.READ, terminated(path)))


def write(path: Text, value: Text) -> Steps[None]:
    """Set the node's value; creates it and its missing ancestors (those with empty values)."""
    yield Request(MessageType.WRITE, terminated(path) + encode(value))


def mkdir(path: Text) -> Steps[None]:
    """Create the node with an empty value, and its missing ancestors; no change if it exists."""
    yield Request(MessageType.MKDIR, terminated(path))


def rm(path: Text) -> Steps[None]:
    """Remove the node and all below it; no error if it is missing but its parent exists."""
    yield Request(MessageType.RM, terminated(path))


def exists(path: Text) -> Steps[bool]:
    """Whether the node exists; costs one READ, so it needs that permission."""
    try:
        yield Request(MessageType.READ, terminated(path))
    except ENOENT:
        return False
    return True


def get_perms(path: Text) -> Steps[tuple[Perm, ...]]:
    """The node's permission list; the first entry is its owner's (see Perm)."""
    from xenclient.store.perms import Perm  # most programs need none

    answer = yield Request(MessageType.GET_PERMS, terminated(path))
    try:
        return tuple(Perm.parse(text) for text in _names(answer))
    except ValueError as error:
        raise ProtocolError(f"GET_PERMS {shown(path)}: {error}") from error


def set_perms(path: Text, perms: Iterable[Perm | str]) -> Steps[None]:
    """Replace the node's permission list; strings are parsed ("n0", "r3").

    Raises:
        ValueError: a string that is no permission.
    """
    from xenclient.store.perms import Perm

    entries = [str(perm if isinstance(perm, Perm) else Perm.parse(perm)) for perm in perms]
    yield Request(MessageType.SET_PERMS, terminated(path, *entries))


def introduce(domid: int, gfn: int, port: int) -> Steps[None]:
    """Tell the store of a domain's ring page (guest frame) and event channel."""
    yield Request(MessageType.INTRODUCE, terminated(str(domid), str(gfn), str(port)))


def release(domid: int) -> Steps[None]:
    """The store is to forget a domain: its ring, its watches, the nodes it owns."""
    yield Request(MessageType.RELEASE, terminated(str(domid)))


def resume(domid: int) -> Steps[None]:
    """A domain's next shutdown is to be announced again (@releaseDomain)."""
    yield Request(MessageType.RESUME, terminated(str(domid)))


def set_target(domid: int, target: int) -> Steps[None]:
    """Let `domid` (a stub domain) act with the permissions of `target` too."""
    yield Request(MessageType.SET_TARGET, terminated(str(domid), str(target)))


def is_domain_introduced(domid: int) -> Steps[bool]:
    """Whether the store serves this domain's ring."""
    return (yield Request(MessageType.IS_DOMAIN_INTRODUCED, terminated(str(domid)))) == b"T\0"


def get_domain_path(domid: int) -> Steps[str]:
    """The domain's home, /local/domain/<domid>; the domain need not exist."""
    return decode((yield Request(MessageType.GET_DOMAIN_PATH, terminated(str(domid)))).rstrip(b"\0"))


def get_feature(domid: int | None = None) -> Steps[int]:
    """The feature mask (xenstore.wire.Feature) of this connection, or that offered to a domain."""
    what = "GET_FEATURE"
    return _number((yield Request(MessageType.GET_FEATURE, _optional(domid))), what)


def set_feature(domid: int, mask: int) -> Steps[None]:
    """Set which features are offered to a domain that is not introduced yet."""
    yield Request(MessageType.SET_FEATURE, terminated(str(domid), str(mask)))


def quota_names() -> Steps[list[str]]:
    """The names that get_quota and set_quota accept."""
    return decode((yield Request(MessageType.GET_QUOTA)).rstrip(b"\0")).split()


def get_quota(name: Text, domid: int | None = None) -> Steps[int]:
    """A quota (see xenstore.limits) of a domain, or the one a new domain gets; 0 is unlimited."""
    what = f"GET_QUOTA {shown(name)}"
    return _number((yield Request(MessageType.GET_QUOTA, _optional(domid) + terminated(name))), what)


def set_quota(name: Text, value: int, domid: int | None = None) -> Steps[None]:
    """Set a quota of a domain, or the one new domains get; 0 is unlimited."""
    yield Request(MessageType.SET_QUOTA, _optional(domid) + terminated(name, str(value)))


def control(command: Text, *arguments: Text) -> Steps[bytes]:
    """The server's answer to a CONTROL command (see xenstore-control(1)), without its final NUL.

    A last argument that is binary (live-update's -d) may hold NULs.
    """
    payload = terminated(command, *arguments[:-1])
    if arguments:
        payload += encode(arguments[-1]) + b"\0"
    return (yield Request(MessageType.CONTROL, payload)).removesuffix(b"\0")


def _optional(domid: int | None) -> bytes:
    return b"" if domid is None else terminated(str(domid))


def _names(listing: bytes) -> list[str]:
    return [decode(name) for name in listing.split(b"\0")[:-1]]


def _number(answer: bytes, what: str) -> int:
    text = answer.rstrip(b"\0")
    if not text.isdigit():
        raise ProtocolError(f"{what}: expected a number, the server answered {shown(answer)!r}")
    return int(text)
