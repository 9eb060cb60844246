"""Scenarios on a daemon: clients over its socket, domains over rings where it has them."""

import re

from tests.conformance.table import Node
from tests.conformance.words import OK, Request, control, directory, introduce, release, rm, set_perms, write
from tests.conformance.world import Line, World
from tests.peers.daemons import Daemon
from tests.peers.ring import Guest
from tests.peers.wire import Closed, Connection, Message, Wire
from xenstore.wire import MessageType as Type

#: Request id of the request that shows that all before it has been served.
BARRIER = 0xBA221E2


class DaemonLine(Line):
    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def send(self, data: bytes) -> None:
        self.connection.send_bytes(data)

    def collect(self, replies: int, finished: bool) -> tuple[list[Message], bool]:
        messages: list[Message] = []
        try:
            while replies:
                messages.append(self.connection.read())
                replies -= messages[-1].type != Type.WATCH_EVENT
            if finished:
                self.connection.send(Type.GET_DOMAIN_PATH, b"0\0", req_id=BARRIER)
                while (message := self.connection.read()).req_id != BARRIER:
                    messages.append(message)
        except (Closed, BrokenPipeError):
            return messages, True
        return messages, False

    def hang_up(self) -> None:
        self.connection.close()


class DaemonWorld(World):
    """One scenario on a daemon that goes on living; what the scenario made is removed at its end."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._toolstack = Wire(daemon.socket)
        self._lines: list[DaemonLine] = []
        self._guests: dict[int, Guest] = {}
        self._before = self._children("/")

    def connect(self) -> Line:
        return self._line(Wire(self._daemon.socket))

    def ring(self, domid: int) -> Line:
        return self._line(self._guests[domid])

    def create(self, domid: int) -> None:
        self._guests[domid] = Guest(self._daemon.guests, domid)

    def introduce(self, domid: int) -> None:
        self._ask(introduce(domid))

    def die(self, domid: int) -> None:
        self._guests.pop(domid).die()
        self.settle()

    def shut_down(self, domid: int) -> None:
        self._guests[domid].shut_down()
        self.settle()

    def settle(self) -> None:
        self._toolstack.drain()  # perhaps served in the round that began before
        self._toolstack.drain()

    def wait(self, seconds: float) -> None:
        raise AssertionError("no scenario makes a daemon wait")

    def uses(self, domid: int) -> dict[str, int] | None:
        if self._daemon.name == "o":
            return None
        answer = self._ask(control("quota", str(domid))).decode("ascii")
        return {name: int(count) for name, count in re.findall(r"^(\S+) *: +(\d+)", answer, re.MULTILINE)}

    def place(self, node: Node) -> None:
        for request in (write(node.path, node.value), set_perms(node.path, node.perms)):
            answer = self._ask(request)
            if answer != OK:
                raise AssertionError(f"{node} cannot be placed: {answer!r}")

    def finish(self) -> list[str]:
        for line in self._lines:
            line.hang_up()
        for domid in list(self._guests):
            self._ask(release(domid))
            self.die(domid)
        for path in self._leftovers():
            self._ask(rm(path))
        findings = [f"left behind: {path}" for path in self._leftovers()]
        if self._daemon.name != "o" and (answer := self._ask(control("check"))) != OK:
            findings.append(f"xenstore-control check: {answer!r}")
        self._toolstack.close()
        return findings

    def _leftovers(self) -> list[str]:
        return [f"/{name}" for name in self._children("/") if name not in self._before]

    def _children(self, path: str) -> list[str]:
        return [name for name in self._ask(directory(path)).decode("ascii").split("\0") if name]

    def _ask(self, request: Request) -> bytes:
        return self._toolstack.request(request.type, request.payload).payload

    def _line(self, connection: Connection) -> DaemonLine:
        line = DaemonLine(connection)
        self._lines.append(line)
        return line
