"""A guest that talks to a daemon through a shared page, as a real one would.

The hypervisor's part, page and event channel, is played by files and sockets: see preload.c for Debian's
daemons, `xenstore.platform.sim` for this project's.
Layout of the page: xen/include/public/io/xs_wire.h (struct xenstore_domain_interface).
"""

import mmap
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

from tests.peers.wire import ANSWER_SECONDS, Connection

RING_SIZE = 1024
PAGE_SIZE = 4096
# Indices into the page as 32-bit words.
REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, ERROR = range(512, 519)

PORT_OF_VIRQ = 1
PORT_OF_DOMAIN = 16


class Guest(Connection):
    """Domain `domid`, alive from here on; its ring serves once someone INTRODUCEs the domain.

    Attributes:
        words: the shared page as 32-bit words.
    """

    def __init__(self, guests: Path, domid: int, timeout: float = ANSWER_SECONDS) -> None:
        super().__init__()
        self._guests = guests
        self._domid = domid
        self._files = guests / str(domid)
        self._files.mkdir()
        (self._files / "unique").write_text(str(time.monotonic_ns()))
        page = self._files / "store.page"
        page.write_bytes(bytes(PAGE_SIZE))
        with open(page, "r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE_SIZE)
        self.words = memoryview(self._page).cast("I")
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.settimeout(timeout)
        self._channel.bind(str(self._files / "store.channel"))

    def send_bytes(self, data: bytes) -> None:
        """`data` through the ring, waiting for room where it is full."""
        while data:
            self.wait(lambda: self._room() > 0)
            size = min(len(data), self._room())
            self.place(data[:size])
            self.fire()
            data = data[size:]

    def place(self, data: bytes) -> None:
        """`data` into the ring, which has room for it; the daemon is not told."""
        for at, byte in enumerate(data, self.words[REQ_PROD]):
            self._page[at % RING_SIZE] = byte
        self.words[REQ_PROD] = (self.words[REQ_PROD] + len(data)) & 0xFFFFFFFF

    def fire(self) -> None:
        """Tell the daemon to look at the ring."""
        self._fire(PORT_OF_DOMAIN + self._domid)

    def receive_bytes(self) -> bytes:
        self.wait(lambda: self.words[RSP_CONS] != self.words[RSP_PROD] or self.words[ERROR] != 0)
        if self.words[RSP_CONS] == self.words[RSP_PROD]:
            return b""  # the daemon serves this ring no longer
        at = self.words[RSP_CONS] % RING_SIZE
        size = min((self.words[RSP_PROD] - self.words[RSP_CONS]) & 0xFFFFFFFF, RING_SIZE - at)
        data = self._page[RING_SIZE + at : RING_SIZE + at + size]
        self.words[RSP_CONS] = (self.words[RSP_CONS] + size) & 0xFFFFFFFF
        self.fire()
        return data

    def shut_down(self) -> None:
        """The domain shuts down, and the hypervisor tells the daemon."""
        (self._files / "shutdown").touch()
        self._fire(PORT_OF_VIRQ)

    def close(self) -> None:
        """The domain dies without the hypervisor saying so."""
        self._channel.close()
        self.words.release()
        self._page.close()
        shutil.rmtree(self._files, ignore_errors=True)  # they are gone already after die()

    def die(self) -> None:
        """The domain dies, and the hypervisor tells the daemon."""
        self.close()
        self._fire(PORT_OF_VIRQ)

    def wait(self, condition: Callable[[], bool]) -> None:
        """Until the daemon has made `condition` true; each of its notifications is a reason to look again."""
        while not condition():
            self._channel.recv(1)

    def _room(self) -> int:
        return RING_SIZE - ((self.words[REQ_PROD] - self.words[REQ_CONS]) & 0xFFFFFFFF)

    def _fire(self, port: int) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
            daemon.sendto(port.to_bytes(4, "little"), str(self._guests / "store.channel"))
