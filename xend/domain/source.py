"""What a domain's configuration is made of, and what became of it: devices put in and taken out since."""

import copy
import random
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from xend.config import DomainConfig
from xend.config.defaults import Defaults
from xend.config.domain import parse
from xend.config.place import Place
from xend.device.kinds import KINDS
from xend.device.vif import VIF
from xend.validators import lists_of_texts, text_or_none, texts, typed

#: A device's specification: a text, or the words of a command line.
Spec = str | list[str]
#: The call whose specification it is, unless another one is named.
ATTACH = "device.attach"


def _are_defaults(source: object, field: "attrs.Attribute[Any]", value: Any) -> None:
    typed(dict)(source, field, value)
    Defaults.of(value)


@attrs.define(kw_only=True)
class Source:
    """A configuration that can be parsed again.

    Attributes:
        text, name, extra: what the client sent; `name` is the file's.
        path: where the file is, absolute; None: it is none.
        directory: where relative names of files are looked for, absolute: that of who asked for the domain.
        file: what the text is called in errors.
        uuid: chosen here where the text says nothing.
        addresses: of the text's devices whose type has addresses, by the type's name, in the text's order;
            chosen here, too, where it says nothing.
        defaults: those of the host's xl.conf with which it was made (Defaults.given).
        renamed: the name given later, if any.
        changes: devices put in, {kind, spec, directory, devid, defaults, and an address by its key: mac}, and
            taken out, {kind, devid}, in order.
    """

    text: str = attrs.field(validator=typed(str))
    file: str = attrs.field(validator=typed(str))
    name: str | None = attrs.field(validator=text_or_none)
    directory: str | None = attrs.field(validator=text_or_none)
    extra: list[str] = attrs.field(validator=texts)
    uuid: str = attrs.field(validator=typed(str))
    addresses: dict[str, list[str]] = attrs.field(validator=lists_of_texts)
    path: str | None = attrs.field(default=None, validator=text_or_none)
    defaults: dict[str, Any] = attrs.field(factory=dict, validator=_are_defaults)
    renamed: str | None = attrs.field(default=None, validator=text_or_none)
    changes: list[dict[str, Any]] = attrs.field(factory=list)

    def config(self) -> DomainConfig:
        """The configuration, with nothing left to choose.

        Raises:
            XendError: bad_config.
        """
        config = parse(
            self.text, source=self.file, name=self.name, extra=self.extra, directory=self.directory
        )
        config = Defaults.of(self.defaults).applied(config)
        devices = {kind: self._with_addresses(kind, found) for kind, found in config.devices.items()}
        config = attrs.evolve(config, uuid=self.uuid, devices=devices, name=self.renamed or config.name)
        for change in self.changes:
            config = changed(config, change)
        return config

    def _with_addresses(self, kind: str, devices: Sequence[Any]) -> list[Any]:
        address = KINDS[kind].address
        if address is None:
            return list(devices)
        chosen = zip(devices, self.addresses.get(kind, []), strict=True)
        return [
            attrs.evolve(device, **{address.key: getattr(device, address.key) or found})
            for device, found in chosen
        ]


def addresses_of(config: DomainConfig, chance: random.Random) -> dict[str, list[str]]:
    """The addresses of a configuration's devices, by type: those given, and for the others new ones."""
    return {
        name: [getattr(device, kind.address.key) or kind.address.choose(chance) for device in devices]
        for name, devices in config.devices.items()
        if (kind := KINDS[name]).address is not None
    }


def source_of(value: "Source | Mapping[str, Any]") -> Source:
    """A source of its own, equal to another one, or made of these fields of a record.

    Nobody who changes the other one, whose lists are its own, changes this one.  Records of older xends have
    the addresses of vifs alone.
    """
    fields = copy.deepcopy(attrs.asdict(value) if isinstance(value, Source) else dict(value))
    if "macs" in fields:
        fields["addresses"] = {VIF.name: fields.pop("macs")}
    return Source(**fields)


def changed(config: DomainConfig, change: dict[str, Any]) -> DomainConfig:
    """The configuration after one change of Source.changes."""
    kind, devid = change["kind"], change["devid"]
    devices = [device for device in config.of_kind(kind) if device.devid != devid]
    if "spec" in change:
        made = device_of_change(change)
        for before in config.of_kind(kind):
            made = KINDS[kind].in_place_of(before, made) if before.devid == devid else made
        devices.append(made)
    return attrs.evolve(config, devices={**config.devices, kind: devices})


def device_of_change(change: Mapping[str, Any]) -> Any:
    """The configuration of the device that one change of Source.changes puts in, with its number and address.

    Raises:
        XendError: bad_config.
    """
    kind, address = change["kind"], KINDS[change["kind"]].address
    chosen = {} if address is None else {address.key: change[address.key]}
    device = device_of_spec(kind, change["spec"], change.get("directory"))
    device = Defaults.of(change.get("defaults", {})).device(device)
    return attrs.evolve(device, devid=change["devid"], **chosen)


def device_of_spec(kind: str, spec: Spec, directory: str | None = None, method: str = ATTACH) -> Any:
    """The configuration of a device of a type from its specification alone.

    Args:
        directory: where a relative file is looked for.
        method: the call that it came with.

    Raises:
        XendError: bad_config.
    """
    is_absolute = directory is not None and directory.startswith("/")
    place = Place(method, is_call=True)
    return KINDS[kind].parse(spec, place, directory=directory if is_absolute else None)
