"""The job `build`: memory, kernel, store and console pages of a domain that xend has created.

The order of calls and their arguments are libxl's (domain-build.md 1, steps 5 to 8), as Xen and its libraries
depend on both.
"""

import errno
import mmap
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from xend.helper import acpi, files, hvm_info, library_text, limits, memory_map
from xend.helper.session import Session
from xend.helper.settings import set_limits, set_policy
from xend.helper.steps import LibraryError, Refused, Steps

if TYPE_CHECKING:
    from types import ModuleType

    from xend._guest import Handle
    from xend._guest import Image as GuestImage
    from xend.hypervisor import Image, Machine

Firmware = tuple[mmap.mmap | None, mmap.mmap | None, mmap.mmap | None]

DOM0 = 0
#: What an emulated machine cannot do without, beside its graphics card's memory.
MACHINE_MIN_KIB = 4096
#: Of the hole below 4 GiB: as libxl has it, at least that for the pages of Xen and the firmware; less than
#: all but 16 MiB of memory.
HOLE_MIN_KIB, HOLE_MAX_KIB = 256 * 1024, 4080 * 1024
#: The longest command line of a paravirtual domain, in bytes; libxenguest cuts off the rest without a word
#: (MAX_GUEST_CMDLINE, xen/include/public/xen.h, counts the null byte).
PV_COMMAND_LINE_MAX = 1023
#: Linux takes its root pointer from the start information (xen/include/public/features.h).
LINUX_RSDP_UNRESTRICTED = 15


class _Build(NamedTuple):
    """One build.

    Attributes:
        guest: the module of Xen's libraries.
        facts: what texts of errors have, filled as it becomes known.
    """

    guest: "ModuleType"
    steps: Steps
    handle: "Handle"
    domid: int
    image: "Image"
    facts: dict[str, object]

    @property
    def is_hvm(self) -> bool:
        return self.image.blueprint.type != "pv"

    @property
    def video_kib(self) -> int:
        """What of its memory the device model takes later."""
        machine = self.image.machine
        return 0 if machine is None else machine.video_kib

    @property
    def pages(self) -> int:
        return pages_of(self.image.memory_kib - self.video_kib)

    @property
    def max_pages(self) -> int:
        return pages_of(self.image.blueprint.max_memory_kib - self.video_kib)

    def run(self) -> dict[str, Any]:
        self._look()
        with self.steps.at("files"):
            kernel = files.kernel(self.image.kernel)
            path = self.image.ramdisk
            ramdisk = files.ramdisk(path, self.image.memory_kib) if path else None
            firmware = self._firmware()
        size = len(kernel) + (len(ramdisk) if ramdisk is not None else 0)
        limits.for_memory(self.max_pages * 4096, size)
        with self.steps.at("kernel"):
            command_line = self.image.command_line.encode(errors="surrogateescape")
            built = self.guest.Image(self.handle, self.domid, command_line, self.is_hvm, files.UNPACKED_MAX)
        with closing(built):
            return self._build(built, kernel, ramdisk, firmware)

    def _firmware(self) -> "Firmware | None":
        """What hvmloader finds beside itself; None: this is no machine."""
        machine = self.image.machine
        if machine is None:
            return None
        paths = (machine.firmware, machine.acpi_tables, machine.smbios_tables)
        found = tuple(None if path is None else files.firmware(path) for path in paths)
        size_kib = sum(len(each) for each in found if each is not None) >> 10
        if self.image.memory_kib - machine.video_kib - size_kib < MACHINE_MIN_KIB:
            raise Refused(
                errno.ENOMEM,
                f"firmware of {size_kib} KiB and a graphics card with {machine.video_kib} KiB do not fit "
                f"{self.image.memory_kib} KiB of memory: give the domain more memory",
            )
        return cast("Firmware", found)

    def _look(self) -> None:
        """Refuse what cannot be built."""
        check(self.image)
        with self.steps.at("domain"):
            found = self.handle.domain(self.domid)
            self.facts["capabilities"] = self.handle.capabilities().decode(errors="replace").strip()
        if found is None:
            raise Refused(errno.ESRCH, f"there is no domain {self.domid}, or it is dying")
        is_hvm, pages = found
        if is_hvm != self.is_hvm:
            raise Refused(errno.EINVAL, f"domain {self.domid} was created as another type than {self._type}")
        if pages >= self.pages:
            raise Refused(errno.EEXIST, f"domain {self.domid} was built already")

    @property
    def _type(self) -> str:
        return self.image.blueprint.type

    def _build(
        self,
        built: "GuestImage",
        kernel: mmap.mmap,
        ramdisk: mmap.mmap | None,
        firmware: "Firmware | None",
    ) -> dict[str, Any]:
        at = self.steps.at
        with at("ports"):
            store_port = self.handle.event_channel(self.domid, DOM0)
            console_port = self.handle.event_channel(self.domid, DOM0)
        set_limits(self.steps, self.handle, self.domid, self.image)
        set_policy(self.steps, self.handle, self.domid, self.image)
        with at("kernel"):
            built.set_kernel(kernel)
            if ramdisk is not None:
                built.set_ramdisk(ramdisk)
            if firmware is not None:
                built.set_firmware(*firmware)
        with at("parse"):
            built.parse()
        with at("populate"):
            built.set_ports(store_port, console_port, self.image.blueprint.max_vcpus)
            built.set_memory(self.pages, self.max_pages, self._hole(), firmware is not None)
            built.populate()
        if firmware is not None:
            self._map(built, memory_map.of_machine(*built.memory_ends()))
        elif self.is_hvm:
            self._describe(built)
        with at("load"):
            built.load()
        with at("boot"):
            built.boot()
            if firmware is not None:
                self._tell_loader()
        with at("grants"):
            built.seed_grants()
            store_gfn, console_gfn = built.rings()
            self.handle.claim(self.domid, 0)  # what was claimed and not taken
        return {
            "store_gfn": store_gfn,
            "store_port": store_port,
            "console_gfn": console_gfn,
            "console_port": console_port,
            "tables": {} if firmware is None else tables_of(built),
        }

    def _hole(self) -> int:
        """Where its memory has its hole, up to 4 GiB."""
        machine = self.image.machine
        if machine is None:
            return memory_map.PVH_HOLE
        return memory_map.FOUR_GIB - machine.hole_kib * 1024

    def _tell_loader(self) -> None:
        """Put right what libxenguest tells hvmloader."""
        machine, blueprint = self.image.machine, self.image.blueprint
        assert machine is not None
        page, missing = self.handle.read(self.domid, [hvm_info.FRAME])
        if missing:
            raise Refused(errno.EIO, f"domain {self.domid} has no memory where hvmloader's table is to be")
        table = hvm_info.corrected(page, blueprint.max_vcpus, self.image.vcpus, machine.has_apic)
        self.handle.write(self.domid, hvm_info.FRAME, hvm_info.AT, table)

    def _map(self, built: "GuestImage", rows: Sequence[memory_map.Row]) -> None:
        """Tell it what its memory is like."""
        with self.steps.at("limits"):
            self.handle.set_memory_map(self.domid, rows)
        built.set_memory_map(rows)

    def _describe(self, built: "GuestImage") -> None:
        """Tables and map of the memory of a PVH domain."""
        data, xsdt = acpi.tables(self.image.blueprint.max_vcpus, self.image.vcpus, acpi.TABLES)
        finds_it = built.guest_os() != b"linux" or built.has_feature(LINUX_RSDP_UNRESTRICTED)
        after = acpi.TABLES + -(-len(data) // 4096) * 4096
        root = (acpi.root_pointer(xsdt), after if finds_it else acpi.LOW_ROOT_POINTER)
        for piece, address in (root, (data, acpi.TABLES)):
            built.add_acpi(piece, address)
        pieces = [(address, len(piece)) for piece, address in (root, (data, acpi.TABLES))]
        self._map(built, memory_map.of_pvh(*built.memory_ends(), pieces))


def run(session: Session, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Builds; returns the fields of `Rings`.

    Raises:
        Refused: as `Hypervisor.build` says.
    """
    image = image_of(arguments["image"])
    domid = arguments["domid"]
    facts: dict[str, object] = {
        "domid": domid,
        "kernel": image.kernel,
        "type": image.blueprint.type,
        "memory_kib": image.memory_kib,
        "unpacked_mib": files.UNPACKED_MAX // files.MIB,
        "capabilities": "",
    }
    try:
        handle = session.open()
        build = _Build(session.guest, session.steps, handle, domid, image, facts)
        try:
            return build.run()
        except BaseException:
            with suppress(OSError):
                handle.claim(domid, 0)
            raise
    except LibraryError as error:
        raise library_text.refused(error, facts) from error


def check(image: "Image") -> None:
    """Refuse what libxenguest would take and cut off, or end the process for.

    Raises:
        Refused: EINVAL.
    """
    blueprint = image.blueprint
    size = len(image.command_line.encode(errors="surrogateescape"))
    if "\0" in image.command_line:
        raise Refused(errno.EINVAL, "the kernel's command line has a null byte")
    if blueprint.type == "pv" and size > PV_COMMAND_LINE_MAX:
        raise Refused(
            errno.EINVAL,
            f"the kernel's command line has {size} bytes: a pv domain's has at most {PV_COMMAND_LINE_MAX}",
        )
    if blueprint.type != "pv" and blueprint.max_vcpus > acpi.VCPUS_MAX:
        raise Refused(errno.EINVAL, f"a {blueprint.type} domain has at most {acpi.VCPUS_MAX} vCPUs")
    if not 0 < image.memory_kib <= blueprint.max_memory_kib:
        raise Refused(
            errno.EINVAL,
            f"{image.memory_kib} KiB of memory, where the domain has at most {blueprint.max_memory_kib} KiB",
        )
    if (image.machine is None) == (blueprint.type == "hvm"):
        raise Refused(errno.EINVAL, f"a machine is what hvm domains have: this one is {blueprint.type}")
    if image.machine is not None:
        check_machine(image.machine, image.memory_kib)


def check_machine(machine: "Machine", memory_kib: int) -> None:
    """Raises: Refused: its memory is too little for its graphics card and firmware, or its hole none."""
    rest = memory_kib - machine.video_kib
    if machine.video_kib < 0 or rest < MACHINE_MIN_KIB:
        raise Refused(
            errno.ENOMEM,
            f"{memory_kib} KiB of memory, of which its graphics card has {machine.video_kib}: "
            f"{MACHINE_MIN_KIB} KiB are to be left",
        )
    if not HOLE_MIN_KIB <= machine.hole_kib <= HOLE_MAX_KIB:
        raise Refused(
            errno.EINVAL,
            f"a hole of {machine.hole_kib} KiB in its memory: from {HOLE_MIN_KIB} to {HOLE_MAX_KIB} is "
            "possible",
        )


def tables_of(built: "GuestImage") -> dict[str, tuple[int, int]]:
    """Where its further tables are; see `Rings.tables`."""
    return {name: found for name, found in zip(("acpi", "smbios"), built.tables(), strict=True) if found[1]}


def image_of(fields: Mapping[str, Any]) -> "Image":
    """What attrs.asdict made a mapping of, with the same attributes.

    It is no Image: attrs takes as long to import as all else of the helper, which nothing can begin without.
    """
    parts = ("blueprint", "machine")
    made = {name: SimpleNamespace(**fields[name]) for name in parts if fields[name] is not None}
    return cast("Image", SimpleNamespace(**{**fields, **made}))


def pages_of(kib: int) -> int:
    """Whole pages."""
    return -(-kib // 4)
