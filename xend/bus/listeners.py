"""The two sockets, and who may use each (docs/bus.md, "Sockets")."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import attrs
import trio

from xend.bus.peer import HasOptions, Peer, groups_of, peer_of
from xend.errors import XendError
from xenstore.daemon.locks import Held
from xenstore.daemon.sockets import listening

#: The name of the socket that operates; xend's lock is called by it.
SOCKET = "socket"


@attrs.frozen
class Listener:
    """A socket that is listened on.

    Attributes:
        access: "operate" or "read".
        gids: the groups whose members may use it, besides root and xend's own user.
        peer_of: who is at the other end of a socket.
        groups_of: the groups of a peer; asked in a thread.
    """

    path: str
    access: str
    gids: frozenset[int]
    socket: trio.SocketListener
    peer_of: Callable[[HasOptions], Peer] = peer_of
    groups_of: Callable[[Peer], frozenset[int]] = groups_of

    async def peer(self, stream: trio.SocketStream) -> Peer:
        """Who connected.

        Raises:
            XendError: not_permitted: somebody who may not, or nobody knows who.
        """
        try:
            peer = self.peer_of(stream.socket)
        except OSError as error:
            raise XendError(
                "not_permitted", f"{self.path}: nobody knows who connects", cause=str(error)
            ) from error
        if peer.uid in (0, os.geteuid()):
            return peer
        if self.gids and self.gids & await trio.to_thread.run_sync(self.groups_of, peer):
            return peer
        option = "--operate-group" if self.access == "operate" else "--read-group or --operate-group"
        raise XendError(
            "not_permitted",
            f"{peer} may not use {self.path}",
            hint=f"root, xend's own user and the members of its {option} may",
        )


@contextmanager
def open_listeners(
    held: Held, rundir: str, operate_gid: int | None = None, read_gid: int | None = None
) -> Iterator[list[Listener]]:
    """Both sockets in `rundir`, for as long as the block runs.

    Args:
        held: xend's lock.
        operate_gid: the group that may do everything; None: nobody but root and xend's user.
        read_gid: the group that may read.

    Raises:
        xenstore.daemon.start.StartError: the directory cannot be used, or somebody else has a socket there.
    """
    operators = frozenset(gid for gid in (operate_gid,) if gid is not None)
    readers = operators | {gid for gid in (read_gid,) if gid is not None}
    wanted = [
        (SOCKET, "operate", operate_gid, operators),
        ("socket_ro", "read", read_gid, readers),
    ]
    with ExitStack() as stack:
        found = []
        for name, access, gid, gids in wanted:
            path = os.path.join(rundir, name)
            sock = stack.enter_context(listening(held, path, gid=-1 if gid is None else gid))
            # Closed by `listening`; trio's object only waits for it.
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(sock))
            found.append(Listener(path, access, gids, listener))
        yield found
