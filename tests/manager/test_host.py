"""The simulated host goes down, or is another one than xend remembers."""

import os
import shutil
import signal
import time

import trio

from tests.manager.daemon import PATIENCE_SECONDS
from tests.manager.place import Place
from xend.hypervisor import Blueprint
from xend.hypervisor.simulator import Simulator

OTHER = "00000000-0000-4000-8000-000000000002"


def test_a_lost_host_is_one_line_for_whoever_asks(place: Place) -> None:
    place.start()
    place.host.adopt()
    place.host.kill()
    done = place.tool("xl", "list")
    assert done.returncode == 1
    assert done.stderr.startswith("xl: cannot list domains: ")
    assert done.stderr.count("\n") == 1


def test_domains_that_went_with_their_host_are_reaped(place: Place) -> None:
    place.start()
    before = place.snapshot()
    place.create("one")
    start_host_again(place)
    place.start()
    await_no_record(place)
    place.settle()
    assert "one (domain 1) is gone" in place.log()
    assert place.snapshot() == before
    place.create("one")


def test_a_domain_that_has_the_domid_of_a_lost_one_is_left_alone(place: Place) -> None:
    place.start()
    place.create("one")
    start_host_again(place)
    assert trio.run(create_beside, place) == 1
    place.start()
    place.settle()
    assert "one (domain 1) is gone: domid 1 is another domain's now" in place.log()
    assert [each[2] for each in place.domains()[1:]] == [OTHER]
    assert os.listdir(place.top / "domains") == []
    place.create("two")


def start_host_again(place: Place) -> None:
    """xend dies, the host goes down with its store and comes up again; xend's files are still there."""
    place.xend.kill()
    place.host.adopt()
    place.host.stop(signal.SIGTERM)
    shutil.rmtree(place.top / "xenstored")
    place.host.start()


def await_no_record(place: Place) -> None:
    """Returns once xend remembers no domain: it looks at them only after it has begun to serve."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with place.client() as client:
        while os.listdir(place.top / "domains"):
            assert time.monotonic() < deadline, "it remembers a domain that is gone"
            client.operations()


async def create_beside(place: Place) -> int:
    """Somebody else than xend creates a domain."""
    async with Simulator.connect(place.top / "sim") as simulator:
        return await simulator.create(Blueprint(uuid=OTHER, max_vcpus=1, max_memory_kib=4096))
