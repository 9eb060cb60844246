"""A store with a journal in this process, which a test kills and starts again."""

import errno
import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store.client import Client, Hypervisor
from tests.unit.store.random_store import nodes_of
from xenstore.journal import segment
from xenstore.journal.files import Files
from xenstore.journal.writer import Journal
from xenstore.server.options import parse
from xenstore.server.recovery import open_journal
from xenstore.store import Store
from xenstore.wire import MessageType

#: More slices than any test's work takes.
SLICES_MAX = 100_000


class Place:
    """A run directory, and the store that is recorded in it.

    Attributes:
        log: what the administrator was told, over all lives.
        dom0: a client of the socket.
    """

    def __init__(self, rundir: Path) -> None:
        self.rundir = rundir
        self.files = Files(rundir / "journal")
        self.hypervisor = Hypervisor()
        self.log: list[str] = []
        self.start()

    def start(self, *options: str) -> None:
        """A store begins, as the journal says."""
        self.store = Store(hypervisor=self.hypervisor)
        self.store.log = self.log.append
        given = parse(["--rundir", str(self.rundir), *options], {})
        self.journal: Journal = open_journal(given, self.store, None, self.log.append)
        self.dom0 = Client(self.store.connect())

    def restart(self, *options: str) -> None:
        """The store ends, as by a kill, and another one goes on."""
        self.end()
        self.start(*options)

    def end(self) -> None:
        """Nobody does anything any more, the files are what they are."""
        release(self.journal, self.store)

    def work(self, slices: int = SLICES_MAX) -> int:
        """So many slices of the journal's work, or all there is; returns how many there were."""
        done = 0
        while self.store.has_work and done < slices:
            self.store.run_due()
            done += 1
        assert done < SLICES_MAX, "the work has no end"
        return done

    def guest(self, domid: int) -> Client:
        """The client of a domain that is introduced herewith, with a home of its own."""
        self.hypervisor.domids.add(domid)
        home = b"/local/domain/%d" % domid
        self.dom0.mkdir(home)
        self.dom0.set_perms(home, b"n%d" % domid)
        self.dom0.ask(MessageType.INTRODUCE, b"%d" % domid, b"1", b"9")
        return self.client_of(domid)

    def ring_of_dom0(self) -> Client:
        """The client that dom0's kernel is, on a ring of its own."""
        session = self.store.connect_domain(0)
        session.on_ring = True
        return Client(session)

    def client_of(self, domid: int) -> Client:
        session = self.store.session_of(domid)
        assert session is not None
        return Client(session)

    def state(self) -> tuple[bytes, Any]:
        """All nodes, and what the introduced domains' sessions hold, sealed; how much of their output was
        taken only the page of a ring knows."""
        self.store.seal_now()
        sessions = {}
        for domid, session in self.store.introduced.items():
            sessions[domid] = state = dict(session.export())
            state["output ends"] = state.pop("sent_bytes") + len(state.pop("output"))
            del state["message_left"]
        return nodes_of(self.store), sessions

    def names(self) -> list[str]:
        return sorted(os.listdir(self.files.directory), key=lambda name: (name[:1], len(name), name))

    def logs(self) -> list[str]:
        """Names of the segments of the log, in order."""
        return [name for name in self.names() if name.startswith("log.")]

    def size(self) -> int:
        """Bytes of all files of the journal."""
        return sum(path.stat().st_size for path in self.files.directory.iterdir())

    @property
    def recorded(self) -> int:
        """Bytes of frames since the start."""
        assert self.store.recorder is not None
        return self.store.recorder.written

    @property
    def images_written(self) -> int:
        """How many images there have been."""
        return max([0, *self.files.images()])

    def said(self, pattern: str) -> list[str]:
        return [line for line in self.log if re.search(pattern, line)]


def release(journal: Journal, store: Store) -> None:
    """Give back what the end of a process would: descriptors and maps; nothing is written or removed."""
    assert store.recorder is not None
    store.recorder.stop("killed")
    if journal._image is not None:
        journal._image.close()


def small_segments(monkeypatch: pytest.MonkeyPatch, size: int = 16384) -> None:
    """Segments so short that a test fills many."""
    monkeypatch.setattr(segment, "SEGMENT_BYTES", size)


class Disk:
    """What may be written to files from now on; the writer of this process has no other disk.

    Attributes:
        left: bytes that fit still, or None: no end of them.
        written: bytes written so far.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        self.written = 0
        self._write = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: Any) -> int:
        """What a file has already takes no room a second time."""
        if self.left is not None:
            here = os.fstat(fd).st_size - os.lseek(fd, 0, os.SEEK_CUR)
            if self.left == 0 and here <= 0 < len(data):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            data = memoryview(data)[: max(here, 0) + self.left]
            self.left -= max(0, len(data) - max(here, 0))
        self.written += len(data)
        return self._write(fd, data)
