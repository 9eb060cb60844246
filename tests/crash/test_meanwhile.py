"""What happens to domains while there is no daemon, and what a start with --fresh may do to them: the program
on simulated domains.  All cases in one process: tests/unit/journal/test_domains.py.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.crash.daemon import Daemons
from tests.peers.ring import ERROR, REQ_CONS, REQ_PROD, Guest
from tests.peers.wire import Wire
from xenstore.wire import MessageType

BAD_INDEX = 2


class Host:
    """A daemon and its domains 3 and 5, the first of which watches for the end of others."""

    def __init__(self, daemons: Daemons, stack: ExitStack) -> None:
        self.daemons = daemons
        assert daemons.start()
        self.watcher, self.other = (stack.enter_context(Guest(daemons.guests, domid)) for domid in (3, 5))
        with Wire(daemons.socket) as dom0:
            dom0.request(MessageType.SET_PERMS, b"@releaseDomain\0r0\0")
            for domid in (3, 5):
                home = b"/local/domain/%d\0" % domid
                dom0.request(MessageType.WRITE, home + b"here")
                dom0.request(MessageType.SET_PERMS, home + b"n%d\0" % domid)
                assert dom0.request(MessageType.INTRODUCE, b"%d\x001\x009\0" % domid).payload == b"OK\0"
        self.watcher.request(MessageType.WATCH, b"@releaseDomain\0t\0")
        self.watcher.drain()

    def told(self) -> list[bytes]:
        return [message.payload for message in self.watcher.drain()]

    def read(self, path: bytes) -> bytes:
        with Wire(self.daemons.socket) as dom0:
            return dom0.request(MessageType.READ, path + b"\0").payload


@pytest.fixture
def host(make: Callable[..., Daemons]) -> Iterator[Host]:
    with ExitStack() as stack:
        yield Host(make(), stack)


def test_a_domain_died(host: Host) -> None:
    host.daemons.kill()
    host.other.close()
    assert host.daemons.start()
    assert host.told() == [b"@releaseDomain\0t\0"]
    assert host.read(b"/local/domain/5") == b"ENOENT\0"
    assert host.read(b"/local/domain/3") == b"here"
    host.daemons.kill()
    assert host.daemons.start()
    assert host.told() == []
    host.daemons.check()


def test_another_one_has_its_number(host: Host) -> None:
    """Which is introduced at once, since the simulated host has a port ready for it, and has nothing yet."""
    host.daemons.kill()
    host.other.close()
    with Guest(host.daemons.guests, 5) as another:
        assert host.daemons.start()
        assert host.told() == [b"@releaseDomain\0t\0"]
        assert host.read(b"/local/domain/5") == b"ENOENT\0"
        assert another.request(MessageType.TRANSACTION_START, b"\0").payload == b"1\0"
        host.daemons.check()


def test_an_ignored_domain(host: Host) -> None:
    host.other.words[REQ_PROD] = (host.other.words[REQ_CONS] + 5000) & 0xFFFFFFFF
    host.other.fire()
    host.other.wait(lambda: host.other.words[ERROR] == BAD_INDEX)
    host.daemons.kill()
    host.other.words[ERROR] = 0
    assert host.daemons.start()
    assert host.other.words[ERROR] == BAD_INDEX
    assert host.told() == []
    host.other.die()
    host.watcher.wait(lambda: host.told() == [b"@releaseDomain\0t\0"])
    host.daemons.check()


def test_fresh_is_refused_while_domains_run(host: Host) -> None:
    host.daemons.kill()
    assert not host.daemons.start("--fresh")
    assert host.daemons.reap() == 1
    assert "--fresh would lose the store of domains that run (3, 5)" in host.daemons.said()
    assert "or add --force" in host.daemons.said()
    assert host.daemons.start()
    assert host.read(b"/local/domain/3") == b"here"
    host.daemons.kill()
    assert host.daemons.start("--fresh", "--force")
    assert host.read(b"/local/domain/3") == b"ENOENT\0"
    host.daemons.check()
