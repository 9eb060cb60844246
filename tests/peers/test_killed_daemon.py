"""xenclient, blocking and trio, on a real xenstored of ours that is killed at chosen moments and started
again on the same run directory.
"""

import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.peers.daemons import start_ours
from tests.peers.programs import OURS, PROGRAM_SECONDS, environment, program
from tests.unit.xenclient.face import Scenario, play_aio, play_blocking
from xenclient.store import aio, blocking
from xenclient.store.address import Address
from xenclient.store.blocking_link import UnixSocket
from xenclient.store.errors import ConnectionLost
from xenstore.errors import EAGAIN
from xenstore.wire import HEADER, HEADER_SIZE, TYPE_NAMES

#: Longer than anything here takes.
PATIENCE_SECONDS = 60.0


class Host:
    """A run directory with its daemon, and the moment that kills it.

    Attributes:
        sent: the types of the requests that went out, in order, over all connections.
    """

    def __init__(self, rundir: Path) -> None:
        self.rundir = rundir
        self.daemon = start_ours(rundir, is_forked=True)
        self.sent: list[str] = []
        self._moment: tuple[str, bool] | None = None
        self._starting: threading.Thread | None = None

    def kill_before_it_reads(self, request: str) -> None:
        """Kill the daemon, and start it again, at the next request of this type, which is sent."""
        self._settle()
        self._moment = (request, False)

    def kill_after_it_answers(self, request: str) -> None:
        """The same, but the request is executed; the client does not get to see the answer."""
        self._settle()
        self._moment = (request, True)

    def restart(self, remove_socket: bool = False) -> None:
        """Kill it, and return at once while it is started again."""
        self._settle()
        self.daemon.kill()
        if remove_socket:
            self.daemon.socket.unlink()

        def start() -> None:
            self.daemon = start_ours(self.rundir, is_forked=True)

        self._starting = threading.Thread(target=start)
        self._starting.start()

    def stop(self) -> None:
        self._settle()
        self.daemon.stop()

    def _settle(self) -> None:
        if self._starting is not None:
            self._starting.join()

    def before_sending(self, name: str) -> bool:
        """Whether the answer to this request is to be waited for, and thrown away for a restart."""
        self.sent.append(name)
        if self._moment == (name, False):
            self.daemon.signal(signal.SIGSTOP)
        return self._moment == (name, True)

    def after_sending(self, name: str) -> None:
        moment = self._moment
        if moment is not None and moment[0] == name:
            self._moment = None
            if not moment[1]:
                self.restart()


def names(data: bytes) -> list[str]:
    """The types of the messages, whole ones."""
    found = []
    while data:
        type, _req_id, _tx_id, size = HEADER.unpack_from(data)
        found.append(TYPE_NAMES[type])
        data = data[HEADER_SIZE + size :]
    return found


class BlockingTap(UnixSocket):
    """The blocking client's transport, which tells the host what goes out."""

    def __init__(self, host: Host) -> None:
        super().__init__(Address(str(host.daemon.socket)).open())
        self._host = host
        self._ended = False

    def send(self, data: bytearray, timeout: float | None) -> int:
        name = names(bytes(data))[-1]
        self._ended = self._host.before_sending(name)
        size = super().send(data, timeout)
        assert size == len(data)
        self._host.after_sending(name)
        return size

    def receive(self, size: int, timeout: float | None) -> bytes:
        data = super().receive(size, timeout)
        if not self._ended:
            return data
        self._host.restart()
        return b""


class TrioTap(trio.abc.Stream):
    """The same for the trio client."""

    def __init__(self, host: Host) -> None:
        sock = trio.socket.socket(fileno=Address(str(host.daemon.socket)).open().detach())
        self._stream = trio.SocketStream(sock)
        self._host = host
        self._ended = False

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        name = names(bytes(data))[-1]
        # Set before the answer can come, which may be before the sending task goes on.
        self._ended = self._host.before_sending(name)
        await self._stream.send_all(data)
        self._host.after_sending(name)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        data = await self._stream.receive_some(max_bytes)
        if not self._ended:
            return data
        self._host.restart()
        return b""

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


Play = Callable[[Scenario, Host], None]
PLAYS: dict[str, Play] = {
    "blocking": lambda scenario, host: play_blocking(
        scenario, blocking.Client(timeout=PATIENCE_SECONDS, connect=lambda: BlockingTap(host))
    ),
    "aio": lambda scenario, host: play_aio(
        scenario, lambda: aio.Client(timeout=PATIENCE_SECONDS, connect=lambda: TrioTap(host))
    ),
}


@pytest.fixture(params=PLAYS)
def play(request: pytest.FixtureRequest) -> Play:
    return PLAYS[request.param]


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = Host(tmp_path)
    yield host
    host.stop()


def test_what_only_reads(play: Play, host: Host) -> None:
    async def scenario(client: Any) -> None:
        host.kill_after_it_answers("READ")
        assert await client.read("/tool") == b""
        host.kill_before_it_reads("DIRECTORY")
        assert "tool" in await client.directory("/")
        host.kill_after_it_answers("GET_PERMS")
        assert [str(perm) for perm in await client.get_perms("/tool")] == ["n0"]
        assert host.sent == ["READ", "READ", "DIRECTORY", "DIRECTORY", "GET_PERMS", "GET_PERMS"]

    play(scenario, host)


def test_what_ends_where_once_ends(play: Play, host: Host) -> None:
    async def scenario(client: Any) -> None:
        host.kill_after_it_answers("WRITE")
        await client.write("/tool/a", "value")
        assert await client.read("/tool/a") == b"value"
        host.kill_after_it_answers("MKDIR")
        await client.mkdir("/tool/b")
        assert await client.read("/tool/b") == b""
        await client.write("/tool/b/c", "")
        host.kill_after_it_answers("RM")
        await client.rm("/tool/b")
        assert not await client.exists("/tool/b")
        host.kill_before_it_reads("SET_PERMS")
        await client.set_perms("/tool", ["n0", "r7"])
        assert [str(perm) for perm in await client.get_perms("/tool")] == ["n0", "r7"]

    play(scenario, host)


def test_what_else_may_have_been_executed_is_said(play: Play, host: Host) -> None:
    async def scenario(client: Any) -> None:
        for kill in (host.kill_after_it_answers, host.kill_before_it_reads):
            kill("CONTROL")
            with pytest.raises(ConnectionLost, match="CONTROL print: it may or may not have been executed"):
                await client.control("print", "hello")
        assert host.sent == ["CONTROL", "CONTROL"]
        assert await client.exists("/tool")

    play(scenario, host)


def test_a_transaction_that_is_lost_open_runs_again(play: Play, host: Host) -> None:
    runs = 0

    async def body(tx: Any) -> None:
        nonlocal runs
        runs += 1
        await tx.write("/tool/a", await tx.read("/tool"))
        await tx.write("/tool/b", str(runs))

    async def block(client: Any) -> None:
        async with client.transaction() as tx:
            await body(tx)

    async def scenario(client: Any) -> None:
        host.kill_after_it_answers("WRITE")
        await client.run_transaction(body)
        assert await client.read("/tool/b") == b"2"
        host.kill_before_it_reads("WRITE")
        with pytest.raises(EAGAIN, match="the transaction ended when the connection was lost"):
            await block(client)

    play(scenario, host)


def test_a_commit_that_is_not_answered(play: Play, host: Host) -> None:
    async def change(tx: Any) -> None:
        await tx.write("/tool/a", await tx.read("/tool"))

    async def look(tx: Any) -> bytes:
        value: bytes = await tx.read("/tool")
        return value

    async def scenario(client: Any) -> None:
        host.kill_after_it_answers("TRANSACTION_END")
        with pytest.raises(ConnectionLost, match=r"TRANSACTION_END .* may or may not have been executed"):
            await client.run_transaction(change)
        host.kill_before_it_reads("TRANSACTION_END")
        assert await client.run_transaction(look) == b""

    play(scenario, host)


@pytest.mark.parametrize("socket", ["refuses", "is missing"])
def test_watches_are_restored_each_with_one_event(play: Play, host: Host, socket: str) -> None:
    watched = [("/tool", "t"), ("/", "all"), ("@releaseDomain", "ends")]

    async def scenario(client: Any) -> None:
        async with client.watch(*watched[0]) as watch:
            for path, token in watched[1:]:
                await watch.add(path, token)
            assert [await watch.next(PATIENCE_SECONDS) for _ in watched] == watched
            host.restart(remove_socket=socket == "is missing")
            assert [await watch.next(PATIENCE_SECONDS) for _ in watched] == watched
            await client.write("/tool/after", "1")
            events = {await watch.next(PATIENCE_SECONDS) for _ in range(2)}
            assert events == {("/tool/after", "t"), ("/tool/after", "all")}

    play(scenario, host)


def test_xenstore_watch_goes_on(host: Host) -> None:
    child = subprocess.Popen(
        [program(OURS, "watch"), "-n", "3", "/tool"],
        env=environment(host.daemon.socket),
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    with child.stdout as lines:
        assert lines.readline() == b"/tool\n"
        host.restart()
        assert lines.readline() == b"/tool\n"
        with blocking.Client(str(host.daemon.socket)) as client:
            client.write("/tool/after", "")
        assert lines.readlines() == [b"/tool/after\n"]
    assert child.wait(PROGRAM_SECONDS) == 0
