"""Notices that nobody reads standard output any more, while a program waits and writes nothing."""

from __future__ import annotations

import os
import select
import stat

from xenclient.cli.streams import ReaderGone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Reader:
    """Watches the other end of a descriptor while something else is waited for."""

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        # NetBSD's poll does not report the end of a pipe to who asks for nothing else. A pipe can be
        # asked for input too, as none ever comes from where we write; from a terminal or a socket it does.
        is_pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._events = select.POLLIN if is_pipe else 0

    def wait(self, descriptors: Iterable[int], seconds: float | None = None) -> set[int]:
        """Wait until one of the descriptors can be read or is at its end; returns those that are so.

        Raises:
            ReaderGone: nobody reads standard output any more.
        """
        poll = select.poll()
        for each in descriptors:
            poll.register(each, select.POLLIN)
        poll.register(self._descriptor, self._events)
        while True:
            ready = dict(poll.poll(None if seconds is None else seconds * 1000))
            found = ready.pop(self._descriptor, 0)
            if found & _GONE:
                raise ReaderGone
            if found:  # a pipe that is open for both, into which somebody has written
                self._events = 0
                poll.register(self._descriptor, 0)
            if ready or not found:
                return set(ready)
