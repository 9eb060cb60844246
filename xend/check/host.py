"""What a host says to a configuration: its files, its devices, its memory, and the other domains."""

import os
import stat
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from xend.check.names import guest_warnings, host_warnings
from xend.check.report import Report
from xend.config import DomainConfig
from xend.config.disk import DiskConfig
from xend.config.place import Place
from xend.config.problem import Problem
from xend.device.files import check_file
from xend.device.kinds import IN_ORDER
from xend.device.plug import check
from xend.disk import Identity
from xend.domain.ballooning import spare_kib
from xend.domain.blueprint import kernel_of
from xend.domain.booting import check_boot_loader
from xend.domain.capabilities import check_host
from xend.domain.claims import disks_of
from xend.domain.device_model import check_model
from xend.domain.labels import check_labels
from xend.domain.machine import check_machine
from xend.domain.makers import machine_parts, makers_of
from xend.domain.placing import places_of, pool_number
from xend.domain.registry import Domain
from xend.domain.serving import backend_domid
from xend.domain.sharing import check_disks, identity_of
from xend.domain.source import Source
from xend.domain.twins import twins_of
from xend.errors import XendError
from xend.host import Host
from xend.managed.configured import Configured
from xend.refusals import explained


@attrs.define(kw_only=True)
class HostCheck:
    """One configuration on one host; nothing is changed.

    Attributes:
        config: with the host's defaults, and addresses chosen.
        given: the same as the text alone has it: what it says nothing of was made up.
        others: what else is configured.
    """

    host: Host
    source: Source
    config: DomainConfig
    given: DomainConfig
    others: list[Configured]
    report: Report

    async def run(self) -> None:
        """Fill the report."""
        self.report.checked = "host"
        self._files()
        self._devices()
        await self._capabilities()
        self._disks()
        self._addresses()
        self._names()
        for warning in guest_warnings(self.config, self.source.file):
            self.report.warn(warning)
        for warning in host_warnings(self.config, self.source.file, self.host.settings.platform):
            self.report.warn(warning)

    # --- one after the other ------------------------------------------------------------------------------

    def _files(self) -> None:
        if self.config.boot_loader is not None:
            self.report.attempt(lambda: check_boot_loader(self.host, self.config))
            return
        for what, path in (("kernel", self.config.kernel), ("ramdisk", self.config.ramdisk)):
            if path is not None:
                where = self.host.settings.guest_file(path)
                self.report.attempt(lambda what=what, where=where: check_file(what, where))  # type: ignore[misc]

    def _devices(self) -> None:
        for maker in makers_of(self.config, self.host.settings):
            try:
                serving = backend_domid(self.host, maker.backend, maker.name)
            except XendError as error:
                self.report.warn(error)  # a driver domain may be up by the time
                continue
            self.report.attempt(
                lambda maker=maker, serving=serving: check(maker.make(0, backend_domid=serving))  # type: ignore[misc]
            )

    async def _capabilities(self) -> None:
        await self._attempt(self._check_memory)
        await self._attempt(self._check_machine)
        await self._attempt(lambda: pool_number(self.host, self.config))
        await self._attempt(lambda: check_labels(self.host, self.config))
        if not self.report.problems:
            await self._attempt(lambda: places_of(self.host, self.config))

    async def _check_memory(self) -> None:
        with explained("ask for the host", self.config.name):
            info = await self.host.hypervisor.host_info()
        whole = attrs.evolve(info, free_memory_kib=info.total_memory_kib)
        check_host(whole, self.config, kernel_of(self.host, self.config))
        there = info.free_memory_kib + await spare_kib(self.host, info)
        if self._running is None and self.config.memory_kib > there:
            needed, free = self.config.memory_kib >> 10, info.free_memory_kib >> 10
            self._warn(
                "memory", f"it needs {needed} MiB, {free} MiB are free now", "end a domain, or xl mem-set"
            )

    async def _check_machine(self) -> None:
        """Of an hvm domain."""
        with explained("ask for the host", self.config.name):
            info = await self.host.hypervisor.host_info()
        parts = machine_parts(self.config, self.host.settings, 0)
        check_machine(self.host, self.config, info, parts)
        await check_model(self.host, self.config, parts)
        for twin in await twins_of(self.host, self.config, parts):
            self.report.warn(twin)

    def _disks(self) -> None:
        """Each for itself, so that all that is in use is told; then all together: two may be one."""
        running = self._running
        uuid = self.source.uuid if running is None else running.uuid
        before = len(self.report.problems) + len(self.report.warnings)
        for disk in disks_of(self.config):
            identity = self.report.attempt(lambda disk=disk: identity_of(self.host, disk))  # type: ignore[misc]
            if identity is not None:
                self._warn_of_holes(disk)
                self._warn_of_writers(disk, identity)
                try:
                    check_disks(self.host, uuid, self.config.name, [disk])
                except XendError as error:
                    self.report.warn(error)  # who has it may have ended by the time
        if len(self.report.problems) + len(self.report.warnings) == before:
            self.report.attempt(lambda: check_disks(self.host, uuid, self.config.name, disks_of(self.config)))

    def _warn_of_holes(self, disk: DiskConfig) -> None:
        """A file that has not all its blocks: NetBSD's vnd(4) writes past the file system's end of room."""
        if self.host.settings.platform != "netbsd" or disk.backend != "0" or disk.target is None:
            return
        try:
            status = os.stat(self.host.settings.guest_file(disk.target))
        except OSError:
            return
        if stat.S_ISREG(status.st_mode) and status.st_blocks * 512 < status.st_size:
            self._warn(
                "disk",
                f"disk {disk.name}: {disk.target} is sparse, which vnd(4) does not bear: what the guest "
                "writes into a hole is lost once the file system is full",
                "cp makes a whole one: cp FILE FILE.new && mv FILE.new FILE",
            )

    def _warn_of_writers(self, disk: DiskConfig, identity: Identity) -> None:
        for other in self._others_down():
            for its in disks_of(other.config) if other.config else ():
                if "w!" in (disk.mode, its.mode) or not (disk.mode + its.mode).count("w"):
                    continue
                if (met := self._identity(its)) is not None and identity.relation(met):
                    verb = "writes to" if its.mode.startswith("w") else "reads"
                    text = f"disk {disk.name}: {disk.target} is one of {other.name} too, which {verb} it"
                    self._warn(
                        "disk", f"{text} as {its.name} ({other.path})", "they cannot run at the same time"
                    )

    def _identity(self, disk: DiskConfig) -> Identity | None:
        try:
            return identity_of(self.host, disk)
        except XendError:
            return None

    def _addresses(self) -> None:
        running = [each for each in self.host.domains.all() if each.name != self.config.name]
        users = [(each.config, f"which runs as domid {each.domid}") for each in running]
        users += [(each.config, f"configured in {each.path}") for each in self._others_down() if each.config]
        for kind in IN_ORDER:
            if kind.address is None:
                continue
            for device in self.given.of_kind(kind.name):
                address = getattr(device, kind.address.key)
                for config, where in users:
                    if address is None or config.name == self.config.name:
                        continue
                    if address in {getattr(each, kind.address.key) for each in config.of_kind(kind.name)}:
                        text = f"{kind.label(device.name)}: {kind.address.key} {address} is {config.name}'s"
                        self._warn(
                            kind.option, f"{text} too, {where}", "each needs its own, or none: one is made up"
                        )

    def _names(self) -> None:
        for other in self.others:
            if other.config is not None and other.config.name == self.config.name:
                text = f"{other.path} describes a domain called {self.config.name} too"
                self._warn("name", text, "only one of them can run")

    # --- what they share ----------------------------------------------------------------------------------

    @property
    def _running(self) -> Domain | None:
        """The domain of this name, which is taken for this configuration's."""
        return self.host.domains.by_name(self.config.name)

    def _others_down(self) -> list[Configured]:
        """What is configured for domains of other names, less those that run: these are known as such."""
        return [
            each
            for each in self.others
            if each.config is not None
            and each.name != self.config.name
            and self.host.domains.by_name(each.name) is None
        ]

    async def _attempt(self, look: Callable[[], Awaitable[Any]]) -> None:
        try:
            await look()
        except XendError as error:
            self.report.problem(error)

    def _warn(self, option: str, text: str, hint: str) -> None:
        self.report.warn(Problem.at(Place(self.source.file), text, option=option, hint=hint))
