"""A domain's configuration from its text."""

import os.path
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import attrs

from xend.config import EVENTS, DiskConfig, DomainConfig, VifConfig
from xend.config.disk import parse_disk
from xend.config.grammar import parse_assignments, parse_words
from xend.config.listing import as_json
from xend.config.name import name_complaint
from xend.config.options import ACTIONS
from xend.config.place import Place, shown
from xend.config.settings import Settings
from xend.config.vif import parse_vif

__all__ = ["as_json", "parse"]

MAX_VCPUS = 128
MAX_MEMORY_MIB = 16 << 20  # what Xen itself manages on one host: 16 TiB
#: What start_info holds for the kernel's command line, without the NUL (xen/include/public/xen.h).
MAX_COMMAND_LINE_BYTES = 1023
_DEFAULT_MEMORY_MIB = 128  # xm's
#: Of autostart_delay: who waits longer than an hour has forgotten what for.
MAX_DELAY_SECONDS = 3600

_TYPES = ("pv", "pvh", "hvm")
_BUILDERS = {"generic": "pv", "linux": "pv", "hvm": "hvm"}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NO_UUID = "00000000-0000-0000-0000-000000000000"

_Device = TypeVar("_Device", DiskConfig, VifConfig)


def parse(
    text: str,
    *,
    source: str,
    name: str | None = None,
    extra: Sequence[str] = (),
    directory: str | None = None,
) -> DomainConfig:
    """The domain that a configuration describes.

    Args:
        text: the file's text, at most 1 MiB.
        source: the file's name, for errors.
        name: the domain's where the configuration has none: as xm did it, the file's name.
        extra: words of a command line, each a further line.
        directory: where kernel and ramdisk are, if they are not absolute; None: they must be.

    Raises:
        XendError: bad_config: "SOURCE:LINE: ..., expected ..."; unsupported: what this xend cannot do yet.
    """
    settings = Settings([*parse_assignments(text, source), *parse_words(extra)], source)
    vcpus, max_vcpus = _vcpus(settings)
    memory_mib, max_memory_mib = _memory_mib(settings)
    return DomainConfig(
        name=_name(settings, name),
        uuid=_uuid(settings),
        type=_type(settings),
        vcpus=vcpus,
        max_vcpus=max_vcpus,
        memory_kib=memory_mib * 1024,
        max_memory_kib=max_memory_mib * 1024,
        ramdisk=_path(settings, "ramdisk", directory),
        command_line=_command_line(settings),
        actions=_actions(settings),
        disks=_devices(settings, "disk", parse_disk, lambda disk: f"vdev {disk.vdev} (number {disk.devid})"),
        vifs=_devices(settings, "vif", parse_vif, lambda vif: f"devid {vif.devid}"),
        driver_domain=settings.boolean("driver_domain") or False,
        autostart_after=_autostart_after(settings),
        autostart_delay_s=settings.number("autostart_delay", 0, MAX_DELAY_SECONDS, "seconds") or 0,
        kernel=_kernel(settings, directory),  # last: errors that have a line come first
        given=settings.given(),
    )


def _name(settings: Settings, fallback: str | None) -> str:
    name = settings.text("name")
    if name is None:
        if fallback is None:
            raise settings.whole.error("there is no name, expected name = ...")
        if complaint := name_complaint(fallback):
            raise settings.whole.error(
                f"the file's name {shown(fallback)} cannot be the domain's: {complaint}",
                hint="add name = ... to the file",
            )
        return fallback
    if complaint := name_complaint(name):
        raise settings.error("name", complaint)
    return name


def _uuid(settings: Settings) -> str | None:
    uuid = settings.text("uuid")
    if uuid is None:
        return None
    uuid = uuid.lower()
    if not _UUID.fullmatch(uuid) or uuid == _NO_UUID:
        raise settings.error(
            "uuid", "expected hexadecimal digits in groups of 8-4-4-4-12, not all of them zero"
        )
    return uuid


def _type(settings: Settings) -> str:
    """The type, from xl's option or from xm's; so far there is one."""
    type_ = settings.choice("type", _TYPES)
    builder = settings.choice("builder", tuple(_BUILDERS))
    if type_ and builder and _BUILDERS[builder] != ("hvm" if type_ == "hvm" else "pv"):
        raise settings.error("builder", f"the type is {type_}, expected the builder of that type, or none")
    for option, value in (("type", type_), ("builder", builder)):
        if value in ("pvh", "hvm"):
            raise settings.error(
                option, "this xend builds paravirtual domains (pv) only so far", code="unsupported"
            )
    return "pv"


def _vcpus(settings: Settings) -> tuple[int, int]:
    vcpus = settings.number("vcpus", 1, MAX_VCPUS) or 1
    max_vcpus = settings.number("maxvcpus", 1, MAX_VCPUS) or vcpus
    if max_vcpus < vcpus:
        raise settings.error("maxvcpus", f"expected at least the {vcpus} of vcpus")
    return vcpus, max_vcpus


def _memory_mib(settings: Settings) -> tuple[int, int]:
    memory = settings.number("memory", 1, MAX_MEMORY_MIB, "MiB") or _DEFAULT_MEMORY_MIB
    max_memory = settings.number("maxmem", 1, MAX_MEMORY_MIB, "MiB") or memory
    if max_memory < memory:
        of_memory = "memory" if settings.value("memory") else "memory, which is not given"
        raise settings.error("maxmem", f"expected at least the {memory} MiB of {of_memory}")
    return memory, max_memory


def _kernel(settings: Settings, directory: str | None) -> str:
    kernel = _path(settings, "kernel", directory)
    if kernel is None:
        raise settings.whole.error("there is no kernel, expected kernel = ... (a file of dom0)")
    return kernel


def _path(settings: Settings, option: str, directory: str | None) -> str | None:
    """An absolute path; None: not given, or empty as xm had it."""
    path = settings.text(option)
    if not path:
        return None
    if not path.startswith("/"):
        if directory is None or not directory.startswith("/"):
            raise settings.error(option, "expected an absolute path")
        return os.path.join(directory, path)
    return path


def _command_line(settings: Settings) -> str:
    line, root, extra = (settings.text(option) for option in ("cmdline", "root", "extra"))
    if line is not None:
        for option in ("root", "extra"):
            if settings.value(option):
                raise settings.error(option, "cmdline is the whole command line; expected one or the other")
    else:
        line = " ".join(filter(None, [f"root={root}" if root else None, extra]))
    if len(line.encode()) > MAX_COMMAND_LINE_BYTES:
        last = next(option for option in ("cmdline", "extra", "root") if settings.value(option))
        raise settings.error(
            last,
            f"the command line has {len(line.encode())} bytes, expected at most {MAX_COMMAND_LINE_BYTES}",
        )
    return line


def _actions(settings: Settings) -> Mapping[str, str]:
    actions = {}
    for event, default in EVENTS.items():
        choices = ACTIONS if event == "soft_reset" else ACTIONS[:-1]
        actions[event] = settings.choice(f"on_{event}", choices) or default
    return actions


def _autostart_after(settings: Settings) -> Sequence[str]:
    """The domains that come before this one, each once."""
    names: list[str] = []
    for name, place in settings.items("autostart_after"):
        complaint = name_complaint(name)
        if complaint is None and name in names:
            complaint = "it is there already, expected each once"
        if complaint:
            raise place.error(f"autostart_after holds {shown(name)}: {complaint}")
        names.append(name)
    return tuple(names)


def _devices(
    settings: Settings,
    option: str,
    parse_one: Callable[[str, Place], _Device],
    described: Callable[[_Device], str],
) -> Sequence[_Device]:
    """The devices of a list, no two of them with the same number."""
    devices: dict[int, _Device] = {}
    for index, (specification, place) in enumerate(settings.items(option)):
        device = parse_one(specification, place)
        if device.devid is None:
            device = attrs.evolve(device, devid=index)  # as xl numbers vifs
        devid = device.devid
        assert devid is not None
        if devid in devices:
            raise place.error(
                f"{option} {shown(specification)}: {described(device)} is that of an earlier {option}, "
                "expected each once"
            )
        devices[devid] = device
    return tuple(devices.values())
