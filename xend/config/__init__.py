"""What a domain is to be, as xl.cfg(5) says it: `parse` text into a `DomainConfig`.

Parsed, never executed; nothing here opens a file or asks the host anything.
"""

from collections.abc import Mapping, Sequence

import attrs

from xend.config.problem import Problem

__all__ = ["EVENTS", "DiskConfig", "DomainConfig", "VifConfig"]

#: What may happen to a domain, and what is done then unless the configuration says otherwise (xl).
EVENTS: Mapping[str, str] = {
    "poweroff": "destroy",
    "reboot": "restart",
    "crash": "destroy",
    "watchdog": "destroy",
    "soft_reset": "soft-reset",
}


@attrs.frozen(kw_only=True)
class DiskConfig:
    """A disk of the configuration.

    Attributes:
        target: path in dom0, absolute; None: an empty cdrom.
        vdev: as configured, without ioemu: ("xvda", "hda1", "0x0").
        devid: its number (toolstack.md 2.3).
        name: its name in the guest, "xvda", or the number as written where it stands for none.
        mode: "r", "w", or "w!" (writable though others use it).
        is_cdrom: a cdrom, removable.
        format: raw, qcow, qcow2, vhd, qed.
        backendtype: phy, qdisk, standalone, tap; None: to be chosen.
        script: file name in the script directory, or absolute; None: "block".
        backend: name or domid of the backend's domain; "0" by default.
        discard: None: as the backend likes.
        trusted: the frontend may trust the backend.
    """

    target: str | None
    vdev: str
    devid: int
    name: str
    mode: str = "w"
    is_cdrom: bool = False
    format: str = "raw"
    backendtype: str | None = None
    script: str | None = None
    backend: str = "0"
    direct_io_safe: bool = False
    discard: bool | None = None
    trusted: bool = True
    specification: str = "xen"


@attrs.frozen(kw_only=True)
class VifConfig:
    """A network interface of the configuration; None: not given.

    Attributes:
        mac: lower case, six pairs with colons.
        rate: (bytes per interval, interval in microseconds).
        type: "vif" or "ioemu".
    """

    mac: str | None = None
    bridge: str | None = None
    gatewaydev: str | None = None
    type: str = "vif"
    model: str | None = None
    vifname: str | None = None
    script: str | None = None
    ip: str | None = None
    backend: str = "0"
    rate: tuple[int, int] | None = None
    devid: int | None = None
    mtu: int | None = None
    vlan: str | None = None
    trusted: bool = True


@attrs.frozen(kw_only=True)
class DomainConfig:
    """A domain's configuration.

    Attributes:
        uuid: lower case, 8-4-4-4-12; None: to be made.
        memory_kib: at the start; max_memory_kib: at most (maxmem), not below memory_kib.
        command_line: cmdline, or root and extra as xl joins them ("root=... extra").
        actions: by event of EVENTS, one of config.options.ACTIONS.
        autostart_after: domains, by their names or those of their files, that are up before this one starts
            with the host; xend's own, as is autostart_delay_s.
        autostart_delay_s: how long what comes after it waits once it is up, in seconds.
        given: all options as they were assigned, name to value (text, number or list), for `xl list -l`.
        warnings: what is to be told to whoever made it, though it is no error.
    """

    name: str
    uuid: str | None = None
    type: str = "pv"
    vcpus: int = 1
    max_vcpus: int = 1
    memory_kib: int = 128 * 1024
    max_memory_kib: int = 128 * 1024
    kernel: str | None = None
    ramdisk: str | None = None
    command_line: str = ""
    actions: Mapping[str, str] = attrs.field(factory=lambda: dict(EVENTS))
    disks: Sequence[DiskConfig] = ()
    vifs: Sequence[VifConfig] = ()
    driver_domain: bool = False
    autostart_after: Sequence[str] = ()
    autostart_delay_s: int = 0
    given: Mapping[str, object] = attrs.field(factory=dict)
    warnings: Sequence[Problem] = attrs.field(default=(), eq=False)
