"""The other side of a console's page, played by the test: a guest that keeps to the rules, or not."""

import struct

import trio

from xend.hypervisor import ConsoleRing

IN_SIZE, OUT_SIZE = 1024, 2048
OFFSETS = {"in_cons": 3072, "in_prod": 3076, "out_cons": 3080, "out_prod": 3084}


class GuestConsole(ConsoleRing):
    """Both ends of a console's page and event channel.

    Attributes:
        heard: how often dom0 notified the guest.
        closed: dom0 let go of the page.
        failure: what waiting for a notification raises from now on, see `fail`.
    """

    def __init__(self, start: int = 0) -> None:
        self.memory = bytearray(4096)
        self.page = self.memory
        self.heard = 0
        self.closed = False
        self.failure: Exception | None = None
        self._pending = False
        self._lot = trio.lowlevel.ParkingLot()
        for name in OFFSETS:
            self[name] = start

    def __getitem__(self, name: str) -> int:
        value: int = struct.unpack_from("=I", self.memory, OFFSETS[name])[0]
        return value

    def __setitem__(self, name: str, value: int) -> None:
        struct.pack_into("=I", self.memory, OFFSETS[name], value & 0xFFFFFFFF)

    # --- the guest -----------------------------------------------------------------------------------

    def put(self, data: bytes) -> int:
        """Write what fits, without a notification; returns how many bytes that were."""
        produced = self["out_prod"]
        data = data[: OUT_SIZE - ((produced - self["out_cons"]) & 0xFFFFFFFF)]
        for index, byte in enumerate(data):
            self.memory[1024 + (produced + index) % OUT_SIZE] = byte
        self["out_prod"] = produced + len(data)
        return len(data)

    def say(self, data: bytes) -> None:
        """Write something that fits, and notify."""
        assert self.put(data) == len(data)
        self.kick()

    def kick(self) -> None:
        """Notify dom0."""
        self._pending = True
        self._lot.unpark_all()

    def hear(self, limit: int = IN_SIZE) -> bytes:
        """Read what dom0 wrote, without a notification."""
        consumed = self["in_cons"]
        count = min((self["in_prod"] - consumed) & 0xFFFFFFFF, limit)
        data = bytes(self.memory[(consumed + index) % IN_SIZE] for index in range(count))
        self["in_cons"] = consumed + count
        return data

    # --- what dom0 has of it -------------------------------------------------------------------------

    def fail(self, failure: Exception) -> None:
        """The event channel works no more."""
        self.failure = failure
        self._lot.unpark_all()

    async def wait(self) -> None:
        while not self._pending and self.failure is None:
            await self._lot.park()
        if self.failure is not None:
            raise self.failure
        self._pending = False
        await trio.lowlevel.checkpoint()

    def notify(self) -> None:
        assert not self.closed
        self.heard += 1

    def close(self) -> None:
        self.closed = True
        # As munmap needs: nobody holds the buffer any more (resizing an exported bytearray fails).
        self.memory.append(0)
        del self.memory[-1]
