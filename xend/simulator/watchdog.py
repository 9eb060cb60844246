"""The watchdog timers of all domains: SCHEDOP_watchdog (xen/include/public/sched.h)."""

import errno
import math
from collections.abc import Callable
from typing import NamedTuple

import trio

from xend.hypervisor import WATCHDOG_TIMERS, HypervisorError
from xend.simulator.domain import Domain

_LONGEST_S = 0xFFFFFFFF


class _Timer(NamedTuple):
    domain: Domain
    number: int


class Watchdogs:
    """Those that are armed, each until it expires, is disarmed, or its domain ends.

    expired: called with the domain and the timer's number, from `run`.
    """

    def __init__(self, expired: Callable[[Domain, int], object]) -> None:
        self._expired = expired
        self._deadlines: dict[_Timer, float] = {}
        self._looking = trio.CancelScope()

    def set(self, domain: Domain, number: int, timeout_s: int) -> int:
        """As `Hypervisor.watchdog`, for any domain."""
        if not 0 <= timeout_s <= _LONGEST_S or (number == 0 and timeout_s == 0):
            raise HypervisorError(
                errno.EINVAL, f"a watchdog timer cannot be armed for {timeout_s} s: {_LONGEST_S} are the most"
            )
        timer = _Timer(domain, number) if number else self._free(domain)
        if number and timer not in self._deadlines:
            raise HypervisorError(errno.EINVAL, f"d{domain.domid} has no armed watchdog timer {number}")
        if timeout_s:
            self._deadlines[timer] = trio.current_time() + timeout_s
        else:
            del self._deadlines[timer]
        self._look()
        return timer.number

    def _free(self, domain: Domain) -> _Timer:
        for number in range(1, WATCHDOG_TIMERS + 1):
            if (timer := _Timer(domain, number)) not in self._deadlines:
                return timer
        raise HypervisorError(
            errno.ENOSPC, f"all {WATCHDOG_TIMERS} watchdog timers of d{domain.domid} are armed"
        )

    def forget(self, domain: Domain) -> None:
        """The domain has ended, and with it its timers."""
        for timer in [each for each in self._deadlines if each.domain is domain]:
            del self._deadlines[timer]

    async def run(self) -> None:
        """Serve the timers, until cancelled."""
        while True:
            with trio.CancelScope() as self._looking:
                self._look()
                await trio.sleep_forever()
            self._expire()

    def _look(self) -> None:
        self._looking.deadline = min(self._deadlines.values(), default=math.inf)

    def _expire(self) -> None:
        now = trio.current_time()
        for timer in [each for each, deadline in self._deadlines.items() if deadline <= now]:
            if self._deadlines.pop(timer, None) is not None:  # its domain may have ended by another
                self._expired(timer.domain, timer.number)
