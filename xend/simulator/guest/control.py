"""What the toolstack asks of a guest through its control nodes and memory/target, and the answers."""

from collections.abc import Awaitable, Callable

import trio

from xend.simulator.guest.devices import Devices
from xend.simulator.guest.faults import Faults
from xend.simulator.guest.vcpus import CPUS, wanted
from xend.simulator.inbox import Inbox
from xend.simulator.machine import CRASH, POWEROFF, REBOOT, SUSPEND, Machine
from xend.simulator.store_client import StoreClient, StoreError
from xend.simulator.xenbus import XenbusState

#: How long a shutdown waits for the backends, in seconds.
CLOSE_SECONDS = 5.0
#: A guest does not give back what lies below this, in KiB.
LEAST_MEMORY_KIB = 8 * 1024

#: What control/shutdown asks for (toolstack.md 4).
SHUTDOWNS = {"poweroff": POWEROFF, "halt": POWEROFF, "reboot": REBOOT}
#: Letters of control/sysrq that end the domain, and what is said to the others.
SYSRQ = {"c": CRASH, "b": REBOOT, "o": POWEROFF}
SYSRQ_TEXTS = {"h": "b reboot, c crash, o poweroff, s sync, t tasks", "s": "synced", "t": "tasks: init, sh"}
#: What is watched, and the token.
WATCHED = {
    "control/shutdown": "shutdown",
    "control/sysrq": "sysrq",
    "memory/target": "target",
    CPUS: "cpu",
    "device": "device",
}


class Control:
    """say: prints a line on the console.  inbox: what is handled while a shutdown waits for backends."""

    def __init__(
        self,
        machine: Machine,
        store: StoreClient,
        devices: Devices,
        inbox: Inbox,
        faults: Faults,
        say: Callable[[str], None],
    ) -> None:
        self._machine = machine
        self._store = store
        self._devices = devices
        self._inbox = inbox
        self._faults = faults
        self._say = say
        self._is_ending = False

    async def attend(self) -> None:
        """Watch what the toolstack writes, tell it what it may ask for, and take on the devices there are."""
        for path, token in WATCHED.items():
            await self._attempt(self._store.watch(path, token), path)
        for what in ("poweroff", "reboot", "suspend"):
            if what == "suspend" and "ignore-suspend" in self._faults.words:
                continue
            path = f"control/feature-{what}"
            await self._attempt(self._store.write(path, "1"), path)
        await self._attempt(self._devices.changed("device"), "device")

    async def handle(self, path: str, token: str) -> None:
        """Answer one event."""
        if self._faults.slow_seconds:
            await trio.sleep(self._faults.slow_seconds)
        await self._attempt(self._answer(path, token), path)

    async def _answer(self, path: str, token: str) -> None:
        match token.split():
            case ["shutdown"]:
                await self._shutdown_asked()
            case ["sysrq"]:
                await self._sysrq_asked()
            case ["target"]:
                await self._balloon()
            case ["cpu"]:
                self._machine.set_online(await wanted(self._store, self._machine.max_vcpus))
            case ["device"]:
                await self._devices.changed(path)
            case ["backend", device]:
                await self._devices.backend_changed(device)
            case ["own", reason]:
                await self._shut_down(int(reason))

    async def _attempt(self, request: Awaitable[None], what: str) -> None:
        """A request whose refusal is a line on the console."""
        try:
            await request
        except StoreError as error:
            self._say(f"xenstore: {what}: {error.name}")

    async def _shutdown_asked(self) -> None:
        (asked,) = await self._store.read_all(["control/shutdown"])
        if not asked or "hang-shutdown" in self._faults.words:
            return
        if asked == "suspend" and "ignore-suspend" in self._faults.words:
            await self._store.remove("control/shutdown")  # as NetBSD's kernel does
            return
        await self._store.write("control/shutdown", "")
        if "ack-only" in self._faults.words:
            return
        if asked == "suspend":
            await self._suspend()
            return
        reason = SHUTDOWNS.get(asked)
        if reason is None:
            self._say(f"shutdown: {asked!r} is not known here")
            return
        self._say(f"The system is going down: {asked}")
        await self._shut_down(reason)

    async def _suspend(self) -> None:
        """Its devices stay as they are; it goes on once it is resumed."""
        if "crash-at-suspend" in self._faults.words:
            await self.end(CRASH)
        await trio.sleep(self._faults.suspend_late_seconds)
        self._machine.shutdown(SUSPEND)
        await self._machine.gate.passed()
        self._say("Resumed.")

    async def _shut_down(self, reason: int) -> None:
        if self._is_ending:
            return
        self._is_ending = True
        await self._close_devices()
        self._say("Goodbye.")
        await self.end(reason)

    async def end(self, reason: int) -> None:
        """Shut down at once; does not return."""
        self._machine.shutdown(reason)
        await trio.sleep_forever()

    async def _close_devices(self) -> None:
        """Close all, and wait for their backends a little."""
        for frontend in self._devices.all():
            if frontend.state in (XenbusState.INITIALISED, XenbusState.CONNECTED):
                await self._attempt(frontend.switch(XenbusState.CLOSING), frontend.name)
        with trio.move_on_after(CLOSE_SECONDS):
            while any(frontend.state == XenbusState.CLOSING for frontend in self._devices.all()):
                await self.handle(*await self._inbox.take())

    async def _sysrq_asked(self) -> None:
        (letter,) = await self._store.read_all(["control/sysrq"])
        if not letter:
            return
        await self._store.write("control/sysrq", "")
        self._say(f"sysrq: {SYSRQ_TEXTS.get(letter, letter)}")
        if letter in SYSRQ:
            await self.end(SYSRQ[letter])

    async def _balloon(self) -> None:
        (target,) = await self._store.read_all(["memory/target"])
        if "no-balloon" in self._faults.words or not (target and target.isascii() and target.isdigit()):
            return
        before = self._machine.memory_kib()
        now = self._machine.set_memory(max(int(target[:12]), min(LEAST_MEMORY_KIB, before)))
        if now != before:
            self._say(f"balloon: {before} KiB -> {now} KiB")
