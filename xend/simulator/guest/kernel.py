"""The guest's kernel: boots, and handles one event of the store after the other until its machine ends."""

import itertools
from contextlib import suppress

import trio

from xend.simulator.backends import Drivers
from xend.simulator.guest.console import Console
from xend.simulator.guest.control import Control
from xend.simulator.guest.devices import Devices
from xend.simulator.guest.faults import Faults, parse
from xend.simulator.guest.frontend import Bus
from xend.simulator.guest.scripts import Scripts
from xend.simulator.guest.shell import Shell
from xend.simulator.inbox import Inbox
from xend.simulator.machine import CRASH, Machine
from xend.simulator.store_client import StoreClient, StoreError

#: The first grant reference and port that are not taken by store and console.
FIRST_GRANT, FIRST_PORT = 8, 8
#: How often a guest that floods begins anew, in seconds, and with how many requests.
FLOOD_SECONDS, FLOOD_REQUESTS = 0.01, 32


class Kernel:
    """One boot of a domain."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._inbox = Inbox()
        self._console = Console(machine.console_page, machine.console_channel, machine.gate)
        self._store = StoreClient(
            machine.store_page,
            machine.store_channel,
            machine.fire_store,
            self._inbox.put,
            machine.gate,
            self._count_request,
        )
        self._faults = Faults()
        self._requests = 0

    async def run(self) -> None:
        """Until cancelled, which the machine's shutdown does."""
        await self._machine.gate.passed()
        say = self._console.print
        if self._machine.is_restored:
            say(f"Restored after {trio.current_time() - self._machine.booted_at:.0f} s of life")
        else:
            say(f"Simulated kernel, {self._machine.vcpus} vCPUs, {self._machine.memory_kib()} KiB of memory")
            say(f"Command line: {self._machine.command_line}")
        try:
            self._faults = parse(self._machine.command_line)
        except ValueError as error:
            say(f"panic: the command line has an unknown word: {error}")
            self._machine.shutdown(CRASH)
            return
        if self._faults.watchdog_s and not self._machine.is_restored:
            self._machine.watchdog(0, self._faults.watchdog_s)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._store.run)
            name = await self._greet()
            control = self._make_control()
            if not self._faults.words & {"never-answer", "no-drivers"}:
                await control.attend()
            nursery.start_soon(Shell(self._machine, self._console, self._store, self._inbox, name).run)
            if "flood" in self._faults.words:
                self._machine.set_load(float(self._machine.vcpus))
                nursery.start_soon(self._flood)
            served = await self._serve_others()
            while True:
                path, token = await self._inbox.take()
                if not any([await each.handle(nursery, path, token) for each in served]):
                    await control.handle(path, token)

    async def _greet(self) -> str:
        """Say who this is; returns the domain's name."""
        domid, name, vm = await self._store.read_all(["domid", "name", "vm"])
        self._console.print(f"Domain {domid or '?'}, {name or 'without a name'}, {vm or 'no /vm'}")
        return name or "guest"

    def _make_control(self) -> Control:
        grants, ports = itertools.count(FIRST_GRANT), itertools.count(FIRST_PORT)
        bus = Bus(
            self._store,
            self._console.print,
            lambda: next(grants),
            lambda: next(ports),
            self._machine.random,
            "jump-states" in self._faults.words,
        )
        devices = Devices(bus)
        return Control(self._machine, self._store, devices, self._inbox, self._faults, self._console.print)

    async def _serve_others(self) -> list[Drivers | Scripts]:
        """What a driver domain has besides."""
        served: list[Drivers | Scripts] = []
        if self._faults.words & {"backends", "driver-domain"}:
            served.append(Drivers(self._store, self._machine.flavour))
        if "driver-domain" in self._faults.words:
            served.append(Scripts(self._store, self._machine.flavour, self._console.print))
        for each in served:
            await each.attend()
        return served

    async def _count_request(self) -> None:
        self._requests += 1
        for number, reason in self._faults.ends:
            if number == self._requests:
                self._console.print(f"store request {number}: the end, as the command line orders")
                self._machine.shutdown(reason)
                await trio.sleep_forever()

    async def _flood(self) -> None:
        while True:
            self._console.write("flood " * 400)
            with suppress(StoreError):
                await self._store.read_all(["name"] * FLOOD_REQUESTS)
                await self._store.write("data", "flood")
            await trio.sleep(FLOOD_SECONDS)
