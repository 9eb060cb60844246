"""Keeps one watchdog timer of the hypervisor from expiring."""

import errno
from collections.abc import Callable
from typing import Protocol

import trio

from xend.hypervisor import HypervisorError
from xend.watchdog.record import Record
from xenstore.daemon.start import StartError

#: How long a host may take to go down once it was ordered to, in seconds; as Xen's xenwatchdogd has it.
EXIT_TIMEOUT_S = 300
#: How long after a refusal it is tried again, in seconds.
RETRY_SECONDS = 1.0


class Timers(Protocol):
    """The part of a Hypervisor that is needed here."""

    async def watchdog(self, timer: int, timeout_s: int) -> int: ...


class WatchdogLost(Exception):
    """The timer could not be set for as long as it runs: it has expired, or is none of ours."""


class Keeper:
    """`arm` it, `keep` it until cancelled, `leave` it: disarmed, or armed on purpose.

    log: one line of what happens.
    """

    def __init__(
        self, timers: Timers, timeout_s: int, sleep_s: int, record: Record, log: Callable[[str], object]
    ) -> None:
        self._timers = timers
        self._timeout_s = timeout_s
        self._sleep_s = sleep_s
        self._record = record
        self._log = log
        self._timer = 0
        self._set_at = 0.0

    async def arm(self) -> None:
        """Have a timer run: the one that a predecessor left armed, else a new one.

        Raises:
            StartError: the hypervisor has none for us.
        """
        left = self._record.read()
        try:
            is_taken_over = left is not None and await self._take_over(left)
            if not is_taken_over:
                await self._arm_new()
        except HypervisorError as error:
            raise StartError(_refusal(error)) from error
        self._log(
            f"watchdog timer {self._timer}{', left armed by the daemon before,' if is_taken_over else ''} "
            f"expires {self._timeout_s} s after it was last set; it is set every {self._sleep_s} s"
        )

    async def _take_over(self, timer: int) -> bool:
        try:
            await self._set(timer)
        except HypervisorError as error:
            if error.errno != errno.EINVAL:
                raise
            return False  # it was disarmed since
        return True

    async def _arm_new(self) -> None:
        await self._set(0)
        try:
            self._record.write(self._timer)
        except OSError as error:
            self._log(
                f"{error.filename}: {error.strerror}; if this daemon is killed, the next one cannot "
                f"take timer {self._timer} over, and the host is reset"
            )

    async def _set(self, timer: int) -> None:
        # The hypervisor counts from somewhere within the call; no more time is left than from its beginning.
        began_at = trio.current_time()
        self._timer = await self._timers.watchdog(timer, self._timeout_s)
        self._set_at = began_at

    async def keep(self) -> None:
        """Set the timer again and again, until cancelled.

        Raises:
            WatchdogLost: it could not be set in time.
        """
        while True:
            due = self._set_at + self._sleep_s
            await trio.sleep_until(due)
            self._tell_if_late(trio.current_time() - due)
            await self._set_in_time()

    def _tell_if_late(self, late: float) -> None:
        spare = self._timeout_s - self._sleep_s
        if late > spare / 2:
            self._log(
                f"woken {late:.1f} s late, the host is reset at {spare} s: is it short of CPU or memory?"
            )

    async def _set_in_time(self) -> None:
        expires_at = self._set_at + self._timeout_s
        told = ""
        while True:
            try:
                await self._set_again()
            except HypervisorError as error:
                if trio.current_time() + RETRY_SECONDS >= expires_at:
                    raise WatchdogLost(
                        f"watchdog timer {self._timer} could not be set for {self._timeout_s} s: {error.text}"
                    ) from error
                if error.text != told:
                    told = error.text
                    self._log(f"watchdog timer {self._timer} cannot be set: {told}; trying again")
                await trio.sleep(RETRY_SECONDS)
            else:
                if told:
                    self._log(f"watchdog timer {self._timer} is set again")
                return

    async def _set_again(self) -> None:
        if not await self._take_over(self._timer):
            self._log(f"watchdog timer {self._timer} was disarmed by somebody else; arming another")
            await self._arm_new()

    async def leave(self, safely: bool) -> None:
        """End keeping it: safely, or with EXIT_TIMEOUT_S left for the host to go down.

        Raises:
            HypervisorError: it stays as it was last set.
        """
        if safely:
            await self._timers.watchdog(self._timer, 0)
            self._record.remove()
            self._log(f"watchdog timer {self._timer} is disarmed")
            return
        left_s = max(EXIT_TIMEOUT_S, self._timeout_s)
        await self._timers.watchdog(self._timer, left_s)
        self._log(
            f"watchdog timer {self._timer} stays armed: the host is reset in {left_s} s unless it is down by "
            f"then or xenwatchdogd runs again (SIGUSR1 or --safe-exit disarms it)"
        )

    def log_timer(self) -> None:
        """Log how the timer stands."""
        since = trio.current_time() - self._set_at
        self._log(
            f"watchdog timer {self._timer} was set {since:.1f} s ago and expires in "
            f"{self._timeout_s - since:.1f} s unless it is set again"
        )


def _refusal(error: HypervisorError) -> str:
    if error.errno == errno.ENOSPC:
        return (
            "both watchdog timers of this domain are armed: another watchdog daemon runs here, or one was "
            "killed and its timer is about to reset the host"
        )
    return error.text
