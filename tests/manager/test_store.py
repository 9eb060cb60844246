"""A store of its own process beside xend, killed under both xend and a running domain."""

import pytest

from tests.manager.place import DOMAIN, Place, until
from tests.manager.store import xenstored


@pytest.fixture
def apart(place: Place) -> Place:
    """A place with a store in another process, in `others`, which xend is to use."""
    place.store_socket = place.top / "s/socket"
    place.environment["XENSTORED_PATH"] = str(place.store_socket)
    place.host.start()
    xenstored(place, f"sim:{place.top}/sim")
    return place


def test_the_store_is_killed_and_everything_goes_on(apart: Place) -> None:
    (store,) = apart.others
    apart.start(f"--store={apart.store_socket}")
    domid = apart.create("one")
    nodes, domains = apart.nodes(), apart.domains()
    with apart.client() as client, client.console("one") as console:
        until(console, b"one login: ")
        store.kill()
        store.start()
        console.write(b"me\nxenstore-read name\n")
        assert b"\r\none\r\n$ " in until(console, b"\r\none\r\n$ ")  # over its ring, which went on
        assert apart.nodes() == nodes
        assert apart.domains() == domains
        store.kill()
        store.start()
        other = apart.create("two")
        assert other > domid
        client.shutdown("one", wait=True)
        apart.await_node(f"/local/domain/{domid}", None)
        apart.settle()
        assert apart.names() == ["two"]
        client.destroy("two")
    assert apart.names() == []
    assert not [line for line in apart.nodes() if f"/{domid}/" in line or f"/{other}/" in line]


def test_the_store_is_killed_in_the_middle_of_an_operation(apart: Place) -> None:
    (store,) = apart.others
    apart.start(f"--store={apart.store_socket}")
    slow = apart.slow_script("block")
    with apart.client() as client:
        accepted = client.call("domain.create", text=DOMAIN.format(name="one"), wait_for="accepted")
        slow.await_start()
        store.kill()
        store.start()
        slow.go_on()
        assert client.operation_wait(accepted["operation"])["name"] == "one"
        (domain,) = client.domains("one")
    apart.await_connected(domain["domid"])


def test_the_store_is_killed_while_a_domain_is_saved_and_restored(apart: Place) -> None:
    """Both wait for it: the guest's answer is a node, and so is everything that makes it a domain again."""
    (store,) = apart.others
    apart.start(f"--store={apart.store_socket}")
    file = str(apart.top / "saved")
    with apart.client() as client:
        text = DOMAIN.format(name="one") + 'extra = "sim=suspend-late=3"\n'
        client.call("domain.create", text=text)
        accepted = client.call("domain.save", domain="one", file=file, wait_for="accepted")
        store.kill()
        store.start()
        assert client.operation_wait(accepted["operation"])["file"] == file
        assert apart.names() == []
        accepted = client.call("domain.restore", file=file, wait_for="accepted")
        store.kill()
        store.start()
        client.operation_wait(accepted["operation"])
        (domain,) = client.domains("one")
    apart.await_connected(domain["domid"])
