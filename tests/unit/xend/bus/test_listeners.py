"""The two sockets in the file system, and who is turned away at them."""

import os
import stat
from pathlib import Path

import attrs
import pytest
import trio
import trio.testing

from tests.unit.xend.bus.toy import Toy, Wire
from xend.bus import Peer, open_listeners, serve
from xend.errors import XendError
from xenstore.daemon.locks import Held
from xenstore.daemon.start import StartError


async def connect(path: Path) -> Wire:
    return Wire(await trio.open_unix_socket(str(path)))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.trio
async def test_both_sockets_are_served_and_removed(tmp_path: Path, nursery: trio.Nursery) -> None:
    toy = Toy()
    with open_listeners(Held(), str(tmp_path)) as found:
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        assert [mode_of(tmp_path / name) for name in ("socket", "socket_ro")] == [0o600, 0o600]
        operator, reader = await connect(tmp_path / "socket"), await connect(tmp_path / "socket_ro")
        assert (await operator.ask(1, "hello"))[3]["access"] == "operate"
        assert (await reader.ask(1, "hello"))[3]["access"] == "read"
        assert (await reader.ask(2, "domain.create", text=""))[2]["code"] == "not_permitted"
        assert (await operator.ask(2, "domain.create", text=""))[2] is None
        nursery.cancel_scope.cancel()
    assert not list(tmp_path.glob("socket*[!k]"))


@pytest.mark.trio
async def test_groups_may_open_what_is_theirs(tmp_path: Path) -> None:
    gid = os.getgid()
    with open_listeners(Held(), str(tmp_path), read_gid=gid) as found:
        assert [mode_of(tmp_path / name) for name in ("socket", "socket_ro")] == [0o600, 0o660]
        assert (tmp_path / "socket_ro").stat().st_gid == gid
        assert [listener.gids for listener in found] == [frozenset(), {gid}]
    with open_listeners(Held(), str(tmp_path), operate_gid=gid) as found:
        assert [mode_of(tmp_path / name) for name in ("socket", "socket_ro")] == [0o660, 0o600]
        assert [listener.gids for listener in found] == [{gid}, {gid}]


@pytest.mark.trio
async def test_one_xend_serves(tmp_path: Path) -> None:
    with open_listeners(Held(), str(tmp_path)):
        with pytest.raises(StartError, match="is served by another"), open_listeners(Held(), str(tmp_path)):
            pass
        assert (tmp_path / "socket").exists()


@pytest.mark.trio
async def test_a_socket_left_behind_is_replaced(tmp_path: Path, nursery: trio.Nursery) -> None:
    toy = Toy()
    with trio.socket.socket(trio.socket.AF_UNIX) as old:
        await old.bind(str(tmp_path / "socket"))
    with open_listeners(Held(), str(tmp_path)) as found:
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        assert (await (await connect(tmp_path / "socket")).ask(1, "hello"))[2] is None
        nursery.cancel_scope.cancel()


#: peer, its groups, the listener's groups, whether it may come in
PEERS = [
    (Peer(0, 0, 1), [], [], True),
    (Peer(os.geteuid(), 77, 1), [], [], True),
    (Peer(4001, 4001, 1), [], [], False),
    (Peer(4001, 4001, 1), [4001], [], False),
    (Peer(4001, 4001, 1), [4001, 50], [50], True),
    (Peer(4001, 4001, 1), [4001, 51], [50], False),
    (Peer(4001, 4001, 1), [4001, 51], [50, 51], True),
    (Peer(4001, 0, None), [4001], [50], False),
]


@pytest.mark.trio
@pytest.mark.parametrize(("peer", "groups", "gids", "may"), PEERS)
async def test_who_may_come_in(
    tmp_path: Path, peer: Peer, groups: list[int], gids: list[int], may: bool
) -> None:
    with open_listeners(Held(), str(tmp_path)) as found:
        mine = attrs.evolve(
            found[0], gids=frozenset(gids), peer_of=lambda _: peer, groups_of=lambda _: frozenset(groups)
        )
        stream = await trio.open_unix_socket(mine.path)
        async with stream:
            if may:
                assert await mine.peer(stream) == peer
                return
            with pytest.raises(XendError) as raised:
                await mine.peer(stream)
    assert raised.value.code == "not_permitted"
    assert str(raised.value).startswith(f"user 4001 may not use {tmp_path}/socket (root, ")


@pytest.mark.trio
async def test_who_is_refused_hears_why(tmp_path: Path, nursery: trio.Nursery) -> None:
    toy = Toy()
    peers = iter([Peer(4001, 4001, 1), Peer(0, 0, 1)])
    with open_listeners(Held(), str(tmp_path)) as found:
        found = [attrs.evolve(found[0], peer_of=lambda _: next(peers))]
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        stranger = await connect(tmp_path / "socket")
        kind, id, error, result = await stranger.receive()
        assert (kind, id, error["code"], result) == (1, 0, "not_permitted", None)
        assert await stranger.receive() is None
        assert toy.log == [f"refused: {XendError.from_map(error)}"]
        assert (await (await connect(tmp_path / "socket")).ask(1, "hello"))[2] is None
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_of_too_many_connections_some_wait(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nursery: trio.Nursery
) -> None:
    monkeypatch.setattr("xend.bus.server.CONNECTIONS_MAX", 2)
    toy = Toy()
    with open_listeners(Held(), str(tmp_path)) as found:
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        first, second, third = [await connect(tmp_path / "socket") for _ in range(3)]
        assert (await first.ask(1, "hello"))[2] is None
        assert (await second.ask(1, "hello"))[2] is None
        await third.send([0, 1, "hello", []])
        await trio.testing.wait_all_tasks_blocked()
        assert (await (await connect(tmp_path / "socket_ro")).ask(1, "hello"))[2] is None
        await first.stream.aclose()
        assert (await third.receive())[:3] == [1, 1, None]
        nursery.cancel_scope.cancel()


@pytest.mark.trio
async def test_a_peer_nobody_knows_is_refused(tmp_path: Path, nursery: trio.Nursery) -> None:
    def unknown(sock: object) -> Peer:
        raise OSError(95, "Operation not supported")

    toy = Toy()
    with open_listeners(Held(), str(tmp_path)) as found:
        found = [attrs.evolve(found[0], peer_of=unknown)]
        await nursery.start(serve, found, toy.methods(), toy.log.append)
        answer = await (await connect(tmp_path / "socket")).receive()
        assert answer[2]["code"] == "not_permitted"
        assert "nobody knows who connects" in answer[2]["message"]
        nursery.cancel_scope.cancel()
