"""The kernels that run on a simulated host: one for each domain, and dom0's."""

import random
import traceback
from collections.abc import Awaitable, Callable

import trio

from xend.simulator.backends import Dom0Kernel, Tuning
from xend.simulator.channel import Channel, Doorbell
from xend.simulator.description import Hardware
from xend.simulator.domain import BOOT_SECONDS, Domain
from xend.simulator.guest.kernel import Kernel
from xend.simulator.machine import CRASH, Machine
from xend.simulator.place import PAGE_SIZE, STORE_PORT, Place
from xend.simulator.traffic import Row
from xenstore.daemon.groups import first_error

Shutdown = Callable[[Domain, int], None]
Balloon = Callable[[Domain, int], int]
Watchdog = Callable[[Domain, int, int], int]


class Kernels:
    """Starts and serves them, in a nursery of its own.

    say: adds a line to the hypervisor's console.  shutdown: called when a guest shuts itself down.
    balloon: gives dom0 so much memory, as `Machine.set_memory` has it.

    Attributes:
        doorbell: fires the store's ports.
        errors: errors of the simulator's own, one line each.
    """

    def __init__(
        self,
        place: Place,
        hardware: Hardware,
        say: Callable[[str], None],
        shutdown: Shutdown,
        dom0: Domain,
        balloon: Balloon,
    ) -> None:
        self._say = say
        self._shutdown = shutdown
        self._flavour = hardware.flavour
        self.errors: list[str] = []
        self.doorbell = Doorbell(place.store_channel)
        self._waiting: list[tuple[Domain, Kernel]] = []
        self._nursery: trio.Nursery | None = None
        self._dom0 = self._make_dom0(place, hardware, dom0, balloon)

    def _make_dom0(self, place: Place, hardware: Hardware, dom0: Domain, balloon: Balloon) -> Dom0Kernel:
        """dom0's kernel on the page that is there already, if a store may have that mapped."""
        files = dom0.files
        has_store = self.doorbell.fire(STORE_PORT)
        begins_anew = has_store and (files.home / "store.page").exists()
        if not (files.home / "store.page").exists():
            files.create(1)
        page = files.store_page()
        if not begins_anew:
            page[:] = bytes(PAGE_SIZE)
        self._dom0_channel = Channel(files.store_channel, place.store_channel)
        return Dom0Kernel(
            page,
            self._dom0_channel,
            self._ring(0),
            hardware.flavour,
            hardware.backend_faults,
            begins_anew,
            Tuning(
                max_vcpus=dom0.max_vcpus,
                set_online=dom0.use,
                set_memory=lambda wanted_kib: hardware.dom0_balloons and balloon(dom0, wanted_kib),
            ),
        )

    def _ring(self, domid: int) -> Callable[[], object]:
        return lambda: self.doorbell.fire(STORE_PORT + domid)

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        async with trio.open_nursery() as self._nursery:
            self._nursery.start_soon(self.doorbell.retry)
            self._nursery.start_soon(self._guarded, "dom0's kernel", self._dom0.run)
            for domain, kernel in self._waiting:
                self._nursery.start_soon(self._run_guest, domain, kernel)
            task_status.started()
            await trio.sleep_forever()

    def start(self, domain: Domain, seed: int, balloon: Balloon, watchdog: Watchdog) -> None:
        """Boot a domain that was built."""
        run, image = domain.run, domain.image
        assert run is not None
        assert image is not None
        if domain.booted_at is None:
            domain.booted_at = trio.current_time()
            domain.cpu.spend(BOOT_SECONDS)
        kernel = Kernel(
            Machine(
                domid=domain.domid,
                command_line=image.command_line,
                vcpus=image.vcpus,
                max_vcpus=domain.max_vcpus,
                set_online=domain.use,
                gate=domain.gate,
                memory_kib=lambda: domain.memory_kib,
                set_memory=lambda wanted_kib: balloon(domain, wanted_kib),
                shutdown=lambda reason: self._shutdown(domain, reason),
                watchdog=lambda timer, timeout_s: watchdog(domain, timer, timeout_s),
                set_load=domain.cpu.set_load,
                store_page=run.store_page,
                store_channel=run.store_channel,
                fire_store=self._ring(domain.domid),
                console_page=run.console_page,
                console_channel=run.console_channel,
                random=random.Random(seed),
                booted_at=domain.booted_at,
                is_restored=domain.is_restored,
                flavour=self._flavour,
            )
        )
        if self._nursery is None:
            self._waiting.append((domain, kernel))
        else:
            self._nursery.start_soon(self._run_guest, domain, kernel)

    async def _run_guest(self, domain: Domain, kernel: Kernel) -> None:
        run = domain.run
        if run is None:
            return  # it ended before it began
        with run.scope:
            await self._guarded(f"d{domain.domid}", kernel.run)
            self._shutdown(domain, CRASH)

    async def _guarded(self, whose: str, run: Callable[[], Awaitable[None]]) -> None:
        """One kernel's trouble is not the others'."""
        try:
            await run()
        except* Exception as errors:  # noqa: BLE001 - one kernel's fault is not the others'
            line = f"{whose}: error of the simulator's own: {_described(errors)}"
            self.errors.append(line)
            self._say(line)

    def counted(self) -> list[Row]:
        """What dom0's backends have counted."""
        return self._dom0.counted()

    def close(self) -> None:
        """Nobody fires the store's ports any more."""
        self._dom0_channel.close()
        self.doorbell.close()


def _described(error: BaseException) -> str:
    """The first error of a group, and where it was raised."""
    error = first_error(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error!r} ({place.filename}:{place.lineno})"
