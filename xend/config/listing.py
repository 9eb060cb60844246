"""A configuration in libxl's JSON, as `xl list -l` and `xl create --dryrun` print it.

Keys and enumerations are those of libxl_types.idl (tools/libs/light); as there, what has its default value is
left out, and booleans that may be undecided are the texts "True" and "False".
"""

from typing import Any

from xend.config import EVENTS, DomainConfig
from xend.config.libxl import not_empty
from xend.device.kinds import IN_ORDER

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
            **not_empty(**_devices(config)),
            **{event: action for event, action in events.items() if action != _DEFAULT_ACTION},
        },
    }


def _create_info(config: DomainConfig) -> dict[str, Any]:
    return {
        "type": config.type,
        "name": config.name,
        **not_empty(uuid=config.uuid),
        "run_hotplug_scripts": "True",
        **not_empty(driver_domain="True" if config.driver_domain else None),
    }


def _build_info(config: DomainConfig) -> dict[str, Any]:
    return {
        "max_vcpus": config.max_vcpus,
        "avail_vcpus": list(range(config.vcpus)),
        "max_memkb": config.max_memory_kib,
        "target_memkb": config.memory_kib,
        **not_empty(kernel=config.kernel, cmdline=config.command_line, ramdisk=config.ramdisk),
        f"type.{config.type}": {},
    }


def _devices(config: DomainConfig) -> dict[str, Any]:
    return {
        kind.json_key: [kind.as_json(device) for device in config.of_kind(kind.name)] for kind in IN_ORDER
    }


def _action(action: str) -> str:
    return _ACTIONS.get(action, action.replace("-", "_"))
