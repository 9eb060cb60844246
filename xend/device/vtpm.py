"""Virtual TPMs: a guest's, served by a vTPM stub domain (guests.md 6).

xend writes the nodes of both ends and sees that the stub domain runs; no script has a part in it.
"""

import random
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config import libxl
from xend.config.called_by_number import CalledByNumber
from xend.config.fields import Fields
from xend.config.number import number_of
from xend.config.place import Place
from xend.config.problem import Problem
from xend.device.device import Device
from xend.device.kind import Address, DeviceKind
from xend.settings import Settings

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_KEYS = ("backend", "uuid")
#: The stub domain's kernel is the same on every dom0.
_DRIVER = "tpmback (of a vTPM stub domain)"


@attrs.frozen(kw_only=True)
class VtpmConfig(CalledByNumber):
    """A virtual TPM of the configuration.

    Attributes:
        backend: name or domid of the vTPM stub domain.
        uuid: what the vTPM manager knows it by, lower case; None: not given.
        devid: its number; None: not chosen yet.
    """

    backend: str
    uuid: str | None = None


def parse_vtpm(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> VtpmConfig:
    """The TPM that a specification means: `backend=DOM,uuid=U`, one text or the words of one.

    Raises:
        ConfigError: bad_config: no backend, another key, or what is no UUID.
    """
    fields = Fields("vtpm", specification, place)
    fields.fill(_KEYS)
    if not fields.get("backend"):  # dom0 serves none, so that it is no default
        raise fields.error("it has no backend, expected backend=DOM, a vTPM stub domain")
    return VtpmConfig(backend=fields.domain("backend"), uuid=_uuid(fields))


def _uuid(fields: Fields) -> str | None:
    """In lower case; None: not given, or all zeros, for which one is made up, as by libxl."""
    given = fields.get("uuid")
    if given is not None and not _UUID.fullmatch(given):
        raise fields.wrong("uuid", "hexadecimal digits in groups of 8-4-4-4-12")
    return given.lower() if given is not None and given.strip("0-") else None


def vtpm_device(domid: int, config: VtpmConfig, settings: Settings, *, backend_domid: int = 0) -> Device:
    """The device of a configuration whose uuid and devid are known; its backend is in `backend_domid`."""
    assert config.devid is not None
    assert config.uuid is not None
    handle = str(config.devid)
    return Device(
        kind=VTPM.name,
        domid=domid,
        devid=config.devid,
        backend_domid=backend_domid,
        name=VTPM.label(config.name),
        frontend={"backend-id": str(backend_domid), "state": "1", "handle": handle},
        backend={
            "frontend-id": str(domid),
            "online": "1",
            "state": "1",
            "handle": handle,
            "uuid": config.uuid,
            "resume": "False",
        },
        script=None,
    )


def random_uuid(chance: random.Random) -> str:
    """A UUID of version 4."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _as_json(vtpm: VtpmConfig) -> dict[str, Any]:
    given = libxl.not_empty(uuid=vtpm.uuid)
    return {**libxl.backend(vtpm.backend), "devid": vtpm.devid, **given}


def _of_json(json: Mapping[str, Any]) -> str:
    return libxl.item(backend=libxl.backend_of(json), uuid=libxl.text(json, "uuid"))


VTPM: DeviceKind[VtpmConfig] = DeviceKind(
    name="vtpm",
    option="vtpm",
    parse=parse_vtpm,
    make=vtpm_device,
    order=6,
    devid_of=number_of,
    address=Address(key="uuid", pattern=_UUID, choose=random_uuid),
    frontend_keys=("state", "event-channel", "ring-ref"),
    backend_keys=("state", "uuid"),
    drivers={"linux": _DRIVER, "netbsd": _DRIVER},
    json_key="vtpms",
    as_json=_as_json,
    of_json=_of_json,
)
