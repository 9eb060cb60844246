"""A configuration in libxl's JSON, as `xl list -l` and `xl create --dryrun` print it.

Keys and enumerations are those of libxl_types.idl (tools/libs/light); as there, what has its default value is
left out, and booleans that may be undecided are the texts "True" and "False".
"""

from typing import Any

from xend.config import EVENTS, DiskConfig, DomainConfig, VifConfig

__all__ = ["as_json"]

_DEFAULT_ACTION = "destroy"
#: Where libxl's words are not the options'.
_ACTIONS = {"rename-restart": "restart_rename"}


def as_json(config: DomainConfig, domid: int | None) -> dict[str, Any]:
    """{"domid": domid, "config": what libxl would have made of the configuration}."""
    events = {f"on_{event}": _action(config.actions[event]) for event in EVENTS}
    return {
        "domid": domid,
        "config": {
            "c_info": _create_info(config),
            "b_info": _build_info(config),
            **_nonempty(
                disks=[_disk(disk) for disk in config.disks],
                nics=[_nic(vif) for vif in config.vifs],
            ),
            **{event: action for event, action in events.items() if action != _DEFAULT_ACTION},
        },
    }


def _create_info(config: DomainConfig) -> dict[str, Any]:
    return {
        "type": config.type,
        "name": config.name,
        **_nonempty(uuid=config.uuid),
        "run_hotplug_scripts": "True",
        **_nonempty(driver_domain="True" if config.driver_domain else None),
    }


def _build_info(config: DomainConfig) -> dict[str, Any]:
    return {
        "max_vcpus": config.max_vcpus,
        "avail_vcpus": list(range(config.vcpus)),
        "max_memkb": config.max_memory_kib,
        "target_memkb": config.memory_kib,
        **_nonempty(kernel=config.kernel, cmdline=config.command_line, ramdisk=config.ramdisk),
        f"type.{config.type}": {},
    }


def _disk(disk: DiskConfig) -> dict[str, Any]:
    return {
        **_nonempty(backend_domname=_domname(disk.backend), backend_domid=_domid(disk.backend)),
        "pdev_path": disk.target or "",
        "vdev": disk.vdev,
        **_nonempty(backend=disk.backendtype),
        "format": disk.format if disk.target is not None else "empty",
        **_nonempty(
            script=disk.script,
            removable=int(disk.is_cdrom),
            readwrite=int(disk.mode != "r"),
            is_cdrom=int(disk.is_cdrom),
            direct_io_safe=disk.direct_io_safe,
            discard_enable=None if disk.discard is None else str(disk.discard),
            trusted=None if disk.trusted else "False",
        ),
    }


def _nic(vif: VifConfig) -> dict[str, Any]:
    rate = vif.rate or (0, 0)
    return {
        **_nonempty(backend_domname=_domname(vif.backend), backend_domid=_domid(vif.backend)),
        "devid": vif.devid,
        **_nonempty(
            mtu=vif.mtu,
            model=vif.model,
            mac=vif.mac,
            ip=vif.ip,
            bridge=vif.bridge,
            ifname=vif.vifname,
            script=vif.script,
            nictype="vif_ioemu" if vif.type == "ioemu" else "vif",
            rate_bytes_per_interval=rate[0],
            rate_interval_usecs=rate[1],
            gatewaydev=vif.gatewaydev,
            trusted=None if vif.trusted else "False",
            vlan=vif.vlan,
        ),
    }


def _domname(backend: str) -> str | None:
    return None if backend.isdigit() else backend


def _domid(backend: str) -> int:
    return int(backend) if backend.isdigit() else 0


def _action(action: str) -> str:
    return _ACTIONS.get(action, action.replace("-", "_"))


def _nonempty(**values: Any) -> dict[str, Any]:
    """Without what libxl leaves out: nulls, zeros, empty texts and lists."""
    return {key: value for key, value in values.items() if value}
