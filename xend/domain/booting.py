"""A domain's boot loader: what is checked before, its run, and what it leaves for the build."""

import os
import pwd
import stat

import attrs

from xend.bootloader.contract import Loader
from xend.bootloader.find import program_of
from xend.bootloader.order import Order, Report
from xend.bootloader.outcome import Outcome
from xend.bootloader.removal import remove_tree
from xend.bootloader.run import Tail
from xend.config import DomainConfig
from xend.config.boot import BootLoader
from xend.config.disk import DiskConfig
from xend.device.files import check_file, check_readable
from xend.device.vbd import VBD
from xend.errors import XendError
from xend.host import Host
from xend.operation.steps import Work
from xenstore.daemon import trusted

__all__ = ["booted", "check_files", "forget_all_files", "remove_files", "run_boot_loader"]

#: The user of a domain's boot loader, less its domid: none of the numbers that systems give to users, groups
#: of services or containers (systemd's UIDS-GIDS has 1879048192 to 2147483647 free).
FIRST_UID = 2_000_000_000
_PVGRUB = (
    "pvgrub reads it from inside of the guest: kernel = "
    '"/usr/lib/grub-xen/grub-x86_64-xen.bin", without bootloader (package grub-xen-host)'
)


def check_files(host: Host, config: DomainConfig) -> None:
    """See that a domain can have its kernel: from dom0, or by its boot loader.

    Raises:
        XendError: bad_image, bad_config, unsupported.
    """
    if config.boot_loader is not None:
        check_boot_loader(host, config)
        return
    for what, path in (("kernel", config.kernel), ("ramdisk", config.ramdisk)):
        if path is not None:
            check_file(what, host.settings.guest_file(path))


def check_boot_loader(host: Host, config: DomainConfig) -> None:
    """See that a configuration's boot loader can be run on its disk.

    Raises:
        XendError: bad_config, bad_image, unsupported.
    """
    assert config.boot_loader is not None
    program_of(config.boot_loader.program, host.settings.platform)
    _ids(config.boot_loader, 1)
    disk = disk_of(config)
    path = host.settings.guest_file(disk.target or "")
    check_readable("disk", path)
    mode = os.stat(path).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode) or stat.S_ISCHR(mode)):
        raise XendError("bad_image", f"disk {path}: expected a file or a device")


def disk_of(config: DomainConfig) -> DiskConfig:
    """The disk that a boot loader reads, the configuration's first, as libxl has it.

    Raises:
        XendError: bad_config: there is none; unsupported: one that no boot loader of dom0 can read as it is.
    """
    disks: list[DiskConfig] = list(config.of_kind(VBD.name))
    if not disks or disks[0].target is None:
        what = "its first disk is empty" if disks else "it has no disk"
        raise XendError("bad_config", f"bootloader reads a kernel from the first disk, and {what}")
    disk = disks[0]
    of_whom = f"disk {disk.name}: the boot loader reads the first disk itself, in dom0, and"
    if disk.format != "raw":
        raise XendError(
            "unsupported",
            f"{of_whom} cannot read the format {disk.format}",
            hint=f"qemu-img convert -O raw {disk.target} NEW makes a raw one; or {_PVGRUB}",
        )
    if disk.backend != "0":
        raise XendError("unsupported", f"{of_whom} this one is served by {disk.backend}", hint=_PVGRUB)
    if disk.script is not None and os.path.basename(disk.script) != "block":
        raise XendError("unsupported", f"{of_whom} this one is there by {disk.script} only", hint=_PVGRUB)
    return disk


async def run_boot_loader(host: Host, work: Work, config: DomainConfig, uuid: str, domid: int) -> Outcome:
    """What the domain is to boot, in files that `remove_files` takes away; its console shows the program.

    Raises:
        XendError: with what the program said last.
    """
    boot_loader = config.boot_loader
    assert boot_loader is not None
    path = host.settings.guest_file(disk_of(config).target or "")
    uid, gid = _ids(boot_loader, domid)
    loader = Loader(
        program=program_of(boot_loader.program, host.settings.platform),
        arguments=boot_loader.args,
        kernel=config.kernel,
        ramdisk=config.ramdisk,
        args=config.command_line,
        disk=path,
    )
    directory = _made_directory(host, uuid)
    is_own_user = boot_loader.user is None
    order = Order(loader=loader, uid=uid, gid=gid, is_own_user=is_own_user, directory=directory)
    tail, seconds = Tail(), host.settings.bootloader_seconds
    console = await host.consoles.serve_loader(domid, config.name)
    try:
        with work.waiting(f"its boot loader {loader.program} to end (xl console shows it)", seconds):
            report = await host.run_cell(order, console, tail)
    except XendError as error:
        raise error.annotated(script_output=tail.text(), hint=_hint_of(error)) from error
    return _judged(report, loader, tail)


def booted(config: DomainConfig, outcome: Outcome | None) -> DomainConfig:
    """The configuration with what its boot loader found in place of what it was told."""
    if outcome is None:
        return config
    return attrs.evolve(
        config, kernel=outcome.kernel, ramdisk=outcome.ramdisk, command_line=outcome.args, boot_loader=None
    )


def remove_files(host: Host, uuid: str) -> None:
    """What a boot loader left of a domain.

    Raises:
        XendError: internal: it is still there.
    """
    try:
        remove_tree(_directory(host, uuid))
    except OSError as error:
        raise XendError(
            "internal", "cannot remove what its boot loader left", cause=f"{error.filename}: {error.strerror}"
        ) from error


def forget_all_files(host: Host) -> None:
    """Those of the time of another xend: whatever needs one has its boot loader run again."""
    try:
        remove_tree(os.fspath(host.loader_directory))
    except OSError as error:
        host.log(f"cannot remove {error.filename}: {error.strerror}")


def _judged(report: Report, loader: Loader, tail: Tail) -> Outcome:
    """What it found.  Raises: XendError: it found nothing."""
    said = tail.text()
    last = said.splitlines()[-1].strip() if said else None
    if report.refused is not None:
        raise XendError(
            "unsupported",
            f"the boot loader {loader.program} was not run: it cannot be shut in",
            cause=report.refused if last is None else last,
            hint=f"xend runs it as another user, with a view of {loader.disk} alone; {_PVGRUB}",
        )
    if report.lie is not None:
        raise XendError("bad_image", f"the boot loader {loader.program}: {report.lie}", script_output=said)
    if report.outcome is None:
        status = report.status or 0
        how = f"was ended by signal {-status}" if status < 0 else f"exited with status {status}"
        raise XendError(
            "bad_image",
            f"the boot loader {loader.program} {how}: it found nothing to boot on {loader.disk}",
            cause=last or "it said nothing",
            script_output=said,
        )
    return report.outcome


def _hint_of(error: XendError) -> str | None:
    if "waited_s" not in error.fields:
        return None
    return 'its menu may wait for a key: give the guest\'s grub a timeout, or bootloader_args = ["-q"]'


def _ids(boot_loader: BootLoader, domid: int) -> tuple[int, int]:
    """User and group of the program.  Raises: XendError: bad_config."""
    if boot_loader.user is None:
        return FIRST_UID + domid, FIRST_UID + domid
    try:
        found = pwd.getpwnam(boot_loader.user)
    except KeyError:
        raise XendError(
            "bad_config",
            f'bootloader_user = "{boot_loader.user}": there is no such user',
            hint="without it xend takes a user that has nothing",
        ) from None
    if found.pw_uid == 0:
        raise XendError("bad_config", f'bootloader_user = "{boot_loader.user}": expected not root')
    return found.pw_uid, found.pw_gid


def _directory(host: Host, uuid: str) -> str:
    return os.fspath(host.loader_directory / uuid)


def _made_directory(host: Host, uuid: str) -> str:
    """An empty one."""
    remove_files(host, uuid)
    directory = _directory(host, uuid)
    try:
        trusted.make_directory(host.loader_directory, 0o711)
        os.mkdir(directory, 0o700)
    except OSError as error:
        raise XendError("internal", f"cannot make {directory}", cause=error.strerror) from error
    return directory
