"""Images that a device model has by descriptors, as it sees none of the host's files (guests.md 1.5).

qemu takes a set of descriptors for nobody's once no monitor is connected and nothing has it open; from 9.1
on it keeps what it is not told to remove.  So each image is held by a node of qemu's own until its backend,
which opens it in qemu's main loop, has done so, and then the set is removed: what is open stays so.

One past dom0's cache (O_DIRECT) takes a descriptor that is so, too, from 9.1 on.

An image that lies on others (qcow2's backing files) has their names in its header, which qemu's disk opens by
these names, whatever it is told.  So the disk gets a stand-in, an empty file that nobody can write to, and
the image is a node of qemu's own, each of whose files has a set; before the guest runs, the node takes the
stand-in's place (blockdev-reopen).

Source: qemu 7.2's monitor/fds.c (monitor_fdset_cleanup); seen with 7.2 and 10.0.
"""

from collections.abc import Mapping, Sequence

import attrs

__all__ = [
    "FILES",
    "FIRST_LAYER",
    "Image",
    "Layer",
    "Shown",
    "disk_of",
    "file_of",
    "holder",
    "holder_of",
    "layered_of",
    "set_of",
]

#: Where it finds the files that it was given, by the numbers of their sets.
FILES = "/dev/fdset"
#: What the number of a stand-in's set has more than that of its disk: none is ever taken for an image.
_STAND_IN = 1 << 30
#: From here on sets have numbers that are the files' of images which lie on others; qemu's are below 1 << 31.
FIRST_LAYER = 3 << 29


@attrs.frozen(kw_only=True)
class Image:
    """One that it opens once it serves.

    Attributes:
        number: of its set: that of the disk (`set_of`).
        path: on the host.
        is_direct: it is opened past dom0's cache, and its descriptor has to be such a one.
        is_layered: it lies on others, and all of them are given.
        name: of the disk, where that is so: "xvda".
        discards: what its guest discards is given back, where that is so.
        label: what people call the disk.
    """

    number: int
    path: str
    is_read_only: bool
    is_direct: bool = False
    is_layered: bool = False
    name: str = ""
    discards: bool = False
    label: str


@attrs.frozen
class Layer:
    """A file of an image that lies on others: the number of its set, and its format."""

    number: int
    format: str
    is_device: bool


@attrs.frozen
class Shown:
    """What it is shown for a disk.

    Attributes:
        is_device: the name of the image's set is a device's.
        layers: of an image that lies on others, from itself on down.
    """

    image: Image
    is_device: bool
    layers: Sequence[Layer] = ()

    @property
    def nodes(self) -> Sequence[Mapping[str, object]]:
        """What blockdev-add is told, one after the other."""
        held = holder(self.image, self.is_device)
        return [held, _layered(self.image, self.layers)] if self.layers else [held]


def set_of(devid: int, is_layered: bool) -> int:
    """The number of the set of a disk."""
    return devid | _STAND_IN if is_layered else devid


def file_of(number: int) -> str:
    """The name that the file of a set has for it."""
    return f"{FILES}/{number}"


def holder_of(number: int) -> str:
    """What the node is called that holds a set."""
    return f"held-{number}"


def holder(image: Image, is_device: bool) -> Mapping[str, object]:
    """What blockdev-add is told to make that node."""
    return {
        "driver": "host_device" if is_device else "file",
        "node-name": holder_of(image.number),
        "filename": file_of(image.number),
        "locking": "off",
        "read-only": image.is_read_only,
        **({"cache": {"direct": True}} if image.is_direct else {}),
    }


def layered_of(number: int) -> str:
    """What the node is called that holds an image which lies on others."""
    return f"layered-{number}"


def _layered(image: Image, layers: Sequence[Layer]) -> Mapping[str, object]:
    """What makes that; the image itself is a node below it, which ends with its last user."""
    node: Mapping[str, object] | None = None
    for layer in reversed(layers[1:]):
        file = {**_file(layer), "read-only": True}
        below = {"backing": node} if layer.format != "raw" else {}
        node = {"driver": layer.format, "read-only": True, "file": file, **below}
    discard = {"discard": "unmap"} if image.discards else {}
    top = {**_file(layers[0]), "locking": "off", "read-only": image.is_read_only, **discard}
    return {
        "driver": "raw",
        "node-name": layered_of(image.number),
        "read-only": image.is_read_only,
        "file": {
            "driver": layers[0].format,
            "node-name": _image_of(image.number),
            "read-only": image.is_read_only,
            "file": top,
            "backing": node,
            **discard,
        },
    }


def _file(layer: Layer) -> Mapping[str, object]:
    return {"driver": "host_device" if layer.is_device else "file", "filename": file_of(layer.number)}


def _image_of(number: int) -> str:
    return f"image-{number}"


def disk_of(image: Image) -> Mapping[str, object]:
    """What blockdev-reopen is told to have the disk of a stand-in use the image.

    Source: hw/block/xen-block.c about the name of its node, and what it sets.
    """
    return {
        "driver": "raw",
        "node-name": f"{image.name}-raw",
        "read-only": image.is_read_only,
        "file": _image_of(image.number),
        **({"discard": "unmap"} if image.discards else {}),
    }
