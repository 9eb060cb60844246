"""Memory is flat, however many clients and domains come, work and go."""

import gc
import os
import sys
from pathlib import Path

from tests.peers.daemons import start_ours
from tests.peers.process import rss_bytes
from tests.peers.wire import Wire
from tests.unit.store.client import Client, World
from xenstore.wire import MessageType

WARM_UP = 2_000
CYCLES = 10_000
DAEMON_CYCLES = 5_000

#: What may come and go beside the store: the allocator's arenas, tables that grow once.
BLOCKS_SLACK = 2_000
BYTES_SLACK = 2 << 20


def strings(*texts: bytes) -> bytes:
    return b"".join(text + b"\0" for text in texts)


def transact(client: Client, path: bytes, *, commit: bool) -> None:
    tx = client.start()
    client.write(path, b"value" * 20, tx)
    client.read(path, tx)
    client.end(tx, commit=commit)


def client_cycle(world: World, number: int) -> None:
    """A client of the socket that leaves in one of three ways, with events unread and a transaction open."""
    client = world.connect()
    for token in (b"t", b"u", b"v"):
        client.watch(b"/cycle/%d" % (number % 7), token)
    transact(client, b"/cycle/%d/leaf" % (number % 7), commit=number % 3 > 0)
    # Names recur, for the store keeps up to 16,384 of those it saw last.
    client.write(b"/cycle/name%d/a/b/c" % (number % 500), b"x" * 300)
    client.rm(b"/cycle/name%d" % (number % 500))
    tx = client.start()
    client.write(b"/cycle/open", b"", tx)
    client.session.feed(b"half a header"[: number % 10])
    client.session.close()


def guest_cycle(world: World, number: int) -> None:
    """A domain that is created, works, is introduced again half of the time, and dies."""
    domid = number % 5 + 1
    guest = world.guest(domid)
    guest.watch(b"data", b"token")
    guest.write(b"data/%d" % (number % 11), b"x" * 100)
    guest.set_perms(b"data", b"n%d" % domid, b"r0", b"b7")
    transact(guest, b"data/tx", commit=True)
    guest.start()
    if number % 2:
        guest = world.introduce(domid)
    guest.write(b"left", b"behind")
    world.wait(0.1)
    world.die(domid)


def cycle(world: World, count: int) -> None:
    for number in range(count):
        client_cycle(world, number)
        guest_cycle(world, number)
        world.store.take_touched()


def settled(world: World) -> int:
    """Blocks that Python has allocated, once all that was dismantled in slices is gone."""
    while world.store.seconds_to_next() == 0:
        world.store.run_due()
    gc.collect()
    return sys.getallocatedblocks()


def test_sessions_and_domains_leave_nothing() -> None:
    world = World()
    cycle(world, WARM_UP)
    blocks, resident = settled(world), rss_bytes(os.getpid())
    nodes = world.store.usage(0)
    cycle(world, CYCLES)
    assert settled(world) - blocks < BLOCKS_SLACK
    assert rss_bytes(os.getpid()) - resident < BYTES_SLACK
    assert world.store.usage(0) == nodes
    assert world.store.check() == []


def daemon_cycle(path: Path, number: int) -> None:
    with Wire(path) as wire:
        wire.request(MessageType.WATCH, strings(b"/cycle/%d" % (number % 7), b"t"))
        tx_id = int(wire.request(MessageType.TRANSACTION_START, b"\0").payload[:-1])
        wire.request(MessageType.WRITE, b"/cycle/%d/leaf\0" % (number % 7) + b"v" * 100, tx_id=tx_id)
        wire.request(MessageType.TRANSACTION_END, b"T\0", tx_id=tx_id)
        wire.request(MessageType.TRANSACTION_START, b"\0")
        wire.send(MessageType.READ, strings(b"/cycle"))
        wire.send_bytes(b"half a header"[: number % 10])


def test_the_daemon_grows_by_nothing(tmp_path: Path) -> None:
    with start_ours(tmp_path) as daemon:
        for number in range(DAEMON_CYCLES // 2):
            daemon_cycle(daemon.socket, number)
        before = daemon.rss
        for number in range(DAEMON_CYCLES):
            daemon_cycle(daemon.socket, number)
        assert daemon.rss - before < BYTES_SLACK
