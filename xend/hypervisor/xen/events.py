"""The event channels of all consoles of this process: one descriptor, and one task that reads it.

One for all, and not one for each: NetBSD's can be waited for by poll(2) only, which takes a thread, and a
thread for each domain would be too many.
"""

import os
import select
from collections.abc import Callable

import trio

from xenstore.platform.devices import EventDevice


class Events:
    """Tells whom a port fires for.

    A port that fired is silent until `rearm`: a guest that notifies without end costs one call each time that
    its console is looked at, and no more.
    """

    def __init__(self, device: EventDevice) -> None:
        self._device = device
        self._listeners: dict[int, Callable[[], object]] = {}
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        self._ended.set()

    def bind(self, domid: int, remote_port: int, listener: Callable[[], object]) -> int:
        """A local port, connected to one that a domain left open; `listener` is called when it fires.

        Raises OSError.
        """
        port = self._device.bind_interdomain(domid, remote_port)
        self._listeners[port] = listener
        return port

    def unbind(self, port: int) -> None:
        """Close a local port; raises OSError."""
        del self._listeners[port]
        self._device.unbind(port)

    def rearm(self, port: int) -> None:
        """Let a port that fired fire again."""
        self._device.channels.unmask([port])

    def notify(self, port: int) -> None:
        """Make the other end fire; raises OSError."""
        self._device.channels.notify(port)

    async def serve(self) -> None:
        """Tell of events until cancelled, or `stop`; once."""
        self._ended = trio.Event()
        try:
            with self._scope:
                await trio.lowlevel.checkpoint()  # the device may be closed before this ever ran
                await (self._serve_by_poll() if self._device.poll_only else self._serve())
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Have `serve` return; returns when nothing waits for the device any more."""
        self._scope.cancel()
        await self._ended.wait()

    async def _serve(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._device.fileno())
            self._fire(self._device.channels.pending())

    async def _serve_by_poll(self) -> None:
        """By a thread, which a byte in a pipe ends."""
        reader, writer = os.pipe()
        token = trio.lowlevel.current_trio_token()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, self._poll, reader, token)
                try:
                    await trio.sleep_forever()
                finally:
                    os.write(writer, b"\0")
        finally:
            os.close(reader)
            os.close(writer)

    def _poll(self, stop: int, token: trio.lowlevel.TrioToken) -> None:
        poller = select.poll()
        for fd in (stop, self._device.fileno()):
            poller.register(fd, select.POLLIN)
        while True:
            ready = {fd for fd, _ in poller.poll()}
            if stop in ready:
                return
            # What was read is masked, so this does not go round and round before the task has seen it.
            token.run_sync_soon(self._fire, self._device.channels.pending())

    def _fire(self, ports: list[int] | None) -> None:
        """ports: those that fired; None: some were lost, so all may have."""
        for port in list(self._listeners) if ports is None else ports:
            listener = self._listeners.get(port)
            if listener is not None:
                listener()
