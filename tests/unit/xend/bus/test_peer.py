"""Who is at the other end: on this system for real, on NetBSD as its headers say."""

import os
import socket
import struct
import sys

import pytest

from xend.bus.peer import Peer, groups_of, peer_of


class NetBSDSocket:
    """Answers LOCAL_PEEREID as <sys/un.h> has it: level 0, option 3, struct unpcbid of 12 bytes."""

    def __init__(self, pid: int, uid: int, gid: int) -> None:
        self._data = struct.pack("=iII", pid, uid, gid)

    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        assert (level, option, size) == (0, 3, 12)
        return self._data


@pytest.mark.parametrize("system", ["netbsd", "netbsd10"])
def test_netbsd(system: str) -> None:
    assert peer_of(NetBSDSocket(77, 1000, 100), system) == Peer(1000, 100, 77)
    assert peer_of(NetBSDSocket(0, 0, 0), system) == Peer(0, 0, None)
    assert peer_of(NetBSDSocket(1, 2**32 - 2, 2**32 - 2), system).uid == 2**32 - 2


class ShortSocket:
    def getsockopt(self, level: int, option: int, size: int, /) -> bytes:
        return b"\0" * 8


@pytest.mark.parametrize("system", ["netbsd10", "linux"])
def test_a_kernel_that_says_less(system: str) -> None:
    with pytest.raises(OSError, match="8 bytes of credentials, not 12"):
        peer_of(ShortSocket(), system)


def test_a_system_where_nobody_knows() -> None:
    with pytest.raises(OSError, match="who connects is not known on plan9"):
        peer_of(ShortSocket(), "plan9")


@pytest.mark.skipif(sys.platform not in ("linux", "netbsd10"), reason="systems that tell")
def test_this_system() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        peer = peer_of(ours)
    assert (peer.uid, peer.gid) == (os.geteuid(), os.getegid())
    assert peer.pid in (os.getpid(), None)


def test_groups_of_a_user_and_of_nobody_known() -> None:
    assert os.getgid() in groups_of(Peer(os.getuid(), os.getgid(), None))
    assert groups_of(Peer(4_000_000_001, 4_000_000_002, None)) == {4_000_000_002}
    assert str(Peer(4_000_000_001, 1, None)) == "user 4000000001"
