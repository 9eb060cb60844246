"""A mixed load on a daemon that is killed and started again: it goes on, and sees what is wrong."""

import select
from collections.abc import Callable, Iterable
from contextlib import suppress

from tests.crash.clients import SocketClient, Total, prepare
from tests.crash.daemon import Daemons
from tests.crash.guests import RingClient
from tests.peers.wire import Wire
from xenstore.wire import MessageType

#: Longer than any answer takes.
ANSWER_SECONDS = 30.0


class Load:
    """`rings` guests and `sockets` clients, from one seed.

    Attributes:
        kills: how often the daemon has died so far.
    """

    def __init__(self, daemons: Daemons, seed: int, *, rings: int = 8, sockets: int = 32) -> None:
        self.daemons = daemons
        self.kills = 0
        self.total = Total()
        self.guests = [
            RingClient(daemons.guests, domid, domid % rings + 1, seed * 1000 + domid)
            for domid in range(1, rings + 1)
        ]
        self.clients = [
            SocketClient(daemons.socket, number, self.total, seed * 2000 + number)
            for number in range(sockets)
        ]
        with Wire(daemons.socket) as dom0:
            self._prepare(dom0)
        self.connect()

    def _prepare(self, dom0: Wire) -> None:
        def ask(type: int, payload: bytes) -> None:
            assert dom0.request(type, payload).payload == b"OK\0"

        ask(MessageType.WRITE, b"/sock/total\0" + b"0")
        for client in self.clients:
            for type, payload, _ in prepare(client.number):
                ask(type, payload)
        for guest in self.guests:
            home = b"/local/domain/%d" % guest.domid
            for name, value in ((b"/x", b""), (b"/count", b"0")):
                ask(MessageType.WRITE, home + name + b"\0" + value)
            for name in (b"", b"/x", b"/count"):
                ask(MessageType.SET_PERMS, home + name + b"\0r%d\0" % guest.domid)
            ask(MessageType.INTRODUCE, b"%d\0" % guest.domid + b"1\0" + b"9\0")

    def connect(self) -> None:
        """All clients of the socket to the daemon that serves now, as long as it does."""
        with suppress(ConnectionError):
            for client in self.clients:
                client.connect()

    @property
    def answered(self) -> int:
        """Replies so far."""
        return sum(guest.answered for guest in self.guests) + sum(client.answered for client in self.clients)

    def run(self, answers: int) -> bool:
        """Until so many more replies came; False: the daemon has come to an end before."""
        goal = self.answered + answers
        return self._turn_until(lambda: self.answered >= goal)

    def after_kill(self) -> None:
        """The daemon has come to an end: guests go on on their own, others when they are connected again."""
        self.kills += 1
        for guest in self.guests:
            guest.kills = self.kills

    def finish(self) -> None:
        """Let everything come to rest, and see that nothing is missing."""
        self._set_idle(True)
        for _ in range(2):  # the second time after all that others made
            assert self._turn_until(self._is_at_rest)
            for guest in self.guests:
                guest.ask_count()
        assert self._turn_until(self._is_at_rest)
        for guest in self.guests:
            guest.assert_told(self.guests[guest.other - 1])
        with Wire(self.daemons.socket) as dom0:
            total = int(dom0.request(MessageType.READ, b"/sock/total\0").payload)
        assert self.total.known <= total <= self.total.known + self.total.unknown
        self.total.known, self.total.unknown = total, 0

    def go_on(self) -> None:
        """After `finish`."""
        self._set_idle(False)
        for client in self.clients:
            client.go_on()

    def _set_idle(self, is_idle: bool) -> None:
        for guest in self.guests:
            guest.is_idle = is_idle
        for client in self.clients:
            client.is_idle = is_idle

    def close(self) -> None:
        for client in self.clients:
            client.close()
        for guest in self.guests:
            guest.guest.close()

    def _is_at_rest(self) -> bool:
        return all(guest.is_done for guest in self.guests) and not any(
            client.is_waiting for client in self.clients
        )

    def _turn_until(self, is_reached: Callable[[], bool]) -> bool:
        sources = {guest.channel.fileno(): guest for guest in self.guests}
        sockets = {client.socket.fileno(): client for client in self.clients}
        life = self.daemons.life.fileno()
        poll = select.poll()
        for fd in [life, *sources, *sockets]:
            poll.register(fd, select.POLLIN)
        eager: Iterable[RingClient] = self.guests
        while not is_reached():
            eager = [guest for guest in eager if guest.go_on()]
            events = poll.poll(0 if eager else ANSWER_SECONDS * 1000)
            assert events or eager, f"nothing happens any more\n{self.daemons.said()}"
            for fd, _ in events:
                if fd == life:
                    return False
                if fd in sources:
                    sources[fd].on_notified()
                elif not sockets[fd].on_readable():
                    poll.unregister(fd)  # killed, or the daemon hung up, which `life` tells apart
                    assert self.daemons.ends(), f"client {sockets[fd].number} was cut off"
                    return False
            eager = {*eager, *(sources[fd] for fd, _ in events if fd in sources)}
        return True
