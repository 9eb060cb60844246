"""What a row of the table of device types holds (xend.device.kinds)."""

import random
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar

import attrs

from xenclient.store.aio import Client
from xend.config import DeviceConfig
from xend.config.place import Place
from xend.config.problem import Problem
from xend.config.settings import Settings as ConfigSettings
from xend.device.device import Device
from xend.device.xenbus import XenbusState
from xend.model.part import Part
from xend.settings import Settings
from xend.sysfs import WriteSysfs

Config = TypeVar("Config", bound=DeviceConfig)
_Parsed = TypeVar("_Parsed", bound=DeviceConfig, covariant=True)
_Made = TypeVar("_Made", bound=DeviceConfig, contravariant=True)

#: See `DeviceKind.appeared`, of most types.
APPEARED = (XenbusState.INIT_WAIT, XenbusState.INITIALISED, XenbusState.CONNECTED)
#: What may be asked for while a domain runs, of most types: device.attach and device.detach.
ATTACHABLE = ("attach", "detach")


class Parse(Protocol[_Parsed]):
    """Reads one item of a configuration, or the words of a command line.

    Args:
        directory: absolute, where relative files are; None: there may be none.
        warnings: takes what xl passes over; None: that is an error.

    Raises:
        ConfigError: bad_config, unsupported.
    """

    def __call__(
        self,
        specification: str | Sequence[str],
        place: Place,
        *,
        directory: str | None = None,
        warnings: list[Problem] | None = None,
    ) -> _Parsed: ...


class Make(Protocol[_Made]):
    """Makes the device of a configuration in which nothing is left to choose.

    Raises:
        XendError: bad_config, unsupported.
    """

    def __call__(
        self, domid: int, config: _Made, settings: Settings, *, backend_domid: int = 0
    ) -> Device: ...


class KernelHost(Protocol):
    """What giving things of dom0's kernel, and giving them back, needs of a host."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Client: ...
    @property
    def write_sysfs(self) -> WriteSysfs: ...


def _as_they_are(settings: ConfigSettings, guest_type: str, devices: Sequence[Any]) -> Sequence[Any]:
    return devices


@attrs.frozen(kw_only=True)
class Address:
    """What names a device besides its number; xend chooses one where the configuration has none.

    Attributes:
        key: its name among the configuration's attributes and among the nodes of the backend: "mac".
        pattern: what it looks like; capital letters are taken for small ones.
        choose: makes one up.
    """

    key: str
    pattern: re.Pattern[str]
    choose: Callable[[random.Random], str]


@attrs.frozen(kw_only=True)
class Script:
    """How the hotplug scripts of a type are called, and what they may leave behind (docs/hotplug.md).

    Attributes:
        verbs: of Linux's scripts, to put a device in and to take it out.
        more: further arguments of Linux's scripts, and further variables of their environment.
        beside: where an emulated device stands beside it: verbs, arguments and variables of a further call of
            Linux's scripts, for that one's end in dom0; None: there is none.
        held_nodes: nodes of the backend that say what of the host's the device holds.
        held: from these nodes' values, the device and the platform to the unit or interface that it holds;
            None: it is not known.
        left_words: from what `held` found and the platform to what may be left, and how it is looked for.
    """

    verbs: tuple[str, str]
    more: Callable[[Device], tuple[Sequence[str], Mapping[str, str]]] = lambda device: ((), {})
    beside: Callable[[Device], tuple[tuple[str, str], Sequence[str], Mapping[str, str]] | None] = (
        lambda device: None
    )
    held_nodes: Sequence[str]
    held: Callable[[Mapping[str, str], Device, str], str | None]
    left_words: Callable[[str | None, str], tuple[str, str]]


@attrs.frozen(kw_only=True)
class DeviceKind(Generic[Config]):
    """A type of devices: all that is said of it anywhere in xend.

    Attributes:
        name: on the bus, and for people: "vif".
        store_name: what both ends are called in the store; None: as it is.
        first_devid: the lowest number that such a device may have; a lower one is something else.
        option: of xl.cfg(5), a list whose items `parse` reads.
        make: the device, with the nodes of both ends; None: the items of a configuration are one device
            together, made of what is found on the host (xend.domain.cards).
        settle: from a configuration's other options, its guest's type and its devices of this type to these
            with what the other options say of them; raises ConfigError.
        unique: attributes of a configuration that no two of a domain's may share, besides the number.
        in_place_of: from a device of a configuration and the one that comes in its place, as its disc is
            changed, to the latter with what the former was by its place.
        public: a configuration as those may see it who may not know passwords.
        order: types with a lower number come into a domain first.
        verbs: what may be asked for while the domain runs: the calls device.attach, detach, insert, eject.
        name_key: the node of the toolstack's copy that holds what people call the device by; None: they call
            it by its number.
        devid_of: the number that a user's word for a device means; None: it is no such word.
        address: what names a device besides; None: nothing does.
        frontend_keys, backend_keys: what lists show of both ends, in that order.
        own_keys: what is read of the toolstack's copy to take a device out, besides `backend`, `script` and
            what `name_key` says.
        drivers: what the driver of the backend is called, by platform.
        script: None: no script is run for such devices.
        interface: what dom0's kernel calls a device's network interface: (domid, devid, settings).
        shows_host_memory: a guest that has such a device sees the host's holes in its memory map, so that
            nothing of its memory lies where the device's does.
        check: refuses a device before anything is done, for another reason than its script; raises XendError.
        release: gives back what of the host's a device holds that goes, once its backend has closed; None: it
            holds nothing.
        appeared: states in which the backend's driver has taken the device up, so that its guest may come.
        model_backends: which kinds of backends of this type, as the store calls them, a device model serves:
            ("qdisk",). A domain that has such a device, with its backend in dom0, gets one (xend.model).
        model_part: what a device with such a backend wants of the device model.
        model_shows: the same device as it is for one that sees none of the host's files: its backend names
            the image that it has by a descriptor.
        model_closes: that device model closes a backend whose frontend was taken away.  qemu's older
            framework does not: it lets go of the device as the nodes of its backend are removed.
        model_restates: that device model, a QEMU 9.1 or newer, writes all nodes of the first device anew as
            it starts, though its backend has come further.
        machine_part: what the device model of an hvm domain emulates of a device, whatever serves its
            paravirtual end: (configuration, domid, settings); None: nothing.
        is_on_bus: whether a device of the configuration has a paravirtual end at all.
        is_disk: no two domains may write to the same one (xend.domain.sharing).
        json_key, as_json: the list in libxl's JSON, and an item of it; None: libxl has none for it.
        of_json: the item of xl.cfg(5) that means the same as an item of that list; None: it follows from
            another one; raises ValueError.
    """

    name: str
    store_name: str | None = None
    first_devid: int = 0
    option: str
    parse: Parse[Config]
    make: Make[Config] | None
    settle: Callable[[ConfigSettings, str, Sequence[Config]], Sequence[Config]] = _as_they_are
    unique: Sequence[str] = ()
    in_place_of: Callable[[Config, Config], Config] = lambda before, after: after
    public: Callable[[Config], Config] = lambda config: config
    order: int
    verbs: Sequence[str] = ATTACHABLE
    name_key: str | None = None
    devid_of: Callable[[str], int | None]
    address: Address | None = None
    frontend_keys: Sequence[str]
    backend_keys: Sequence[str]
    own_keys: Sequence[str] = ()
    drivers: Mapping[str, str]
    script: Script | None = None
    interface: Callable[[int, int, Settings], str] | None = None
    check: Callable[[Device], object] = lambda device: None
    release: Callable[[KernelHost, Device], Awaitable[None]] | None = None
    appeared: Sequence[XenbusState] = APPEARED
    model_backends: Sequence[str] = ()
    model_part: Callable[[Config, Settings], Part] = lambda config, settings: Part()
    model_shows: Callable[[Device], Device] = lambda device: device
    model_closes: bool = True
    model_restates: bool = False
    machine_part: Callable[[Config, int, Settings], Part | None] = lambda config, domid, settings: None
    is_on_bus: Callable[[Config], bool] = lambda config: True
    is_disk: bool = False
    shows_host_memory: bool = False
    json_key: str
    as_json: Callable[[Config], dict[str, Any] | None]
    of_json: Callable[[Mapping[str, Any]], str | None]

    def is_of_model(self, device: Device) -> bool:
        """Whether a device of this type is served by the device model of its domain, in dom0."""
        return device.backend_domid == 0 and (device.backend_kind or device.kind) in self.model_backends

    @property
    def stored_keys(self) -> tuple[str, ...]:
        """What `in_store` is given of the toolstack's copy."""
        named = () if self.name_key is None else (self.name_key,)
        return ("backend", "script", *named, *self.own_keys)

    def own_copies(self, domid: int) -> str:
        """The directory of the toolstack's own copies of a domain's devices of this type."""
        return f"/libxl/{domid}/device/{self.store_name or self.name}"

    def label(self, name: object) -> str:
        """What people call a device of this type: "vbd xvda"."""
        return f"{self.name} {name}"

    def in_store(self, domid: int, devid: int, keys: Mapping[str, str], settings: Settings) -> Device:
        """The device that a domain has, as far as it is needed to take it out.

        keys: those of `stored_keys` that are there, of the toolstack's own copy, which no guest can write
            (XSA-175); `backend` is.
        """
        words = keys["backend"].split("/")  # /local/domain/B/backend/KIND/...
        name = devid if self.name_key is None else keys.get(self.name_key, devid)
        return Device(
            kind=self.name,
            store_name=self.store_name,
            domid=domid,
            devid=devid,
            backend_domid=int(words[3]) if len(words) > 3 and words[3].isdigit() else 0,
            name=self.label(name),
            frontend={},
            backend_kind=words[5] if len(words) > 5 and words[5] != self.name else None,
            backend={key: keys[key] for key in self.own_keys if key in keys},
            script=keys.get("script"),
            interface=None if self.interface is None else self.interface(domid, devid, settings),
        )
