"""xenclient, blocking and trio, on the real daemons: Debian's two and ours."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.daemons import Daemon, start_c, start_ours
from tests.unit.xenclient.face import Scenario, play_aio, play_blocking
from xenclient.store import aio, blocking
from xenclient.store.perms import Perm
from xenstore.errors import EAGAIN, EEXIST, EINVAL, ENOENT

pytestmark = pytest.mark.peer

Play = Callable[[Scenario, Daemon], None]
PLAYS: dict[str, Play] = {
    "blocking": lambda scenario, daemon: play_blocking(scenario, blocking.Client(str(daemon.socket))),
    "aio": lambda scenario, daemon: play_aio(scenario, lambda: aio.Client(str(daemon.socket))),
}


@pytest.fixture(params=PLAYS)
def play(request: pytest.FixtureRequest) -> Play:
    return PLAYS[request.param]


@pytest.fixture(params=["c_xenstored", "o_xenstored", "our_xenstored"])
def daemon(request: pytest.FixtureRequest) -> Daemon:
    running: Daemon = request.getfixturevalue(request.param)
    return running


@asynccontextmanager
async def home(client: Any) -> AsyncIterator[str]:
    """A node to work below, gone afterwards."""
    await client.write("/library", "")
    try:
        yield "/library"
    finally:
        await client.rm("/library")


def test_nodes(play: Play, daemon: Daemon) -> None:
    async def scenario(client: Any) -> None:
        async with home(client) as top:
            await client.write(f"{top}/value", bytes(range(256)))
            assert await client.read(f"{top}/value") == bytes(range(256))
            await client.mkdir(f"{top}/dir/below")
            assert set(await client.directory(top)) == {"value", "dir"}
            assert await client.exists(f"{top}/dir/below")
            await client.rm(f"{top}/dir")
            assert not await client.exists(f"{top}/dir/below")
            await client.set_perms(f"{top}/value", ["r0", Perm("b", 7)])
            assert await client.get_perms(f"{top}/value") == (Perm("r", 0), Perm("b", 7))
            with pytest.raises(ENOENT, match="READ /library/missing"):
                await client.read(f"{top}/missing")
            with pytest.raises(EINVAL, match="WRITE /a//b"):
                await client.write("/a//b", "")

    play(scenario, daemon)


def test_a_directory_of_two_thousand(play: Play, daemon: Daemon) -> None:
    async def scenario(client: Any) -> None:
        async with home(client) as top:
            names = {f"child-number-{n}" for n in range(2000)}
            for name in names:
                await client.write(f"{top}/{name}", "")
            assert set(await client.directory(top)) == names

    play(scenario, daemon)


def test_transactions(play: Play, daemon: Daemon) -> None:
    async def scenario(client: Any) -> None:
        async def conflicting() -> None:
            async with client.transaction() as tx:
                await tx.read(f"{top}/a")
                await tx.write(f"{top}/b", "2")
                await client.write(f"{top}/a", "changed")

        async def raising() -> None:
            async with client.transaction() as tx:
                await tx.write(f"{top}/b", "3")
                raise ZeroDivisionError

        async with home(client) as top:
            async with client.transaction() as tx:
                await tx.write(f"{top}/a", "1")
                assert not await client.exists(f"{top}/a")
            assert await client.read(f"{top}/a") == b"1"
            with pytest.raises(EAGAIN):
                await conflicting()
            with pytest.raises(ZeroDivisionError):
                await raising()
            assert not await client.exists(f"{top}/b")

    play(scenario, daemon)


def test_two_transactions_that_add_to_one_directory_both_commit(play: Play, daemon: Daemon) -> None:
    """On C xenstored the first commit is refused, and done again by the client."""

    async def scenario(client: Any) -> None:
        async with home(client) as top:
            async with client.transaction() as first:
                await first.write(f"{top}/1", "")
                async with client.transaction() as second:
                    await second.write(f"{top}/2", "")
            assert set(await client.directory(top)) == {"1", "2"}

    play(scenario, daemon)


def test_watches(play: Play, daemon: Daemon) -> None:
    async def scenario(client: Any) -> None:
        async with home(client) as top, client.watch(top, "t") as watch, client.watch(f"{top}/b") as other:
            await client.write(f"{top}/a", "")
            assert [await watch.next(10) for _ in range(2)] == [(top, "t"), (f"{top}/a", "t")]
            assert (await other.next(10)).path == f"{top}/b"
            await client.write(f"{top}/b/c", "")
            assert (await other.next(10)).path == f"{top}/b/c"
            with pytest.raises(EEXIST):
                await watch.add(top, "t")

    play(scenario, daemon)


def test_administration(play: Play, daemon: Daemon) -> None:
    async def scenario(client: Any) -> None:
        assert await client.get_domain_path(7) == "/local/domain/7"
        assert not await client.is_domain_introduced(4711)
        with pytest.raises((ENOENT, EINVAL), match="RELEASE 4711"):
            await client.release(4711)
        await client.control("print", "hello")
        async with client.watch("/") as watch:
            await watch.next(10)
            await client.reset_watches()
            assert [event async for event in watch] == []

    play(scenario, daemon)


def test_features_and_quotas_of_ours(play: Play, our_xenstored: Daemon) -> None:
    async def scenario(client: Any) -> None:
        assert await client.get_feature() > 0
        names = await client.quota_names()
        assert "nodes" in names
        nodes = await client.get_quota("nodes")
        await client.set_quota("nodes", nodes + 1)
        assert await client.get_quota("nodes") == nodes + 1
        await client.set_quota("nodes", nodes)
        async with home(client) as top, client.watch(top, depth=0) as watch:
            await watch.next(10)
            await client.write(f"{top}/below", "")
            await client.write(top, "")
            assert (await watch.next(10)).path == top

    play(scenario, our_xenstored)


@pytest.mark.parametrize("start", [start_c, start_ours], ids=["c", "ours"])
def test_a_daemon_that_is_killed_and_comes_back(
    play: Play, start: Callable[[Path], Daemon], tmp_path: Path
) -> None:
    """The new one is another store or the same (ours keeps a journal): the watch fires either way."""
    first = start(tmp_path)

    async def scenario(client: Any) -> None:
        async with client.watch("/tool", "t") as watch:
            await watch.next(10)
            first.kill()
            with start(tmp_path):
                assert await watch.next(30) == ("/tool", "t")
                assert await client.exists("/tool")
                await client.write("/tool/new", "")
                assert await watch.next(10) == ("/tool/new", "t")

    play(scenario, first)


def test_a_counter_under_contention(daemon: Daemon) -> None:
    """Four connections, each adding one in turn as fast as they can: no increment is lost."""
    each = 25

    def count(tx: blocking.Transaction) -> None:
        tx.write("/counter", str(int(tx.read("/counter")) + 1))

    def work() -> None:
        with blocking.Client(str(daemon.socket)) as client:
            for _ in range(each):
                client.run_transaction(count)

    with blocking.Client(str(daemon.socket)) as client:
        client.write("/counter", "0")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.read("/counter") == b"%d" % (4 * each)
        client.rm("/counter")
