"""The device models of this host: started, found again by the next xend, watched, and ended.

A record of each is a file of the directory that has their sockets, so that a xend that is killed at any
instant leaves none behind that the next one does not know.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import attrs
import trio

from xend.errors import XendError
from xend.model import log as logs
from xend.model.system import Order, Process, System
from xend.packing import pack, unpack
from xend.stored import NOT_STORED, stored_fields
from xend.validators import count, text_or_none, texts, typed
from xenstore.daemon import trusted
from xenstore.daemon.files import replace

__all__ = ["Model", "Models", "Place"]

#: How long one that is asked to end may take to write what it holds of images, and one that is killed, in
#: seconds.
END_SECONDS = 10.0
KILL_SECONDS = 5.0
#: How often it is looked how long the logs have become, in seconds.
LOOK_SECONDS = 2.0


@attrs.frozen
class Place:
    """Where things of a domain's device model lie."""

    directory: Path
    domid: int

    @property
    def record(self) -> Path:
        return self.directory / str(self.domid)

    @property
    def control(self) -> str:
        """The QMP socket that is xend's."""
        return os.fspath(self.directory / f"qmp-libxl-{self.domid}")

    @property
    def statistics(self) -> str:
        """That of programs which count what its disks do."""
        return os.fspath(self.directory / f"qmp-libxenstat-{self.domid}")

    @property
    def root(self) -> str:
        """All that it sees of the host's files."""
        return os.fspath(self.directory / f"qemu-root-{self.domid}")


@attrs.define(kw_only=True, eq=False)
class Model:
    """One device model.

    Attributes:
        pid, start: which process it is (xend.model.pids).
        uid: whom nobody else is but it; None: root, or a user that others are, too.
        is_shut_in: it has neither root's rights nor the host's files.
        has_tree: in their place it has what it needs to take further devices.
        sockets: what it makes for its devices.
        death: how it ended by itself; None: it runs.
        has_ended: set once its process has.
    """

    domid: int = attrs.field(validator=count)
    uuid: str = attrs.field(validator=typed(str))
    name: str = attrs.field(validator=typed(str))
    program: str = attrs.field(validator=typed(str))
    pid: int = attrs.field(validator=count)
    start: str = attrs.field(validator=typed(str))
    log: str = attrs.field(validator=typed(str))
    uid: int | None = attrs.field(default=None)
    is_shut_in: bool = attrs.field(validator=typed(bool))
    has_tree: bool = attrs.field(default=False, validator=typed(bool))
    sockets: list[str] = attrs.field(factory=list, validator=texts)
    death: str | None = attrs.field(default=None, validator=text_or_none)
    is_wanted: bool = attrs.field(default=True, metadata=NOT_STORED)
    has_ended: trio.Event = attrs.field(factory=trio.Event, metadata=NOT_STORED)

    @property
    def called(self) -> str:
        """What people call it: "the device model of NAME (qemu, pid 123)"."""
        return f"the device model of {self.name} ({os.path.basename(self.program)}, pid {self.pid})"

    def last_words(self) -> list[str]:
        """The last lines of its log."""
        return logs.tail_of(self.log)


class Models:
    """All of them.

    Args:
        on_death: awaited with one that has ended by itself.
        log: takes a line.
    """

    def __init__(
        self,
        system: System,
        directory: Path,
        on_death: Callable[[Model], Any],
        log: Callable[[str], object],
    ) -> None:
        self.system = system
        self._directory = directory
        self._on_death = on_death
        self._log = log
        self._by_domid: dict[int, tuple[Model, Process | None]] = {}
        self._nursery: trio.Nursery | None = None
        #: Set where there is one whose log may grow.
        self._begun = trio.Event()

    def __iter__(self) -> Iterator[Model]:
        return iter([model for model, _ in self._by_domid.values()])

    def get(self, domid: int) -> Model | None:
        """A domain's, whether it lives or has died."""
        found = self._by_domid.get(domid)
        return None if found is None else found[0]

    def has_died(self, domid: int) -> bool:
        """Whether a domain's devices wait in vain for theirs."""
        model = self.get(domid)
        return model is not None and model.has_ended.is_set()

    def place(self, domid: int) -> Place:
        """Where things of a domain's lie."""
        return Place(self._directory, domid)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Watch over all, those of the xend before this one included, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            trusted.make_directory(self._directory, 0o700)
            for name in sorted(os.listdir(self._directory)):
                if name.isdigit():
                    self._take_up(self._directory / name)
            task_status.started()
            try:
                await self._bound_logs()
            finally:
                with suppress(OSError):  # it is of use as long as there is one
                    self._directory.rmdir()

    async def start(self, model: Callable[[Process], Model], order: Order) -> Model:
        """Start one; its record is written before it becomes what it is to be.

        model: makes it of its process.

        Raises:
            XendError: internal.
        """
        try:
            process = await self.system.start(order)
        except OSError as error:
            raise XendError("internal", "the device model cannot be started", cause=str(error)) from error
        made = model(process)
        try:
            self._save(made)
        except BaseException:
            process.send(signal.SIGKILL)
            raise
        self._watch(made, process)
        await process.go()
        return made

    async def end(self, domid: int) -> None:
        """End a domain's and remove all of it; nothing happens if there is none.

        It is asked first, so that its images are whole.

        Raises:
            XendError: internal: it does not end, or something of it cannot be removed.
        """
        place = self.place(domid)
        found = self._by_domid.get(domid)
        if found is not None:
            model, process = found
            model.is_wanted = False
            if process is not None:
                await self._end_process(model, process)
            if model.uid is not None:
                await self.system.end_all_of(model.uid)
            self._remove(place, model.sockets)
        else:
            self._remove(place, [])
        self._by_domid.pop(domid, None)

    def put_name(self, model: Model, number: int, is_device: bool) -> None:
        """Have one that has a tree of its own see the name of one more set of descriptors there.

        Raises:
            OSError.
        """
        self.system.put_name(model.pid, model.start, number, is_device)

    async def _end_process(self, model: Model, process: Process) -> None:
        for number, seconds in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            if not model.has_ended.is_set():
                process.send(number)
                with trio.move_on_after(seconds):
                    await model.has_ended.wait()
        if not model.has_ended.is_set():
            raise XendError(
                "internal",
                f"{model.called} was killed and has not ended within {KILL_SECONDS:g} s",
                hint="the kernel may hold it, on a file server that does not answer: see ps",
            )

    def _remove(self, place: Place, sockets: list[str]) -> None:
        try:
            for path in (place.control, place.statistics, *sockets):
                with suppress(FileNotFoundError):
                    os.unlink(path)
            with suppress(FileNotFoundError):
                os.rmdir(place.root)
            place.record.unlink(missing_ok=True)
        except OSError as error:
            raise XendError(
                "internal", f"cannot remove {error.filename} of a device model", cause=error.strerror
            ) from error

    def _take_up(self, path: Path) -> None:
        """Go on with one of the xend before this one."""
        try:
            model = Model(**unpack(path.read_bytes()))
            if str(model.domid) != path.name:
                raise ValueError(f"it is of domain {model.domid}")
        except Exception as error:  # noqa: BLE001 - whatever stands in a file, xend starts
            self._log(f"{path}: cannot be used ({error!r}); the device model goes on unwatched")
            return
        process = None if model.death else self.system.find(model.pid, model.start)
        if process is not None:
            self._watch(model, process)
            return
        model.has_ended.set()
        self._by_domid[model.domid] = (model, None)
        if model.death is None:
            assert self._nursery is not None
            self._nursery.start_soon(self._died, model, None)

    def _watch(self, model: Model, process: Process) -> None:
        assert self._nursery is not None
        self._by_domid[model.domid] = (model, process)
        self._begun.set()
        self._nursery.start_soon(self._await_end, model, process)

    async def _await_end(self, model: Model, process: Process) -> None:
        status = await process.wait()
        model.has_ended.set()
        if model.is_wanted:
            await self._died(model, status)

    async def _died(self, model: Model, status: int | None) -> None:
        model.death = _how(status)
        try:
            self._save(model)
        except XendError as error:
            self._log(str(error))
        await self._on_death(model)

    async def _bound_logs(self) -> None:
        while True:
            if not self._by_domid:
                self._begun = trio.Event()
                await self._begun.wait()
            await trio.sleep(LOOK_SECONDS)
            for model in self:
                try:
                    logs.bounded(model.log)
                except OSError as error:
                    self._log(f"the log {model.log} cannot be kept short: {error.strerror}")

    def _save(self, model: Model) -> None:
        path = self.place(model.domid).record
        try:
            replace(path, pack(stored_fields(model)))
        except OSError as error:
            raise XendError("internal", f"cannot write {error.filename}", cause=error.strerror) from error


def _how(status: int | None) -> str:
    """How a process ended, for people."""
    if status is None:
        return "has ended"
    return f"was ended by signal {-status}" if status < 0 else f"has ended with exit status {status}"
