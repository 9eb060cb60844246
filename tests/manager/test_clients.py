"""Clients that vanish, that ask twice, and that somebody else has written."""

import importlib.util
import os
import signal
import subprocess

import pytest

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import DOMAIN, Place, outcome
from tests.manager.raw import Raw
from tests.unit.xend.bus.test_foreign_client import foreign

VICTIM = DOMAIN.format(name="victim")


def test_an_operation_goes_on_without_its_client(place: Place) -> None:
    """xl create is killed while a script is slow."""
    place.start()
    slow = place.slow_script("vif-bridge")
    (place.top / "etc/victim").write_text(VICTIM)
    xl = subprocess.Popen(
        [place.program("xl"), "create", "victim"], env=place.environment, stderr=subprocess.DEVNULL
    )
    slow.await_start()
    xl.kill()
    xl.wait(PATIENCE_SECONDS)
    with place.client() as client:
        (running,) = client.operations()
        assert running["state"] == "running"
        assert running["waiting"]["for"] == f"{place.scripts}/vif-bridge to end (vif 0)"
        slow.go_on()
        assert outcome(client, running["operation"]) == "done"
        (domain,) = client.domains("victim")
    place.await_connected(domain["domid"])


def test_an_interrupted_xl_has_its_domain_undone(place: Place) -> None:
    place.start()
    before = place.snapshot()
    slow = place.slow_script("vif-bridge")
    (place.top / "etc/victim").write_text(VICTIM)
    xl = subprocess.Popen(
        [place.program("xl"), "create", "victim"], env=place.environment, stderr=subprocess.PIPE
    )
    slow.await_start()
    xl.send_signal(signal.SIGINT)
    _, errors = xl.communicate(timeout=PATIENCE_SECONDS)
    assert b"xl: interrupted; what was made is undone\n" in errors
    assert xl.returncode == 130
    assert place.snapshot() == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_save_has_its_domain_go_on(place: Place, number: signal.Signals) -> None:
    """Start scripts end xl by SIGTERM when they have waited long enough."""
    place.start()
    file = place.top / "saved"
    file.write_text("older")
    with place.client() as client:
        client.call("domain.create", text=VICTIM + 'extra = "sim=hang-shutdown"\n')
        xl = subprocess.Popen(
            [place.program("xl"), "save", "victim", str(file)],
            env=place.environment,
            stderr=subprocess.PIPE,
        )
        place.await_node("/local/domain/1/control/shutdown", b"suspend")
        xl.send_signal(number)
        _, errors = xl.communicate(timeout=PATIENCE_SECONDS)
        assert b"xl: interrupted; what was made is undone\n" in errors
        assert xl.returncode == 130
        (domain,) = client.domains("victim")
    assert (domain["state"], file.read_text()) == ("running", "older")


@pytest.mark.parametrize("words", [["events"], ["console", "victim"], ["list"], ["dmesg"]], ids=" ".join)
def test_xl_ends_with_who_reads_it(place: Place, words: list[str]) -> None:
    """As with `| head -0`: at once, though nothing more may come, and without a word."""
    place.start()
    place.create("victim")
    reading, writing = os.pipe()
    xl = subprocess.Popen(
        [place.program("xl"), *words],
        env=place.environment,
        stdin=subprocess.DEVNULL,
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    if words[0] == "console":
        assert os.read(reading, 1)  # it is attached
    os.close(reading)
    assert xl.communicate(timeout=PATIENCE_SECONDS)[1] == b""
    assert xl.returncode == 141


def test_a_key_finds_the_operation_again(place: Place) -> None:
    """Over a lost connection, while it runs and when it has ended; and in the next xend."""
    place.start()
    slow = place.slow_script("block")
    with Raw(place.socket) as lost:
        lost.send("domain.create", text=VICTIM, key="k")
        slow.await_start()
    with Raw(place.socket) as client, Raw(place.socket) as third:
        client.send("domain.create", text=VICTIM, key="k")
        third.send("domain.create", text=VICTIM, key="k", wait_for="accepted")
        accepted = third.answer()
        slow.go_on()
        answer = client.answer()
        client.send("domain.create", text=VICTIM, key="k")
        assert client.answer() == answer
    assert answer["operation"] == accepted["operation"]
    assert place.names() == [answer["name"]] == ["victim"]
    place.restart()
    with Raw(place.socket) as client:
        client.send("domain.create", text=VICTIM, key="k")
        assert client.answer() == answer
    assert place.names() == ["victim"]


def test_a_client_goes_on_with_the_next_xend(place: Place) -> None:
    """xend dies before it answers; the library asks the next one, which knows the operation by its key."""
    place.start(failpoint="domain.unpause:unpause")
    with place.client() as client:
        client.create(VICTIM, paused=True)
        with Raw(place.socket) as killer:
            killer.send("domain.unpause", domain="victim")
            killer.until_loss()
        place.xend.await_end()
        place.start()
        place.settle()
        assert [each["state"] for each in client.domains("victim")] == ["paused"]
        client.unpause("victim")
        (domain,) = client.domains("victim")
    place.await_connected(domain["domid"])


def test_a_client_of_another_author(place: Place) -> None:
    if importlib.util.find_spec("aio_msgpack_rpc") is None:
        assert not os.environ.get("XEND_REQUIRE_PEERS"), "pip install aio-msgpack-rpc"
        pytest.skip("needs aio-msgpack-rpc")
    place.start()
    domid = place.create("one")
    hello, domains = foreign(str(place.socket))
    assert (hello["server"], hello["protocol"], hello["access"]) == ("xend", 1, "operate")
    assert hello["hypervisor"] == f"simulated host in {place.top}/sim"
    assert {"hello", "domain.list", "domain.create", "events.subscribe"} <= set(hello["methods"])
    assert [(each["domid"], each["name"]) for each in domains] == [(0, "Domain-0"), (domid, "one")]
    assert [each["name"] for each in domains[1]["devices"]] == ["vbd 0x0", "vif 0"]
