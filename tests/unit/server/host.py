"""A host in this process: its domains share pages with a store, and a test says when what happens."""

import mmap
import os
import struct
from collections.abc import Mapping

from tests.peers.wire import Message, split_message
from tests.unit.store.client import Client
from xenstore._channels import Channels
from xenstore._pump import Pump
from xenstore.platform import DomainState, Page, Platform, PlatformError
from xenstore.server.rings import Rings
from xenstore.store import Store
from xenstore.wire import MessageType, pack

RING_SIZE = 1024
REPLIES = 1024
REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, ERROR = range(2048, 2076, 4)

#: More turns than any test has use for.
TURNS_MAX = 10_000


class Guest:
    """The far side of one ring."""

    def __init__(self, domid: int) -> None:
        self.domid = domid
        self.page = mmap.mmap(-1, 4096)
        self.received = bytearray()

    def word(self, at: int) -> int:
        return int(struct.unpack_from("=I", self.page, at)[0])

    def set_word(self, at: int, value: int) -> None:
        struct.pack_into("=I", self.page, at, value & 0xFFFFFFFF)

    def put(self, data: bytes) -> int:
        """As much as fits into the ring; returns how much."""
        produced = self.word(REQ_PROD)
        data = data[: RING_SIZE - (produced - self.word(REQ_CONS)) % 2**32]
        for offset, byte in enumerate(data):
            self.page[(produced + offset) % RING_SIZE] = byte
        self.set_word(REQ_PROD, produced + len(data))
        return len(data)

    def take(self, limit: int = RING_SIZE) -> int:
        """Reads at most so many bytes of what is there, into `received`; returns how many."""
        consumed = self.word(RSP_CONS)
        size = min(limit, (self.word(RSP_PROD) - consumed) % 2**32)
        for offset in range(size):
            self.received.append(self.page[REPLIES + (consumed + offset) % RING_SIZE])
        self.set_word(RSP_CONS, consumed + size)
        return size

    def messages(self) -> list[Message]:
        found = []
        while (message := split_message(self.received)) is not None:
            found.append(message)
        return found


class HostChannels(Channels):
    def __init__(self, host: "Host") -> None:
        self._host = host

    def pending(self) -> list[int] | None:
        if self._host.overflow:
            self._host.overflow = False
            return None
        fired, self._host.fired = self._host.fired, []
        return list(dict.fromkeys(fired))

    def notify(self, port: int) -> None:
        domid = self._host.bound[port]
        if domid in self._host.refuses_to_notify:
            raise OSError(6, "planted")
        self._host.notified[domid] = self._host.notified.get(domid, 0) + 1


class Host(Platform):
    """Attributes:
    guests: by domid; whoever is not there is dead.
    notified: how often each port was.
    """

    name = "test"
    CHANGES = 1

    def __init__(self, *domids: int) -> None:
        self.channels = HostChannels(self)
        self.guests = {domid: Guest(domid) for domid in (0, *domids)}
        self.guests_ever = dict(self.guests)  # the dead ones too
        self.states = {domid: DomainState(0, False, False) for domid in self.guests}
        self.known_ports: dict[int, int | None] = {}
        self.bound: dict[int, int] = {}
        self.mapped: set[int] = set()
        self.notified: dict[int, int] = {}
        self.fired: list[int] = []
        self.overflow = False  # of the queue of what fired
        self.refuses_to_notify: set[int] = set()
        self._fds = os.pipe()

    def appear(self, domid: int, unique: int = 0) -> Guest:
        """A domain is made, of which nobody has told the store."""
        self.guests[domid] = self.guests_ever[domid] = Guest(domid)
        self.states[domid] = DomainState(unique, False, False)
        return self.guests[domid]

    def become(self, domid: int, unique: int) -> None:
        """Who has this domid is another one now."""
        self.states[domid] = DomainState(unique, False, False)

    def fire(self, domid: int) -> None:
        self.fired += [port for port, other in self.bound.items() if other == domid]

    def fileno(self) -> int:
        return self._fds[0]

    def bind_interdomain(self, domid: int, remote_port: int) -> int:
        if domid not in self.guests or remote_port == 99:
            raise PlatformError(22, "no such port")
        assert domid not in self.bound.values(), "the port is bound already"
        self.bound[100 + domid] = domid
        return 100 + domid

    def bind_domain_changes(self) -> int:
        self.bound[self.CHANGES] = -1
        return self.CHANGES

    def adopt(self, port: int) -> None:
        self.bound[port] = -1 if port == self.CHANGES else port - 100

    def unbind(self, port: int) -> None:
        del self.bound[port]

    def map_own_page(self) -> tuple[Page, int] | None:
        return self.guests[0].page, 2

    def map_page(self, domid: int, gfn: int) -> Page:
        if domid not in self.guests or gfn == 99:
            raise PlatformError(22, "no such page")
        self.mapped.add(domid)
        return self.guests[domid].page

    def unmap_page(self, page: Page) -> None:
        (domid,) = [domid for domid in self.mapped if self.guests_ever[domid].page is page]
        self.mapped.remove(domid)

    def domains(self) -> Mapping[int, DomainState]:
        return {domid: state for domid, state in self.states.items() if domid in self.guests}

    def store_port(self, domid: int) -> int | None:
        return self.known_ports.get(domid)

    def close(self) -> None:
        for fd in self._fds:
            os.close(fd)


class World:
    """A store on such a host; dom0 is a client of the socket."""

    def __init__(
        self, *domids: int, running: Mapping[int, int | None] | None = None, early: bytes = b"", at: int = 0
    ) -> None:
        """running: domains that the store meets at its start, with their ports.  early: what waits on dom0's
        ring by then, whose indices stand at `at`."""
        self.host = Host(*domids, *(running or {}))
        self.host.known_ports = dict(running or {})
        for index in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD):
            self.host.guests[0].set_word(index, at)
        self.host.guests[0].put(early)
        self.log: list[str] = []
        self.rings = Rings(self.host, self.log.append)
        self.store = Store(hypervisor=self.rings)
        self.store.log = self.log.append
        self.pump = Pump(self.store)
        self.pump.log = self.log.append
        self.rings.start(self.store, self.pump)
        self.dom0 = Client(self.store.connect())
        for domid in domids:
            self.give_home(domid)
            self.introduce(domid)

    def give_home(self, domid: int) -> None:
        home = b"/local/domain/%d" % domid
        self.dom0.mkdir(home)
        self.dom0.set_perms(home, b"n%d" % domid)

    def introduce(self, domid: int, gfn: int = 1, port: int = 7) -> None:
        self.dom0.ask(MessageType.INTRODUCE, b"%d" % domid, b"%d" % gfn, b"%d" % port)

    def settle(self) -> None:
        """Serves what fired, and what follows from it."""
        for _ in range(TURNS_MAX):
            self.rings.on_events()
            self.pump.turn(0)
            if not self.host.fired and self.pump.pause() > 0:
                return
        raise AssertionError(f"still not settled after {TURNS_MAX} turns")

    def notify(self, domid: int) -> None:
        self.host.fire(domid)
        self.settle()

    def exchange(self, domid: int, data: bytes) -> list[Message]:
        """What a guest gets that writes all this, reading whenever there is something."""
        guest = self.host.guests[domid]
        for _ in range(TURNS_MAX):
            data = data[guest.put(data) :]
            self.notify(domid)
            if not guest.take() and not data:
                return guest.messages()
            self.host.fire(domid)
        raise AssertionError("the exchange does not end")

    def read(self, domid: int, path: bytes) -> bytes:
        (message,) = self.exchange(domid, pack(MessageType.READ, path + b"\0"))
        return message.payload

    def shut_down(self, domid: int) -> None:
        self.host.states[domid] = DomainState(0, True, False)
        self.host.fire(-1)

    def die(self, domid: int) -> None:
        del self.host.guests[domid]
        self.host.fire(-1)

    def end(self) -> None:
        assert self.store.check() == []
        assert not [line for line in self.log if "internal error" in line]
        self.rings.stop()
        self.pump.close()
