"""What no table can say, because it happens while replies are unread, or by the clock."""

from tests.conformance.in_process import Hypervisor
from xenstore.store import Session, Store
from xenstore.wire import MessageType, pack

ASK = pack(MessageType.GET_DOMAIN_PATH, b"0\0")
ANSWER = pack(MessageType.GET_DOMAIN_PATH, b"/local/domain/0\0")


def store_with_domain(**quotas: int) -> tuple[Store, Session, Session]:
    """A store, a client of its socket, and domain 3, which has a home."""
    hypervisor = Hypervisor()
    hypervisor.domains.add(3)
    store = Store(
        quotas={name.replace("_", "-"): value for name, value in quotas.items()}, hypervisor=hypervisor
    )
    dom0, dom3 = store.connect(), store.connect_domain(3)
    ask(dom0, MessageType.MKDIR, b"/local/domain/3\0")
    ask(dom0, MessageType.SET_PERMS, b"/local/domain/3\0n3\0")
    return store, dom0, dom3


def ask(session: Session, type: int, payload: bytes, tx_id: int = 0) -> bytes:
    """One request; the payload of its reply."""
    session.feed(pack(type, payload, tx_id=tx_id))
    return session.take()[16:]


def test_a_domain_that_reads_no_replies_is_not_served_on() -> None:
    """XSA-326: the 21st request waits until a reply is read."""
    store, dom0, dom3 = store_with_domain()
    dom3.feed(ASK * 50)
    assert dom3.stalled
    assert store.usage(3)["outstanding"] == 20
    assert ask(dom0, MessageType.READ, b"/\0") == b""
    assert dom3.take() == ANSWER * 50
    assert store.usage(3)["outstanding"] == 0
    assert store.check() == []


def test_identical_events_collapse_while_nobody_reads_them() -> None:
    """XSA-326: what a domain does not read costs a bounded amount."""
    store, dom0, dom3 = store_with_domain()
    assert ask(dom3, MessageType.WATCH, b"t\0tok\0").startswith(b"OK\0")
    for _ in range(100):
        assert ask(dom0, MessageType.WRITE, b"/local/domain/3/t\0v") == b"OK\0"
    assert dom3.take() == pack(MessageType.WATCH_EVENT, b"t\0tok\0")
    assert store.check() == []


def test_events_that_a_domain_does_not_read_vanish() -> None:
    """XSA-326: after 20 seconds."""
    store, dom0, dom3 = store_with_domain()
    assert ask(dom3, MessageType.WATCH, b"t\0tok\0").startswith(b"OK\0")
    assert ask(dom0, MessageType.WRITE, b"/local/domain/3/t\0v") == b"OK\0"
    store.now += 19
    store.run_due()
    assert store.usage(3)["memory"] > 0
    store.now += 2
    store.run_due()
    assert dom3.take() == b""
    assert store.check() == []


def test_a_domain_over_its_memory_quota_waits() -> None:
    """XSA-326: unread replies count, and nothing is lost when they are read."""
    store, dom0, dom3 = store_with_domain(memory=20_000, outstanding=0)
    assert ask(dom0, MessageType.WRITE, b"/local/domain/3/t\0" + b"v" * 1000) == b"OK\0"
    request = pack(MessageType.READ, b"t\0")
    dom3.feed(request * 100)
    assert dom3.stalled
    assert store.usage(3)["memory"] < 20_000 + 2 * 1016
    assert dom3.take() == pack(MessageType.READ, b"v" * 1000) * 100
    assert store.check() == []


def test_memory_is_freed_when_replies_are_read() -> None:
    """XSA-416: what a request needed while it ran is not kept."""
    store, _, dom3 = store_with_domain()
    before = store.usage(3)["memory"]
    for n in range(1000):
        assert ask(dom3, MessageType.READ, b"missing/%d\0" % n) == b"ENOENT\0"
    assert store.usage(3)["memory"] == before


def test_a_domain_that_writes_in_a_loop_does_not_starve_a_transaction() -> None:
    """XSA-206: while dom0's transaction is open a domain's writes cost credits, and these run out."""
    store, dom0, dom3 = store_with_domain()
    assert ask(dom0, MessageType.TRANSACTION_START, b"\0") == b"1\0"
    dom3.feed(pack(MessageType.WRITE, b"t\0v") * 15)
    read = b""
    for _ in range(100):
        read += dom3.take()
        dom3.feed(pack(MessageType.WRITE, b"t\0v"))
    assert dom3.stalled
    assert read.count(b"OK\0") < 100
    assert ask(dom0, MessageType.TRANSACTION_END, b"T\0", tx_id=1) == b"OK\0"
    for _ in range(100):
        store.now += 0.1
        store.run_due()
        read += dom3.take()
    assert read.count(b"OK\0") == 115
    assert store.check() == []
