"""Requests from a seed, that work more often than not."""

import random

from tests.unit.store.client import Client
from xenstore.wire import MessageType, pack

NAMES = [b"a", b"b", b"c", b"d"]


def path(chance: random.Random) -> bytes:
    """In somebody's home, or where everybody is at home."""
    start = chance.choice([b"/tool", b"/local/domain/1", b"/local/domain/2", b"x"])
    return b"/".join([start, *chance.choices(NAMES, k=chance.randint(1, 3))])


def request(chance: random.Random) -> bytes:
    """One about a node, a watch or a transaction, as a message."""
    where = path(chance) + b"\0"
    match chance.randrange(12):
        case 0 | 1 | 2 | 3:
            type, payload = (
                MessageType.WRITE,
                where + b"%d" % chance.randrange(99) * chance.choice([0, 1, 60]),
            )
        case 4:
            type, payload = MessageType.MKDIR, where
        case 5 | 6:
            type, payload = MessageType.RM, where
        case 7:
            type, payload = MessageType.SET_PERMS, where + chance.choice([b"n1\0r2\0", b"b2\0", b"n0\0b1\0"])
        case 8:
            type, payload = MessageType.WATCH, where + chance.choice([b"t\0", b"u\0", b"t\x001\0"])
        case 9:
            type, payload = MessageType.UNWATCH, where + b"t\0"
        case 10:
            type, payload = MessageType.READ, where
        case _:
            type, payload = MessageType.DIRECTORY, where
    return pack(type, payload, req_id=chance.getrandbits(16))


class Source:
    """What clients do, by their names; half a request is followed by the other half."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._rest: dict[str, bytes] = {}

    def act(self, name: str, client: Client) -> None:
        """A request, or a small transaction; some of the output is taken before."""
        if self._chance.random() < 0.3:
            client.session.take(self._chance.randint(1, 60))
        rest = self._rest.pop(name, b"")
        if not rest and self._chance.random() < 0.2:
            return self._transaction(client)
        data = rest or request(self._chance)
        size = self._chance.choice([len(data), len(data), len(data), 7])
        self._rest[name] = data[size:]
        client.session.feed(data[:size])
        return None

    def _transaction(self, client: Client) -> None:
        """All in one piece, what comes of it is not looked at."""
        tx = client.session.export()["last_tx_id"] + 1
        data = pack(MessageType.TRANSACTION_START, b"\0")
        for _ in range(self._chance.randint(1, 3)):
            value = b"%d" % self._chance.randrange(99)
            data += pack(MessageType.WRITE, path(self._chance) + b"\0" + value, tx_id=tx)
        if self._chance.random() < 0.8:
            data += pack(MessageType.TRANSACTION_END, self._chance.choice([b"T\0", b"T\0", b"F\0"]), tx_id=tx)
        client.session.feed(data)
