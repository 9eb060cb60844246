"""Both clients over the kernel's device, on the kernels of Linux and NetBSD as `guest_kernel` has them."""

import contextlib
import errno
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from tests.peers.wire import split_message
from tests.unit.xenclient.face import Awaited, result_of
from tests.unit.xenclient.guest_kernel import HOME, Kernel, LinuxFile, NetBSDFile
from xenclient.cli import xenstore
from xenclient.store import aio, blocking, bridge, device
from xenclient.store.address import Address
from xenclient.store.errors import ConnectError, DeadlineError
from xenstore.errors import E2BIG, EACCES, EAGAIN, EEXIST, EINVAL, ENOSYS, XenstoreError
from xenstore.wire import MessageType, pack

SYSTEMS = {"linux": LinuxFile, "netbsd": NetBSDFile}
#: How long what must end may take before the test fails.
PATIENCE_SECONDS = 20.0

linux = pytest.mark.parametrize("kernel", ["linux"], indirect=True)
netbsd = pytest.mark.parametrize("kernel", ["netbsd"], indirect=True)

#: Gets a way to make a client, as `async with client() as c`.
Scenario = Callable[[Any], Coroutine[Any, Any, None]]
Play = Callable[[Scenario], None]


def happens(kernel: Kernel, condition: Callable[[], bool]) -> None:
    """Wait for it, as long as it may take."""
    with kernel.changed:
        assert kernel.changed.wait_for(condition, PATIENCE_SECONDS)


@pytest.fixture(params=["blocking", "aio"])
def play(request: pytest.FixtureRequest) -> Play:
    if request.param == "blocking":
        return lambda scenario: result_of(scenario(lambda **options: Awaited(blocking.Client(**options))))
    return lambda scenario: trio.run(scenario, aio.Client)


@pytest.fixture(params=SYSTEMS)
def kernel(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Kernel]:
    kernel = Kernel()
    path = tmp_path / "xenbus"
    path.touch()
    monkeypatch.setenv("XENSTORED_PATH", str(path))
    monkeypatch.setattr(device, "NETBSD", request.param == "netbsd")
    monkeypatch.setattr(device, "KernelFile", lambda opened: SYSTEMS[request.param](kernel))
    yield kernel
    happens(kernel, lambda: kernel.closed == kernel.opened)  # a closed client leaves no device open
    assert not kernel.broken
    kernel.events.clear()
    kernel.toolstack(MessageType.WRITE, HOME + b"/data\0x")
    assert kernel.events == [HOME + b"/data"], "the kernel's own watch is gone"
    kernel.store.check()


def test_nodes(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            assert await c.read("name") == b"guest"
            await c.write("data/value", bytes(range(256)))
            assert await c.read("data/value") == bytes(range(256))
            await c.mkdir("data/dir/below")
            assert await c.directory("data") == ["value", "dir"]
            await c.rm("data/dir")
            assert not await c.exists("data/dir/below")
            await c.set_perms("data/value", ["n5", "r0"])
            assert [str(perm) for perm in await c.get_perms("data/value")] == ["n5", "r0"]
            assert await c.get_domain_path(5) == HOME.decode()
            with pytest.raises(EACCES, match="WRITE /tool"):
                await c.write("/tool/x", "")
        assert kernel.value(HOME + b"/data/value") == bytes(range(256))

    play(scenario)


def test_transactions(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async def raising() -> None:
            async with c.transaction() as tx:
                await tx.write("data/b", "3")
                raise ZeroDivisionError

        async def conflicting() -> None:
            async with c.transaction() as tx:
                await tx.read("data/a")
                await tx.write("data/b", "2")
                kernel.toolstack(MessageType.WRITE, HOME + b"/data/a\0changed")

        async with client() as c:
            async with c.transaction() as tx:
                await tx.write("data/a", "1")
                assert not await c.exists("data/a")
            assert await c.read("data/a") == b"1"
            with pytest.raises(ZeroDivisionError):
                await raising()
            assert not await c.exists("data/b")
            with pytest.raises(EAGAIN):
                await conflicting()

    play(scenario)


def test_a_client_that_goes_away_leaves_no_transaction(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            await c.transaction().__aenter__()
            assert kernel.store.open_transactions == 1

    play(scenario)
    happens(kernel, lambda: kernel.store.open_transactions == 0)


def test_clients_beside_each_other(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as one, client() as two:
            async with one.transaction() as first, two.transaction() as second:
                await first.write("data/one", "1")
                await second.write("data/two", "2")
                assert not await second.exists("data/one")
            assert await two.directory("data") == ["two", "one"]

    play(scenario)


def test_requests_of_many_tasks_go_one_by_one(kernel: Kernel) -> None:
    async def main() -> None:
        async with aio.Client() as client, trio.open_nursery() as nursery:
            kernel.stop_xenstored()
            for number in range(20):
                nursery.start_soon(client.write, f"data/{number}", str(number))
            await trio.testing.wait_all_tasks_blocked()
            kernel.start_xenstored()

    trio.run(main)
    for number in range(20):
        assert kernel.value(HOME + b"/data/%d" % number) == b"%d" % number


@pytest.mark.parametrize(("size", "fits"), [(4096 - 16 - 5, True), (4096 - 16 - 4, False), (4090, False)])
def test_a_message_holds_less_than_over_a_socket(play: Play, kernel: Kernel, size: int, fits: bool) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            # Refused for a guest's quota on sizes if it comes through, by the device if not.
            with pytest.raises(Exception, match="WRITE data") as caught:
                await c.write("data", bytes(size))
            assert isinstance(caught.value, E2BIG) == (not fits)
            assert await c.read("name") == b"guest"

    play(scenario)


def test_a_call_has_its_deadline_whatever_the_kernel_waits_for(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            assert await c.read("name") == b"guest"
            kernel.stop_xenstored()
            for _ in range(2):
                with pytest.raises(DeadlineError, match=r"on .*xenbus, waiting for the answer to READ name"):
                    await c.within(0.02).read("name")
            kernel.start_xenstored()
            assert await c.read("name") == b"guest"

    play(scenario)


def test_a_transaction_that_starts_too_late_is_ended(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            kernel.stop_xenstored()
            with pytest.raises(DeadlineError, match="TRANSACTION_START"):
                await c.within(0.02).transaction().__aenter__()
            kernel.start_xenstored()
            await c.read("name")
            await c.read("name")
            assert kernel.store.open_transactions == 0

    play(scenario)


# watches: Linux


@linux
def test_watches(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c, c.watch("data", "t") as watch, c.watch("data", "u") as same:
            await c.write("data/a", "")
            kernel.toolstack(MessageType.WRITE, HOME + b"/data/b\0")
            for stream in (watch, same):
                paths = [(await stream.next(PATIENCE_SECONDS)).path for _ in range(3)]
                assert set(paths) == {"data", "data/a", "data/b"}
            with pytest.raises(EEXIST, match="WATCH data"):
                await watch.add("data", "u")
            await watch.remove("data")
            async with c.watch("/local", "depth", depth=2) as shallow:
                kernel.toolstack(MessageType.WRITE, HOME + b"/data/c\0")
                kernel.toolstack(MessageType.WRITE, HOME + b"\0")
                first, second = [(await shallow.next(PATIENCE_SECONDS)).path for _ in range(2)]
                assert (first, second) == ("/local", HOME.decode())

    play(scenario)


@linux
def test_a_watch_that_is_refused(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            with pytest.raises(EINVAL, match="WATCH /a//b"):
                async with c.watch("/a//b"):
                    pytest.fail("not entered")
            assert await c.read("name") == b"guest"

    play(scenario)


@linux
def test_a_watch_that_the_kernel_does_not_get_set_has_its_deadline(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            kernel.stop_xenstored()
            with pytest.raises(DeadlineError, match="waiting for the answer to WATCH data"):
                await c.within(0.02).watch("data", "t").__aenter__()
            kernel.start_xenstored()
            assert await c.read("name") == b"guest"

    play(scenario)


def test_reset_watches_spares_the_kernels(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            await c.reset_watches()
            assert await c.read("name") == b"guest"

    play(scenario)


@linux
def test_reset_watches_removes_the_clients(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c, c.watch("data") as watch:
            await watch.next(PATIENCE_SECONDS)
            await c.reset_watches()
            assert [event async for event in watch] == []
            assert len(kernel.watches) == 1

    play(scenario)


@linux
def test_events_wait_in_the_kernel_while_nobody_reads(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is lost, few are held by the thread, and a request goes out all the same."""
    count = 100 * bridge.READ_BYTES // 250
    held = []

    class Observed(bridge.Polled):
        def _give(self) -> None:
            held.append(len(self._to_client))
            super()._give()

    monkeypatch.setattr(device, "Polled", Observed)
    with contextlib.closing(Address().open()) as sock:
        sock.sendall(pack(MessageType.WATCH, b"data\0" + b"t" * 200 + b"\0"))
        happens(kernel, lambda: len(kernel.watches) == 2)
        for number in range(count):
            kernel.toolstack(MessageType.WRITE, HOME + b"/data\0%d" % number)
        sock.sendall(pack(MessageType.WRITE, b"request\0out"))
        sock.setblocking(True)
        received = bytearray()
        types: list[int] = []
        while types.count(MessageType.WRITE) < 1:
            received += sock.recv(bridge.READ_BYTES)
            while (message := split_message(received)) is not None:
                types.append(message.type)
    assert types.count(MessageType.WATCH_EVENT) == 1 + count
    assert kernel.value(HOME + b"/request") == b"out"
    assert max(held) <= bridge.UNREAD_MAX_BYTES + bridge.READ_BYTES + 100


# NetBSD


@netbsd
def test_what_netbsd_does_not_carry_is_said(play: Play, kernel: Kernel) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            async with c.transaction() as tx:
                await tx.write("data/a", "1")
                with pytest.raises(ENOSYS, match=r"WATCH data: .*or to the kernel's device"):
                    async with c.watch("data"):
                        pytest.fail("not entered")
                with pytest.raises(ENOSYS, match="CONTROL check"):
                    await c.control("check")
            assert await c.read("data/a") == b"1"

    play(scenario)


# opening and failing


def test_the_programs(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    kernel.toolstack(MessageType.WRITE, HOME + b"/data/x\x001")
    for program, line in (
        (xenstore.read, "read -p name data/x"),
        (xenstore.ls, "ls -f /local/domain/5/data"),
    ):
        monkeypatch.setattr("sys.argv", line.split())
        assert program() == 0
    assert capfdbinary.readouterr() == (
        b'name: guest\ndata/x: 1\n/local/domain/5/data/x = "1"\n',
        b"",
    )


def test_a_device_that_fails_is_opened_again(
    play: Play, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = NetBSDFile if device.NETBSD else LinuxFile
    failing = [True]
    read = system.read

    def fail_once(self: Any, size: int) -> bytes:
        data: bytes = read(self, size)
        if failing.pop() if failing else False:
            raise OSError(errno.EIO, "Input/output error")
        return data

    monkeypatch.setattr(system, "read", fail_once)

    async def scenario(client: Any) -> None:
        async with client() as c:
            assert await c.read("name") == b"guest"
            assert kernel.opened == 2

    play(scenario)


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EFAULT])
def test_a_message_that_the_kernel_does_not_take_is_refused(play: Play, kernel: Kernel, number: int) -> None:
    async def scenario(client: Any) -> None:
        async with client() as c:
            kernel.refusals.append(number)
            with pytest.raises(XenstoreError, match=f"READ name.*{errno.errorcode[number]}"):
                await c.read("name")
            assert await c.read("name") == b"guest"
            assert kernel.opened == (2 if device.NETBSD else 1)

    play(scenario)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EACCES, "no permission to open .*xenbus: run as root"),
        (errno.ENODEV, "cannot open .*xenbus: No such device; it needs a kernel that runs on Xen"),
    ],
)
def test_a_device_that_cannot_be_opened(
    play: Play, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, number: int, text: str
) -> None:
    def refuse(path: str) -> None:
        raise OSError(number, "No such device")

    monkeypatch.setattr(device, "KernelFile", refuse)

    async def scenario(client: Any) -> None:
        with pytest.raises(ConnectError, match=text) as caught:
            async with client():
                pytest.fail("not entered")
        assert caught.value.errno == number

    play(scenario)


def test_no_thread_to_be_had(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(device, "start_new_thread", refuse)
    with pytest.raises(ConnectError, match="can't start new thread"):
        blocking.Client()
