"""What a domain's configuration is made of, and what became of it: devices put in and taken out since."""

import copy
from collections.abc import Mapping
from typing import Any

import attrs

from xend.config import DiskConfig, DomainConfig, VifConfig
from xend.config.disk import parse_disk
from xend.config.domain import parse
from xend.config.place import Place
from xend.config.vif import parse_vif
from xend.validators import text_or_none, texts, typed

#: A device's specification: a text, or the words of a command line.
Spec = str | list[str]
#: The call whose specification it is, unless another one is named.
ATTACH = "device.attach"


@attrs.define(kw_only=True)
class Source:
    """A configuration that can be parsed again.

    Attributes:
        text, name, extra: what the client sent; `name` is the file's.
        path: where the file is, absolute; None: it is none.
        directory: where relative names of files are looked for, absolute: that of who asked for the domain.
        file: what the text is called in errors.
        uuid, macs: chosen here where the text says nothing; macs by vif.
        renamed: the name given later, if any.
        changes: devices put in, {kind, spec, directory, mac, devid}, and taken out, {kind, devid}, in order.
    """

    text: str = attrs.field(validator=typed(str))
    file: str = attrs.field(validator=typed(str))
    name: str | None = attrs.field(validator=text_or_none)
    directory: str | None = attrs.field(validator=text_or_none)
    extra: list[str] = attrs.field(validator=texts)
    uuid: str = attrs.field(validator=typed(str))
    macs: list[str] = attrs.field(validator=texts)
    path: str | None = attrs.field(default=None, validator=text_or_none)
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
        vifs = [
            attrs.evolve(vif, mac=vif.mac or mac) for vif, mac in zip(config.vifs, self.macs, strict=True)
        ]
        config = attrs.evolve(config, uuid=self.uuid, vifs=vifs, name=self.renamed or config.name)
        for change in self.changes:
            config = changed(config, change)
        return config


def source_of(value: "Source | Mapping[str, Any]") -> Source:
    """A source of its own, equal to another one, or made of these fields of a record.

    Nobody who changes the other one, whose lists are its own, changes this one.
    """
    return Source(**copy.deepcopy(attrs.asdict(value) if isinstance(value, Source) else dict(value)))


def changed(config: DomainConfig, change: dict[str, Any]) -> DomainConfig:
    """The configuration after one change of Source.changes."""
    kind, devid = change["kind"], change["devid"]
    disks = [disk for disk in config.disks if kind != "vbd" or disk.devid != devid]
    vifs = [vif for vif in config.vifs if kind != "vif" or vif.devid != devid]
    if "spec" in change and kind == "vbd":
        disks.append(disk_of_change(change))
    elif "spec" in change:
        vifs.append(attrs.evolve(vif_of(change["spec"]), mac=change["mac"], devid=devid))
    return attrs.evolve(config, disks=disks, vifs=vifs)


def disk_of(spec: Spec, directory: str | None = None, method: str = ATTACH) -> DiskConfig:
    """A disk from its specification alone.

    Args:
        directory: where a relative file is looked for.
        method: the call that it came with.

    Raises:
        XendError: bad_config.
    """
    is_absolute = directory is not None and directory.startswith("/")
    return parse_disk(spec, Place(method, is_call=True), directory if is_absolute else None)


def disk_of_change(change: dict[str, Any]) -> DiskConfig:
    """The disk that one change of Source.changes puts in."""
    return disk_of(change["spec"], change.get("directory"))


def vif_of(spec: Spec) -> VifConfig:
    """An interface from its specification alone.

    Raises:
        XendError: bad_config.
    """
    return parse_vif(spec if isinstance(spec, str) else ",".join(spec), Place(ATTACH, is_call=True))
