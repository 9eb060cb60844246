"""Who is at the other end of a Unix socket, as the kernel says: asked in one way on each system."""

import os
import pwd
import socket
import struct
import sys
from typing import Protocol

import attrs

#: NetBSD's <sys/un.h>: LOCAL_PEEREID at level 0 (SOL_LOCAL), which Python's socket module does not name.
_NETBSD_LEVEL, _NETBSD_LOCAL_PEEREID = 0, 3
#: Linux: struct ucred {pid, uid, gid}; NetBSD: struct unpcbid {pid, euid, egid}.
_CREDENTIALS = struct.Struct("=iII")


class HasOptions(Protocol):
    """What is asked of a socket."""

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes: ...


@attrs.frozen
class Peer:
    """The process that connected, as it was when it connected.

    Attributes:
        pid: None where the system does not tell it.
    """

    uid: int
    gid: int
    pid: int | None

    def __str__(self) -> str:
        name = _user_name(self.uid)
        return f"user {self.uid}" + (f" ({name})" if name else "")


def peer_of(sock: HasOptions, system: str = sys.platform) -> Peer:
    """The peer of a connected Unix socket.

    Raises:
        OSError: the system does not say, or there is no way known to ask it.
    """
    if system == "linux":
        level, option = socket.SOL_SOCKET, getattr(socket, "SO_PEERCRED", 17)
    elif system.startswith("netbsd"):
        level, option = _NETBSD_LEVEL, _NETBSD_LOCAL_PEEREID
    else:
        raise OSError(f"who connects is not known on {system}")
    data = sock.getsockopt(level, option, _CREDENTIALS.size)
    if len(data) != _CREDENTIALS.size:
        raise OSError(f"the kernel gave {len(data)} bytes of credentials, not {_CREDENTIALS.size}")
    pid, uid, gid = _CREDENTIALS.unpack(data)
    return Peer(uid, gid, pid if pid > 0 else None)


def groups_of(peer: Peer) -> frozenset[int]:
    """The groups the peer's user is a member of; may ask a directory server, so it may block."""
    name = _user_name(peer.uid)
    return frozenset([peer.gid, *(os.getgrouplist(name, peer.gid) if name else ())])


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""
