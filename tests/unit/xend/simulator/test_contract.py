"""Both forms of the simulated host are hypervisors."""

import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import trio

from tests.contract import Guest, check_hypervisor
from tests.unit.xend.simulator.process import HostProcess
from xend.hypervisor import DomainType, Hypervisor
from xend.hypervisor.simulator import Simulator
from xend.simulator import place
from xend.simulator.host import SimulatedHost
from xenstore.platform import sim

pytestmark = pytest.mark.trio
TYPES: tuple[DomainType, ...] = ("pv", "pvh", "hvm")


async def test_in_this_process(tmp_path: Path, autojump_clock: object) -> None:
    @asynccontextmanager
    async def maker() -> AsyncIterator[Hypervisor]:
        host = SimulatedHost(tmp_path / "host", random=random.Random(1))
        async with trio.open_nursery() as nursery:
            await nursery.start(host.run)
            yield host
            nursery.cancel_scope.cancel()
        host.power_off()
        assert host.faults == []

    await check_hypervisor(maker, Guest(types=TYPES))


async def test_as_a_process(host_process: HostProcess) -> None:
    host_process.start()

    def maker() -> AbstractAsyncContextManager[Hypervisor]:
        return Simulator.connect(host_process.directory)

    await check_hypervisor(maker, Guest(types=TYPES, other=maker))


async def test_the_store_looks_for_pages_and_ports_where_they_are() -> None:
    assert [place.DOMAIN_CHANGES, place.STORE_PORT, place.PAGE_SIZE] == [
        sim.DOMAIN_CHANGES,
        sim.STORE_PORT,
        sim.PAGE_SIZE,
    ]
