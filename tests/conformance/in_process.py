"""Scenarios on the compiled sessions in this process."""

from collections.abc import Iterable, Iterator, Mapping

from tests.conformance.table import Node
from tests.conformance.words import set_perms, write
from tests.conformance.world import Line, World
from tests.peers.wire import Message, split_message
from xenstore import errors
from xenstore.store import Session, Store
from xenstore.wire import pack


class Hypervisor:
    """The domains that exist, and their pages, of which only the existence matters here."""

    def __init__(self) -> None:
        self.domains: set[int] = set()

    def exists(self, domid: int) -> bool:
        return domid in self.domains

    def identity(self, domid: int) -> int:
        return 0

    def map(self, domid: int, gfn: int, port: int) -> None:
        if domid not in self.domains:
            raise errors.ENOENT(f"domain {domid} does not exist")

    def serve(self, session: Session) -> None:
        pass

    def unmap(self, domid: int) -> None:
        pass


class SessionLine(Line):
    def __init__(self, session: Session, bytewise: bool) -> None:
        self._session = session
        self._bytewise = bytewise

    def send(self, data: bytes) -> None:
        for piece in _pieces(data) if self._bytewise else [data]:
            self._session.feed(piece)

    def collect(self, replies: int, finished: bool) -> tuple[list[Message], bool]:
        output = bytearray(self._session.take())
        messages = list(_split(output))
        if output:
            raise AssertionError(f"output ends within a message: {bytes(output)!r}")
        return messages, self._session.closed

    def hang_up(self) -> None:
        self._session.close()


class SessionWorld(World):
    """A store of its own for each scenario.

    `alone`: there is no hypervisor; `bytewise`: every request is fed one byte at a time.
    """

    def __init__(self, quotas: Mapping[str, int], alone: bool, bytewise: bool) -> None:
        self._hypervisor = Hypervisor()
        self.store = Store(quotas=quotas, hypervisor=None if alone else self._hypervisor)
        self._bytewise = bytewise
        self._toolstack = self.store.connect()
        self._lines: list[SessionLine] = []

    def connect(self) -> Line:
        return self._line(self.store.connect())

    def ring(self, domid: int) -> Line:
        session = self.store.session_of(domid)
        if session is None:
            raise AssertionError(f"domain {domid} was introduced but has no session")
        return self._line(session)

    def create(self, domid: int) -> None:
        self._hypervisor.domains.add(domid)

    def introduce(self, domid: int) -> None:
        self.store.connect_domain(domid)

    def die(self, domid: int) -> None:
        self._hypervisor.domains.discard(domid)
        self.store.domain_died(domid)

    def shut_down(self, domid: int) -> None:
        self.store.domain_shutdown(domid)

    def settle(self) -> None:
        pass

    def wait(self, seconds: float) -> None:
        self.store.now += seconds
        self.store.run_due()

    def uses(self, domid: int) -> dict[str, int] | None:
        return self.store.usage(domid)

    def place(self, node: Node) -> None:
        for request in (write(node.path, node.value), set_perms(node.path, node.perms)):
            self._toolstack.feed(pack(request.type, request.payload))
            answer = self._toolstack.take()
            if not answer.endswith(b"OK\0"):
                raise AssertionError(f"{node} cannot be placed: {answer!r}")

    def finish(self) -> list[str]:
        findings = self.store.check()
        for line in self._lines:
            line.hang_up()
        return findings + [f"after closing all connections: {text}" for text in self.store.check()]

    def _line(self, session: Session) -> SessionLine:
        line = SessionLine(session, self._bytewise)
        self._lines.append(line)
        return line


def _pieces(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def _split(buffer: bytearray) -> Iterator[Message]:
    while (message := split_message(buffer)) is not None:
        yield message
