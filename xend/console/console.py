"""One domain's console: its ring on one side, log, pty and viewers on the other."""

from collections.abc import Callable
from contextlib import suppress

import trio

from xend.console.flood import FloodGate
from xend.console.ring import OUT_SIZE, ConsolePage
from xend.console.shown import RECENT_BYTES, Shown
from xend.console.terminal import Terminal
from xend.errors import XendError
from xend.hypervisor import ConsoleRing, HypervisorError

__all__ = ["INPUT_BYTES", "RECENT_BYTES", "Console"]

INPUT_BYTES = 16 * 1024  # typed and not yet taken by the guest; who types more waits


class Console(Shown):
    """Serves a ring as long as `run` runs."""

    def __init__(
        self,
        title: str,
        ring: ConsoleRing,
        terminal: Terminal | None,
        log_line: Callable[[str], object],
        *,
        keep_overflow: bool = False,
    ) -> None:
        """keep_overflow: rather let the guest wait for the pty's reader than lose what it says."""
        super().__init__(title, terminal, log_line)
        self._ring = ring
        self._page = ConsolePage(ring.page)
        self._keep_overflow = keep_overflow
        self._fault: str | None = None
        self._input = bytearray()
        self._typists = trio.lowlevel.ParkingLot()

    async def run(self) -> None:
        """Until `stop`."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._serve_terminal)
                    await self._listen()
                    await trio.sleep_forever()
        finally:
            self._close()

    def discard(self) -> None:
        """In place of `run`: let go of everything, the pty too."""
        self._close()
        if self.terminal is not None:
            self.terminal.pty.close()

    def move(self) -> None:
        """Carry what waits, both ways; never waits itself."""
        if self.ended.is_set() or self._fault is not None:
            return
        data = self._page.read(self._room())
        fed = self._feed()
        if data or fed:
            self._ring.notify()
        self._show(data)
        if self._page.fault is not None:
            self._break(self._page.fault)

    async def send(self, data: bytes) -> None:
        """Type: waits until all of it is among the bytes that the guest is to get.

        Raises:
            XendError: guest_died: the console ended; device_failed: it is broken.
        """
        await trio.lowlevel.checkpoint()
        while data:
            self._check()
            room = INPUT_BYTES - len(self._input)
            if room > 0:
                self._input += data[:room]
                data = data[room:]
                self.move()
            else:
                await self._typists.park()

    def _check(self) -> None:
        if self.ended.is_set():
            raise XendError("guest_died", f"the console of {self.title} has ended")
        if self._fault is not None:
            raise XendError("device_failed", f"the console of {self.title} is broken", cause=self._fault)

    async def _listen(self) -> None:
        gate = FloodGate()
        try:
            while self._fault is None:
                self.move()
                await self._ring.wait()
                pause = gate.pause_seconds(trio.current_time())
                if pause:
                    await trio.sleep(pause)
        except (HypervisorError, OSError) as error:
            self._break(f"its event channel failed: {error}")
        except trio.ClosedResourceError:
            self._break("its event channel was closed, which opening it elsewhere does")

    async def _typed(self, data: bytes) -> None:
        with suppress(XendError):  # nobody is there who could be told
            await self.send(data)

    def _shown(self) -> None:
        if self._keep_overflow:
            self.move()

    def _room(self) -> int:
        """How many bytes may be read just now."""
        if self._keep_overflow and self.terminal is not None and self.terminal.lost is None:
            return min(OUT_SIZE, self.terminal.backlog.room)
        return OUT_SIZE

    def _feed(self) -> int:
        """Give the guest what was typed, as far as its ring has room; returns how many bytes."""
        if not self._input:
            return 0
        count = self._page.write(bytes(self._input))
        if count:
            del self._input[:count]
            self._typists.unpark_all()
        return count

    def _break(self, fault: str) -> None:
        self._fault = fault
        self._input.clear()
        self._typists.unpark_all()
        self._log_line(f"console of {self.title}: {fault}; this console is served no more")
        self._show(b"\r\n[xend: %s; this console is served no more]\r\n" % fault.encode())

    def _close(self) -> None:
        self._keep_overflow = False
        self.move()  # its last words
        self._close_all()
        self._typists.unpark_all()
        self._page.close()
        self._ring.close()
