"""Rings as guests may fill them, well or badly: this project's daemon, and Debian's where they agree.

Source: xen/include/public/io/xs_wire.h; ring-and-boot.md 1; XSA-38, XSA-325, XSA-326.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import Daemon, start_c, start_o, start_ours
from tests.peers.ring import (
    CONNECTION,
    ERROR,
    FEATURES,
    REQ_CONS,
    REQ_PROD,
    RING_SIZE,
    RSP_CONS,
    RSP_PROD,
    Guest,
)
from tests.peers.wire import Message, Wire
from xenstore.wire import HEADER, MessageType, pack

ASK = pack(MessageType.GET_DOMAIN_PATH, b"3\0")
ANSWER = Message(MessageType.GET_DOMAIN_PATH, 0, 0, b"/local/domain/3\0")
BAD_INDEX = 2
TOO_LONG = 3

peer = pytest.mark.peer
ALL = [pytest.param(start_ours, id="ours"), pytest.param(start_c, id="c", marks=peer)]
ALL.append(pytest.param(start_o, id="o", marks=peer))


class Host:
    """A daemon, dom0, and the domains 3 and 5, introduced."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon
        self.dom0 = Wire(daemon.socket)
        self.guest, self.bystander = (self.introduced(domid) for domid in (3, 5))

    def introduced(self, domid: int) -> Guest:
        guest = Guest(self.daemon.guests, domid)
        self.introduce(domid)
        return guest

    def introduce(self, domid: int) -> None:
        assert self.dom0.request(MessageType.INTRODUCE, b"%d\x001\x009\0" % domid).payload == b"OK\0"

    def is_introduced(self, domid: int) -> bool:
        return self.dom0.request(MessageType.IS_DOMAIN_INTRODUCED, b"%d\0" % domid).payload == b"T\0"

    def bystanders_are_served(self) -> bool:
        self.bystander.send_bytes(ASK)
        return self.bystander.read() == ANSWER and self.dom0.drain() == []


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Host]:
    start: Callable[[Path], Daemon] = getattr(request, "param", start_ours)
    with start(tmp_path) as daemon:
        host = Host(daemon)
        with host.dom0, host.guest, host.bystander:
            yield host


on_all = pytest.mark.parametrize("host", ALL, indirect=True)
on_ours_and_c = pytest.mark.parametrize("host", ALL[:2], indirect=True)


@on_ours_and_c
def test_introducing_again_prepares_the_page(host: Host) -> None:
    host.guest.send_bytes(ASK)
    assert host.guest.read() == ANSWER
    host.guest.words[CONNECTION] = 1
    host.introduce(3)
    words = host.guest.words
    assert [words[index] for index in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, CONNECTION, ERROR)] == [0] * 6
    host.guest.send_bytes(ASK)
    assert host.guest.read() == ANSWER


def test_features_stand_in_the_page(host: Host) -> None:
    assert host.guest.words[FEATURES] == 15


@on_all
def test_a_full_ring_is_served(host: Host) -> None:
    """Exactly 1024 bytes between the indices are full, not wrong and not empty."""
    requests = ASK * 56 + pack(MessageType.RESET_WATCHES)
    assert len(requests) == RING_SIZE
    host.guest.place(requests)
    host.guest.fire()
    assert [host.guest.read() for _ in range(56)] == [ANSWER] * 56


@on_all
def test_messages_in_pieces_of_every_size(host: Host) -> None:
    """Pieces and messages straddle the end of the ring in every way."""
    dice = random.Random(1)
    stream = b"".join(pack(MessageType.GET_DOMAIN_PATH, b"3\0", req_id=n) for n in range(1500))
    sent = received = 0
    while received < 1500:
        size = dice.randrange(1, 200)
        host.guest.send_bytes(stream[sent : sent + size])
        sent += size
        while (received + 1) * 18 <= min(sent, len(stream)):
            assert host.guest.read() == ANSWER._replace(req_id=received)
            received += 1


@on_all
def test_long_messages_both_ways(host: Host) -> None:
    """Four rings full in one message."""
    assert host.dom0.request(MessageType.WRITE, b"/t\0" + b"v" * 2000).payload == b"OK\0"
    assert host.dom0.request(MessageType.SET_PERMS, b"/t\0b0\0").payload == b"OK\0"
    for n in range(30):
        value = bytes([n]) * 1990
        assert host.guest.request(MessageType.WRITE, b"/t\0" + value).payload == b"OK\0"
        assert host.guest.request(MessageType.READ, b"/t\0").payload == value
    assert host.bystanders_are_served()


@on_all
@pytest.mark.parametrize("distance", [RING_SIZE + 1, 5000, 1 << 31, (1 << 32) - 1])
def test_requests_that_cannot_be(host: Host, distance: int) -> None:
    """XSA-38: an index too far ends the service of that ring alone; its domain stays (XSA-325)."""
    host.guest.words[REQ_PROD] = (host.guest.words[REQ_CONS] + distance) % (1 << 32)
    host.guest.fire()
    assert host.bystanders_are_served()
    assert host.is_introduced(3)
    if host.daemon.name == "ours":
        assert host.guest.words[ERROR] == BAD_INDEX
    host.guest.die()
    host.dom0.drain()
    assert not host.is_introduced(3)


@on_all
@pytest.mark.parametrize("distance", [RING_SIZE + 1, 1 << 31])
def test_replies_that_cannot_have_been_read(host: Host, distance: int) -> None:
    """XSA-38: the same for the other direction."""
    host.guest.words[RSP_CONS] = (host.guest.words[RSP_PROD] - distance) % (1 << 32)
    host.guest.place(ASK)
    host.guest.fire()
    assert host.bystanders_are_served()
    assert host.is_introduced(3)
    if host.daemon.name == "ours":
        assert host.guest.words[ERROR] == BAD_INDEX


def test_the_daemons_own_indices_are_not_read_back(host: Host) -> None:
    """A guest that overwrites them harms nobody, not even itself for long."""
    for index in (REQ_CONS, RSP_PROD):
        at = host.guest.words[index]
        host.guest.words[index] = (at + 12345) % (1 << 32)
        host.guest.words[index] = at
    host.guest.place(ASK)
    host.guest.words[REQ_CONS] = 0xDEADBEEF
    host.guest.fire()
    assert host.guest.read() == ANSWER
    assert host.guest.words[REQ_CONS] == len(ASK)
    assert host.bystanders_are_served()


@on_ours_and_c
@pytest.mark.parametrize("size", [4097, 0x40000000, 0xFFFFFFFF])
def test_a_length_that_cannot_be(host: Host, size: int) -> None:
    """XSA-38, XSA-420: the ring is served no longer, its domain's death is still told (XSA-325)."""
    assert host.dom0.request(MessageType.WATCH, b"@releaseDomain\0out\0").payload == b"OK\0"
    host.dom0.drain()
    host.guest.send_bytes(HEADER.pack(MessageType.READ, 0, 0, size))
    assert host.bystanders_are_served()
    if host.daemon.name == "ours":
        assert host.guest.words[ERROR] == TOO_LONG
    assert host.is_introduced(3)
    host.guest.die()
    host.dom0.drain()
    assert not host.is_introduced(3)


@on_all
def test_a_guest_that_never_reads_is_not_served_on(host: Host) -> None:
    """XSA-326: its requests wait in its ring, and nobody else waits for it."""
    for _ in range(40):
        room = RING_SIZE - (host.guest.words[REQ_PROD] - host.guest.words[REQ_CONS])
        host.guest.place((ASK * 56)[: room // len(ASK) * len(ASK)])
        host.guest.fire()
        assert host.bystanders_are_served()
    assert host.guest.words[RSP_PROD] - host.guest.words[RSP_CONS] <= RING_SIZE
    if host.daemon.name == "ours":
        # The replies in the ring, 20 more outstanding, and the ring of requests itself.
        assert host.guest.words[REQ_PROD] <= 2 * RING_SIZE + 21 * len(ASK)
    sent = host.guest.words[REQ_PROD] // len(ASK)
    assert [host.guest.read() for _ in range(sent)] == [ANSWER] * sent


def test_reconnecting(host: Host) -> None:
    """A guest's new kernel (kexec) asks to start anew; what the old one had is dropped."""
    assert host.guest.request(MessageType.WATCH, b"t\0tok\0").payload == b"OK\0"
    assert len(host.guest.drain()) == 1
    host.guest.place(ASK[:7])  # the old kernel's unfinished request
    host.guest.words[CONNECTION] = 1
    host.guest.fire()
    host.guest.wait(lambda: host.guest.words[CONNECTION] == 0)
    assert [host.guest.words[index] for index in (REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD)] == [0] * 4
    assert host.dom0.request(MessageType.WRITE, b"/local/domain/3/t\0v").payload == b"OK\0"
    host.guest.send_bytes(ASK)
    assert host.guest.read() == ANSWER


@on_all
def test_a_page_that_is_all_ones(host: Host) -> None:
    """Whatever a guest writes, others are served."""
    for index in range(1024):
        host.guest.words[index] = 0xFFFFFFFF
    host.guest.fire()
    assert host.bystanders_are_served()


@on_all
@pytest.mark.parametrize("seed", range(5))
def test_a_page_of_noise(host: Host, seed: int) -> None:
    """Whatever a guest writes, others are served."""
    dice = random.Random(seed)
    for _ in range(50):
        host.guest.words[dice.choice((dice.randrange(1024), *range(512, 519)))] = dice.getrandbits(32)
        host.guest.fire()
    assert host.bystanders_are_served()
    assert host.daemon.alive
