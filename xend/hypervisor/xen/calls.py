"""Calls to the hypervisor, as one release of it takes them.

Source: xen/include/public/xen.h for the numbers; `xend.hypervisor.xen.layouts` for the structures.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import trio

from xend.hypervisor.xen.layouts import DOMCTL, SYSCTL, Layout, Release
from xenstore.platform.hypercalls import PAGE_SIZE, Hypercalls
from xenstore.platform.mapping import Mapping

MEMORY_OP = 12
XEN_VERSION = 17
XSM_OP = 27
SCHED_OP = 29
EVENT_CHANNEL_OP = 32
PHYSDEV_OP = 33
HVM_OP = 34
SYSCTL_OP = 35
DOMCTL_OP = 36
HYPFS_OP = 42

#: The one command that gives a domid.
CREATEDOMAIN = 1

#: Where in the page of arguments what they point to begins, and how much there is; behind it is what the
#: mapping of frames uses (`xenstore.platform.devices`).
EXTRA_AT = 1024
EXTRA_SIZE = 2048
#: How much answers of many entries may have at a time without memory of their own.
ANSWER_SIZE = 16 * PAGE_SIZE


class Calls:
    """What raises OSError has the hypervisor's errno, as this system numbers it.

    Attributes:
        release: what the structures are like.
    """

    def __init__(self, hypercalls: Hypercalls, release: Release) -> None:
        self.release = release
        self._call = hypercalls
        self._answer: Mapping | None = None

    @property
    def extra(self) -> int:
        """The address of EXTRA_SIZE bytes to which arguments may point."""
        return self._call.page.address + EXTRA_AT

    def put(self, data: bytes) -> None:
        """Have the extra bytes begin with these."""
        assert len(data) <= EXTRA_SIZE
        _write(self._call.page, EXTRA_AT, data)

    def get(self, size: int, at: int = 0) -> bytes:
        """Some of the extra bytes."""
        return _read(self._call.page, EXTRA_AT + at, size)

    @contextmanager
    def answer(self, size: int) -> Iterator[Mapping]:
        """Memory for an answer of at least this size; that of small ones is kept for the next.

        Raises:
            Unavailable: there is no such memory.
        """
        if size <= ANSWER_SIZE:
            if self._answer is None:
                self._answer = self._call.allocate(ANSWER_SIZE)
            yield self._answer
            return
        memory = self._call.allocate(size)
        try:
            yield memory
        finally:
            memory.close()

    def domctl(self, command: int, domid: int, arguments: bytes = b"") -> bytes:
        """What the hypervisor left of the arguments of a command; raises OSError."""
        self._domctl(self._call.page, command, domid, arguments)
        return bytes(DOMCTL.unpack(self._call.page)["u"])

    def domctl_result(self, command: int, domid: int, arguments: bytes) -> int:
        """The result of a command that has one; raises OSError."""
        return self._domctl(self._call.page, command, domid, arguments)

    def create(self, arguments: bytes, domid: int) -> int:
        """XEN_DOMCTL_createdomain: the domid of the new domain; raises OSError."""
        self._domctl(self._call.page, CREATEDOMAIN, domid, arguments)
        return int(DOMCTL.unpack(self._call.page)["domain"])

    async def slow_domctl(self, command: int, domid: int) -> None:
        """A command that takes long, in a thread; it is done or was not begun, whatever is cancelled.

        Raises OSError.
        """
        page = self._call.allocate(PAGE_SIZE)
        try:
            await trio.to_thread.run_sync(self.patient_domctl, command, domid, page)
        finally:
            page.close()

    def patient_domctl(self, command: int, domid: int, page: Mapping | None = None) -> None:
        """A command that the hypervisor wants to be given again as long as it says EAGAIN; raises OSError."""
        while True:
            try:
                self._domctl(page or self._call.page, command, domid, b"")
            except BlockingIOError:
                continue
            return

    def sysctl(self, command: int, arguments: bytes = b"") -> bytes:
        """What the hypervisor left of the arguments of a command; raises OSError."""
        page = self._call.page
        _write(page, 0, SYSCTL.pack(cmd=command, interface_version=self.release.sysctl, u=arguments))
        self._call(SYSCTL_OP, page.address)
        return bytes(SYSCTL.unpack(page)["u"])

    def operation(self, call: int, command: int, layout: Layout, **values: int) -> dict[str, int]:
        """What the hypervisor left of the structure that a sub-command of a call takes; raises OSError."""
        page = self._call.page
        _write(page, 0, layout.pack(**values))
        self._call(call, command, page.address)
        return layout.unpack(page)

    def operation_result(self, call: int, command: int, layout: Layout, **values: int) -> int:
        """The result of a sub-command of a call; raises OSError."""
        page = self._call.page
        _write(page, 0, layout.pack(**values))
        return self._call(call, command, page.address)

    def call(self, number: int, *arguments: int) -> int:
        """The result of a call whose arguments are all numbers or addresses; raises OSError."""
        return self._call(number, *arguments)

    def version(self, command: int, size: int) -> bytes:
        """A part of what XEN_VERSION tells, in bytes of this size; raises OSError."""
        self.put(bytes(size))
        self._call(XEN_VERSION, command, self.extra)
        return self.get(size)

    def version_result(self, command: int, address: int = 0) -> int:
        """A number that XEN_VERSION tells; raises OSError."""
        return self._call(XEN_VERSION, command, address)

    def _domctl(self, page: Mapping, command: int, domid: int, arguments: bytes) -> int:
        version = self.release.domctl
        _write(page, 0, DOMCTL.pack(cmd=command, interface_version=version, domain=domid, u=arguments))
        return self._call(DOMCTL_OP, page.address)


def _write(memory: Mapping, at: int, data: bytes) -> None:
    with memoryview(memory) as view:
        view[at : at + len(data)] = data


def _read(memory: Mapping, at: int, size: int) -> bytes:
    with memoryview(memory) as view:
        return bytes(view[at : at + size])
