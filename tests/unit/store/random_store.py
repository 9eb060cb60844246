"""A store with a bit of everything in it, from a seed, and what two equal stores have in common."""

import random
from typing import Any

from tests.unit.store.client import Client, World
from xenstore import errors
from xenstore._stream import NodeWriter
from xenstore.image import Image, capture
from xenstore.store import Session, Store
from xenstore.wire import MessageType, pack

NAMES = [b"a", b"b", b"c", b"device", b"vif", b"0"]
RIGHTS = [b"n", b"r", b"w", b"b"]
DOMIDS = (1, 2, 3, 40)


class Populated:
    """A world whose nodes, domains, clients, watches and buffers a seed chose."""

    def __init__(self, seed: int, requests: int = 300) -> None:
        self.chance = random.Random(seed)
        self.world = World()
        self.clients = [self.world.dom0, *[self.world.connect() for _ in range(3)]]
        self.guests = [self.world.guest(domid) for domid in DOMIDS]
        self.world.dom0.ask(MessageType.SET_TARGET, b"2", b"3")
        for _ in range(requests):
            self._act(self.chance.choice(self.clients + self.guests))
        self.world.store.set_quota("watches", 77)
        self.world.store.set_quota("nodes", 500, 2)
        self.world.hypervisor.domids |= {7, 8}
        self.world.dom0.ask(MessageType.SET_FEATURE, b"7", b"2")
        self.world.store.domain_shutdown(3)
        if self.chance.random() < 0.5:
            self.world.die(40)
            del self.guests[-1]
        self._leave_unfinished()

    def _path(self) -> bytes:
        start = self.chance.choice([b"/", b"/tool/", b"/local/domain/%d/" % self.chance.choice(DOMIDS), b""])
        return start + b"/".join(self.chance.choices(NAMES, k=self.chance.randint(1, 4)))

    def _act(self, client: Client) -> None:
        path = self._path()
        try:
            match self.chance.randrange(8):
                case 0 | 1 | 2:
                    client.write(path, self.chance.randbytes(self.chance.choice([0, 1, 20, 900])))
                case 3:
                    client.mkdir(path)
                case 4:
                    client.rm(path)
                case 5:
                    others = [
                        b"%b%d" % (self.chance.choice(RIGHTS), self.chance.choice(DOMIDS)) for _ in "12"
                    ]
                    client.set_perms(path, *others[: self.chance.randint(1, 2)], b"r40")
                case 6:
                    client.watch(path, b"t%d" % self.chance.randrange(9), *self.chance.choice([(), (b"2",)]))
                case 7:
                    client.watch(b"@releaseDomain", b"r")
        except errors.XenstoreError:
            pass  # refused, which is as good as any other outcome
        client.take()

    def _leave_unfinished(self) -> None:
        """Half a request, unread output of which half a message was taken, open transactions."""
        for client in self.clients + self.guests:
            if self.chance.random() < 0.5:
                client.session.feed(pack(MessageType.READ, b"/tool\0") * 3)
                client.session.feed(pack(MessageType.TRANSACTION_START, b"\0") * 2)
                client.session.take(self.chance.randint(1, 40))
            if self.chance.random() < 0.5:
                client.session.feed(pack(MessageType.WRITE, b"/a/b\0value")[: self.chance.randint(1, 20)])

    def image(self) -> Image:
        """As a daemon would capture it, its descriptors and rings made up."""
        ports = {domid: 16 + domid for domid in self.world.store.introduced}
        clients = [(20 + i, client.session) for i, client in enumerate(self.clients)]
        return capture(self.world.store, clients, local_ports=ports, socket_fd=5, event_fd=6)


def nodes_of(store: Store) -> bytes:
    """All nodes in creation order: paths, values, permissions."""
    writer = NodeWriter(store)
    return b"".join(iter(lambda: writer.next(4096), b""))


def states(sessions: list[Session]) -> list[dict[str, Any]]:
    return [session.export() for session in sessions]
