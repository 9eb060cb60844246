"""Disk specifications: xl's (xl-disk-configuration(5)) and xm's, which is told by its prefix.

target, format, vdev, access, key=value, flag ...    the first four by place or by key; target= takes all
prefix:target,vdev[:cdrom],access[,backend]          phy: file: tap:aio: and others
"""

import os.path
import re
from collections.abc import Sequence

import attrs

from xend.config.fields import Fields
from xend.config.place import Place, listed
from xend.config.problem import Problem
from xend.config.vdev import VDEV_FORMS, vdev_hint, vdev_name, vdev_number

__all__ = ["DiskConfig", "parse_disk"]

FORMATS = ("raw", "qcow", "qcow2", "vhd", "qed")
#: Said of a cdrom without a target.
EMPTY = "empty"
BACKENDTYPES = ("phy", "qdisk", "standalone", "tap")
ACCESSES = {"r": "r", "ro": "r", "w": "w", "rw": "w", "w!": "w!"}
_DEVTYPES = ("cdrom", "disk")

#: Words without a value: which key they give, and what.
_FLAGS = {
    "cdrom": ("devtype", "cdrom"),
    "direct-io-safe": ("direct-io-safe", "1"),
    "discard": ("discard", "1"),
    "no-discard": ("discard", "0"),
    "trusted": ("trusted", "1"),
    "untrusted": ("trusted", "0"),
}
_KEYS = (
    "target", "format", "vdev", "access", "devtype", "backend", "backendtype", "script", "specification",
)  # fmt: skip
_NOT_YET = (
    "grant_usage", "colo", "no-colo", "colo-host", "colo-port", "colo-export", "active-disk", "hidden-disk",
)  # fmt: skip
_NO_COLO = "it is of COLO, a domain that is kept in step with a copy elsewhere, which this xend does not do"
_NO_VIRTIO = "this xend has no backend for virtio disks; expected specification=xen, or nothing"
#: What there is besides the four by place.
_WORDS = tuple(f"{key}=" for key in _KEYS) + tuple(_FLAGS)

_PREFIX = re.compile(r"([a-z][a-z0-9]*):(.*)", re.DOTALL)
_FORMAT_PREFIXES = ("raw", "qcow", "qcow2", "vhd")
_SCRIPT_PREFIXES = ("iscsi", "nbd", "enbd", "drbd")
#: Said once how the backend did it; it chooses by itself now.
_IDLE_PREFIXES = ("file", "phy", "tap", "tap2", "tapdisk", "aio", "ioemu")
#: Behind these is a file, never a device.
_FILE_PREFIXES = ("file", "aio")
_DEVICES = "/dev"
#: What qemu reaches by itself, over a network for the most part, and how it begins.
_REMOTE = re.compile(r"(rbd|iscsi|nbd|gluster|https?|ftps?|ssh|sheepdog|nfs|json|nvme|fat):.*", re.DOTALL)
_NO_REMOTE = (
    "this xend serves files and devices of dom0 only; a hotplug script (script=) makes a device of it"
)
_PREFIXES = tuple(f"{prefix}:" for prefix in _IDLE_PREFIXES + _FORMAT_PREFIXES + _SCRIPT_PREFIXES)


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
        emulated_at: where the device model of an hvm domain has it, too: ("ide", 0); None: nowhere.
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
    emulated_at: tuple[str, int] | None = None

    @property
    def is_emulated_only(self) -> bool:
        """Whether it has no paravirtual end: a CD drive of an hvm domain."""
        return self.emulated_at is not None and self.is_cdrom

    @property
    def number_as_given(self) -> str:
        """Its number as errors call it: "vdev xvda (number 51712)"."""
        return f"vdev {self.vdev} (number {self.devid})"


def parse_disk(
    specification: str | Sequence[str],
    place: Place,
    *,
    directory: str | None = None,
    warnings: list[Problem] | None = None,
) -> DiskConfig:
    """The disk that a specification means: one text, or words, as on a command line, that go on where the one
    before them ended; what takes all that follows takes no further word.

    A path without / in front is one below /dev, as in `phy:sd0e`, unless a script is named, which may give it
    any meaning.  What is no device is below the directory (None: there is none): behind `file:`, in another
    format than raw, or with ./ or ../ in front.

    Args:
        warnings: takes what has no effect: that a cdrom is writable.

    Raises:
        XendError: bad_config: "PLACE: disk "...": ..., expected ..."; unsupported: what has no effect yet.
    """
    words = [specification] if isinstance(specification, str) else specification
    fields = Fields("disk", " ".join(words), place)
    reader = _Reader(fields)
    for word in words:
        reader.read(word)
    vdev, devid = _vdev(fields)
    is_cdrom = fields.choice("devtype", _DEVTYPES, "disk") == "cdrom"
    if fields.get("specification") == "virtio":
        raise fields.unsupported("specification=virtio", _NO_VIRTIO)
    return DiskConfig(
        target=_target(fields, is_cdrom, reader.is_file, directory),
        vdev=vdev,
        devid=devid,
        name=vdev_name(devid) or vdev,
        mode=_mode(fields, is_cdrom, warnings),
        is_cdrom=is_cdrom,
        format=_format(fields, is_cdrom),
        backendtype=fields.choice("backendtype", BACKENDTYPES, "") or None,
        script=fields.script("script"),
        backend=fields.domain("backend"),
        direct_io_safe=fields.has("direct-io-safe"),
        discard=fields.get("discard") == "1" if fields.has("discard") else None,
        trusted=fields.get("trusted") != "0",
        specification=fields.choice("specification", ("xen", "virtio"), "xen"),
    )


class _Reader:
    """Takes a specification apart, item by item."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._is_old = False  # xm's form: no format by place, and a backend behind the access
        self.is_file = False  # as its prefix says

    def read(self, specification: str) -> None:
        rest = specification
        while rest:
            rest = rest.lstrip()
            if rest.startswith("target="):
                self._fields.put("target", rest.removeprefix("target=").removesuffix(","))
                return
            behind = rest if self._fields.has("target") else self._without_prefixes(rest)
            has_prefix = behind != rest
            item, _, rest = behind.partition(",")
            if has_prefix and behind:
                # What stands behind a prefix is the target, whatever it looks like.
                self._fields.put("target", item.strip())
            elif not has_prefix:
                self._item(item.strip())

    def _without_prefixes(self, text: str) -> str:
        while match := _PREFIX.fullmatch(text):
            prefix, text = match.groups()
            self._is_old = True
            self.is_file = self.is_file or prefix in _FILE_PREFIXES
            if prefix in _FORMAT_PREFIXES:
                self._fields.put("format", prefix)
            elif prefix in _SCRIPT_PREFIXES:
                self._fields.put("script", f"block-{prefix}")
                break  # what follows is the script's
            elif _REMOTE.match(f"{prefix}:"):
                raise self._fields.unsupported(f"{prefix}:", _NO_REMOTE)
            elif prefix not in _IDLE_PREFIXES:
                raise self._fields.unknown(f"{prefix}:", _PREFIXES)
        return text

    def _item(self, item: str) -> None:
        fields = self._fields
        if item in _FLAGS:
            fields.put(*_FLAGS[item])
            return
        key, value = Fields.keyed(item) or (item, None)
        if key in _NOT_YET:
            raise fields.unsupported(key, _NO_VIRTIO if key == "grant_usage" else _NO_COLO)
        if value is None:
            self._positional(item)
        elif key in _KEYS:
            fields.put(key, value)
        else:
            raise fields.unknown(f"{key}=", _WORDS)

    def _positional(self, item: str) -> None:
        fields = self._fields
        if not fields.has("target"):
            fields.put("target", item)
            return
        self._is_old = self._is_old or self._leaves_format_out(item)
        if not self._is_old and not fields.has("format"):
            fields.put("format", item)
        elif not fields.has("vdev"):
            self._put_vdev(item)
        elif not fields.has("access"):
            fields.put("access", item)
        elif self._is_old and not fields.has("backend"):
            fields.put("backend", item)
        else:
            raise fields.unknown(item, _WORDS)

    def _leaves_format_out(self, item: str) -> bool:
        """Whether this is xm's form without a prefix, which has no format: no format's name is a vdev's."""
        if self._fields.has("format") or self._fields.has("vdev"):
            return False
        return vdev_number(item.removeprefix("ioemu:").partition(":")[0]) is not None

    def _put_vdev(self, item: str) -> None:
        vdev, colon, devtype = item.removeprefix("ioemu:").partition(":")
        self._fields.put("vdev", vdev)
        if colon:
            self._fields.put("devtype", devtype)


def _vdev(fields: Fields) -> tuple[str, int]:
    vdev = fields.get("vdev")
    if vdev is None:
        raise fields.error(f"it has no vdev, expected {VDEV_FORMS}")
    vdev = vdev.removeprefix("ioemu:")
    devid = vdev_number(vdev)
    if devid is None:
        raise fields.wrong("vdev", VDEV_FORMS, vdev_hint(vdev))
    return vdev, devid


def _target(fields: Fields, is_cdrom: bool, is_file: bool, directory: str | None) -> str | None:
    target = fields.get("target")
    if target is None:
        if not is_cdrom:
            raise fields.error("it has no target, expected a path (only a cdrom may be empty)")
        return None
    if target.startswith("/") or fields.has("script"):
        return target
    if remote := _REMOTE.match(target):
        raise fields.unsupported(f"{remote[1]}:", _NO_REMOTE)
    is_image = fields.get("format") not in (None, "raw")
    if not is_file and not is_image and not target.startswith(("./", "../")):
        return os.path.join(_DEVICES, target)
    if directory is None:
        raise fields.wrong("target", "an absolute path, as it is a file")
    return os.path.join(directory, target.removeprefix("./"))


def _format(fields: Fields, is_cdrom: bool) -> str:
    """One of FORMATS; "empty", which is only said of what has no target, is raw."""
    if fields.get("format") == EMPTY and is_cdrom and fields.get("target") is None:
        return "raw"
    if fields.get("format") == EMPTY and fields.get("target") is not None:
        raise fields.wrong("format", f"{listed(FORMATS)}, or no target")
    return fields.choice("format", FORMATS, "raw")


def _mode(fields: Fields, is_cdrom: bool, warnings: list[Problem] | None) -> str:
    """A cdrom is read only, whatever is said of it, as for xl."""
    mode = ACCESSES[fields.choice("access", tuple(ACCESSES), "r" if is_cdrom else "w")]
    if is_cdrom and mode != "r":
        if warnings is not None:
            warnings += fields.error("it is read only, as every cdrom is").problems
        return "r"
    return mode
