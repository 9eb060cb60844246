"""What is tested, and what its checks have in common."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import trio

from xend.hypervisor import (
    Blueprint,
    ConsoleRing,
    DomainInfo,
    DomainType,
    Hypervisor,
    HypervisorError,
    Image,
    Machine,
    Rings,
)
from xend.simulator.image import KERNEL

PATIENCE_SECONDS = 60.0
#: How often what a host does in its own time is looked at, in seconds.
LOOK_SECONDS = 0.05
OUT_PROD = 3084
Maker = Callable[[], AbstractAsyncContextManager[Hypervisor]]


@attrs.frozen(kw_only=True)
class Guest:
    """What is booted, and how far what is known of it goes.

    Attributes:
        kernel: a file that prints something on its console as it boots; None: what a simulated host takes.
        command_line: with which it does.
        memory_kib: enough for it, in whole MiB.
        types: those that the host can run, and the kernel with it.
        slack_kib: by how much figures of memory may be off: a hypervisor makes some pages for itself.
        boots_again: after a soft reset it begins anew.  A real kernel does so only where it has put another
            one into its memory before.
        needs_frames: a console's frame is looked at even where its grant leads to the page.
        other: another program that uses the same host; None: only this one can.
    """

    kernel: Path | None = None
    command_line: str = ""
    memory_kib: int = 16 * 1024
    types: tuple[DomainType, ...] = ("pv", "pvh")
    slack_kib: int = 0
    boots_again: bool = True
    needs_frames: bool = True
    other: Maker | None = None


class Bench:
    """A hypervisor under test, files to boot, and the type of the domains that are made."""

    def __init__(self, hypervisor: Hypervisor, place: Path, guest: Guest, type: DomainType) -> None:
        self.hypervisor = hypervisor
        self.place = place
        self.guest = guest
        self.type = type
        self.memory_kib = guest.memory_kib
        self.kernel = guest.kernel or place / "kernel"
        if guest.kernel is None:
            self.kernel.write_bytes(KERNEL)

    def blueprint(self, **more: Any) -> Blueprint:
        """Of a domain with two vCPUs, unless it is said otherwise."""
        fields = {"max_vcpus": 2, "max_memory_kib": self.memory_kib, "type": self.type}
        return Blueprint(**{"uuid": str(uuid.uuid4()), **fields, **more})

    def image(self, **more: Any) -> Image:
        """For a domain of such a blueprint."""
        fields: dict[str, Any] = {"kernel": str(self.kernel), "command_line": self.guest.command_line}
        if self.type == "hvm":
            fields["machine"] = Machine()
        return Image(**{"blueprint": self.blueprint(), "memory_kib": self.memory_kib, **fields, **more})

    async def create(self, **more: Any) -> int:
        return await self.hypervisor.create(self.blueprint(**more))

    async def built(self) -> tuple[int, Rings]:
        blueprint = self.blueprint()
        domid = await self.hypervisor.create(blueprint)
        await self.hypervisor.claim(domid, self.memory_kib)
        return domid, await self.hypervisor.build(domid, self.image(blueprint=blueprint))

    async def info(self, domid: int) -> DomainInfo:
        info = await self.hypervisor.domain(domid)
        assert info is not None
        assert [info.domid, info.uuid] == [domid, info.uuid.lower()]
        return info

    async def free_kib(self) -> int:
        return (await self.hypervisor.host_info()).free_memory_kib

    def is_about(self, found_kib: int, expected_kib: int) -> bool:
        """Whether a figure is what was expected, as exact as this host is."""
        return abs(found_kib - expected_kib) <= self.guest.slack_kib

    async def is_free(self, kib: int) -> None:
        """Returns once about so much is free: a hypervisor takes its time to clean pages."""
        with trio.fail_after(PATIENCE_SECONDS):
            while not self.is_about(await self.free_kib(), kib):
                await trio.sleep(LOOK_SECONDS)

    async def gone(self, domid: int) -> None:
        """Returns once a destroyed domain is gone."""
        with trio.fail_after(PATIENCE_SECONDS):
            while await self.hypervisor.domain(domid) is not None:
                await trio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def tidy(self) -> AsyncIterator[None]:
        """All domains that are made within are gone afterwards, and their memory is free."""
        before, free = await self.hypervisor.domains(), await self.free_kib()
        try:
            yield
        finally:  # of a real host's, one that fails would go on and on
            for info in await self.hypervisor.domains():
                if info.domid not in {each.domid for each in before}:
                    await self.hypervisor.destroy(info.domid)
        for info in await self.hypervisor.domains():
            if info.domid not in {each.domid for each in before}:
                await self.gone(info.domid)
        left = await self.hypervisor.domains()
        assert [info.domid for info in left] == [info.domid for info in before]
        await self.is_free(free)


@contextmanager
def refused(*errnos: int) -> Iterator[None]:
    """Within, the hypervisor refuses for one of these reasons, in one line."""
    with pytest.raises(HypervisorError) as caught:
        yield
    error = caught.value
    assert error.errno in errnos, f"{error.text}: errno {error.errno}, expected one of {errnos}"
    assert error.text
    assert "\n" not in error.text


def page(console: ConsoleRing) -> memoryview:
    return memoryview(cast(bytearray, console.page)).cast("B")


async def printed(console: ConsoleRing) -> None:
    """Returns once the domain has put something out, and notified."""
    with trio.fail_after(PATIENCE_SECONDS):
        await console.wait()
        while page(console)[OUT_PROD : OUT_PROD + 4] == bytes(4):
            await console.wait()
