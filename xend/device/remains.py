"""What a script may have left that failed to take a device out, and what an administrator does about it."""

from contextlib import suppress
from typing import Protocol

from xenclient.store.aio import Client
from xenclient.store.errors import ClientError
from xend.device.device import Device
from xend.device.kind import Script
from xend.device.kinds import KINDS
from xend.device.nodes import texts
from xend.errors import XendError
from xend.settings import Settings
from xenstore.errors import XenstoreError


class RemainsHost(Protocol):
    """What looking needs of a host."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Client: ...


async def held(host: RemainsHost, device: Device) -> str | None:
    """The unit or interface that a device has of the host's; None: it is not known.

    To be asked for before the device is taken out.
    """
    script = script_of(device)
    found: dict[str, str] = {}
    with suppress(XenstoreError, ClientError):  # a store that is gone keeps no script from being run
        found = await texts(host.store, device.backend_path, script.held_nodes)
    return script.held(found, device, host.settings.platform)


def left(device: Device, name: str | None, error: XendError, settings: Settings) -> XendError:
    """The failure of a script on the way out, with what it may have left (see `held`) and the remedy."""
    words, remedy = script_of(device).left_words(name, settings.platform)
    return XendError(
        error.code,
        f"{device.name}: {error.message}; {words}",
        **{"hint": remedy, **error.fields, "device": device.name},
    )


def script_of(device: Device) -> Script:
    """How scripts of the type of a device that has one are called."""
    script = KINDS[device.kind].script
    assert script is not None, device.kind
    return script
