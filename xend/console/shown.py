"""What shows a domain's console, whatever speaks there: its log, its pty, and those who look at it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import trio

from xend.console.backlog import Backlog
from xend.console.log import ConsoleLog
from xend.console.terminal import Terminal
from xend.console.viewer import Viewer

__all__ = ["RECENT_BYTES", "Shown"]

RECENT_BYTES = 64 * 1024  # of output kept for those who come later


class Shown(ABC):
    """A console as it is seen.

    Attributes:
        title: whose console, for people.
        log: where it is recorded, or None.
        terminal: its pty, or None.
        ended: set once all was said and everything but the pty let go.
    """

    def __init__(self, title: str, terminal: Terminal | None, log_line: Callable[[str], object]) -> None:
        self.title = title
        self.log: ConsoleLog | None = None
        self.terminal = terminal
        self.ended = trio.Event()
        self._log_line = log_line
        self._recent = Backlog(RECENT_BYTES)
        self._viewers: list[Viewer] = []
        self._scope = trio.CancelScope()

    @abstractmethod
    async def run(self) -> None:
        """Until `stop`."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Type: waits until all of it is taken, or kept for who takes it.

        Raises:
            XendError: guest_died, device_failed.
        """

    @abstractmethod
    def move(self) -> None:
        """Carry what waits, both ways; never waits itself."""

    def stop(self) -> None:
        """The domain is gone, or nobody should serve its console; `ended` follows."""
        self._scope.cancel()

    def attach(self, history: int) -> Viewer:
        """A new viewer, who gets up to `history` bytes of recent output first."""
        viewer = Viewer(self._recent.last(history), self.send, self._leave)
        self._viewers.append(viewer)
        return viewer

    @property
    def is_looked_at(self) -> bool:
        """Whether it has a viewer."""
        return bool(self._viewers)

    def take_over(self, viewers: Iterable[Viewer]) -> None:
        """Those who looked at another console of the domain look at this one from now on."""
        for viewer in viewers:
            viewer.move_to(self.send, self._leave)
            self._viewers.append(viewer)

    def give_viewers(self) -> list[Viewer]:
        """Those who look at it, who do so no longer."""
        viewers, self._viewers = self._viewers, []
        return viewers

    async def _serve_terminal(self) -> None:
        if self.terminal is None:
            return
        await self.terminal.run(self._typed, self._shown)
        why = self.terminal.lost.strerror if self.terminal.lost else "no reason given"
        self._log_line(f"console of {self.title}: its pty {self.terminal.pty.name} is lost: {why}")

    @abstractmethod
    async def _typed(self, data: bytes) -> None:
        """Somebody typed at the pty."""

    def _shown(self) -> None:  # noqa: B027 - most have nothing to do then
        """The pty has more room."""

    def _show(self, data: bytes) -> None:
        if not data:
            return
        if self.log is not None:
            self.log.write(data)
        self._recent.add(data)
        if self.terminal is not None:
            self.terminal.show(data)
        for viewer in self._viewers:
            viewer.put(data)

    def _leave(self, viewer: Viewer) -> None:
        if viewer in self._viewers:
            self._viewers.remove(viewer)

    def _close_all(self) -> None:
        """The end, for everybody but the pty's reader."""
        self.ended.set()
        for viewer in list(self._viewers):
            viewer.close()
        if self.log is not None:
            self.log.close()
