"""The images of a device model that sees none of the host's files, by descriptors.

One that goes on with a state opens those of emulated disks for reading, and again for writing once it has
read that.  Those of paravirtual disks are opened as the device model finds their backends, or as one comes in
later: it looks for the name of the image's set, and then opens that.
"""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count

import attrs

from xend.device.files import opened
from xend.disk.chain import Link, Unfit, follow
from xend.domain.model_talk import model_of, talk
from xend.errors import XendError
from xend.host import Host
from xend.model.image import (
    FIRST_LAYER,
    Image,
    Layer,
    Shown,
    disk_of,
    file_of,
    holder_of,
    layered_of,
)
from xend.model.part import Part
from xend.model.qmp import SET_LIMIT, Conversation, is_number_below
from xend.model.scratch import seal, sealable
from xend.operation.steps import Work

__all__ = [
    "OpenedImage",
    "by_descriptors",
    "give_image",
    "hold",
    "let_go",
    "opened_images",
    "release",
    "settle",
]


@attrs.frozen
class OpenedImage:
    """What a device model is shown for a disk, and descriptors for that, each with the number of its set."""

    shown: Shown
    files: Sequence[tuple[int, int]]


def by_descriptors(parts: Sequence[Part], held: ExitStack) -> tuple[list[Part], list[tuple[int, int]]]:
    """The same, with descriptors in place of the paths of images that are written to; and those, each with
    the number of its set.

    held: closes them.

    Raises:
        XendError: bad_image.
    """
    found: list[Part] = []
    files: list[tuple[int, int]] = []
    for part in parts:
        drive = part.drive
        if drive is not None and drive.path is not None and not (drive.is_cdrom or drive.is_read_only):
            number = 1 + len(files) // 2
            for flags in (os.O_RDWR, os.O_RDONLY):
                fd = opened("disk", drive.path, drive.label, flags)
                held.callback(os.close, fd)
                files.append((fd, number))
            driver = "host_device" if stat.S_ISBLK(os.fstat(files[-1][0]).st_mode) else "file"
            drive = attrs.evolve(drive, path=file_of(number), driver=driver)
        found.append(attrs.evolve(part, drive=drive))
    return found, files


def opened_images(images: Sequence[Image], held: ExitStack) -> list[OpenedImage]:
    """All of them.

    held: closes their descriptors.

    Raises:
        XendError: bad_image.
    """
    numbers = count(FIRST_LAYER)
    return [
        _opened_layers(image, numbers, held) if image.is_layered else _opened_one(image, held)
        for image in images
    ]


def _opened_one(image: Image, held: ExitStack) -> OpenedImage:
    fd = _opened(image)
    held.callback(os.close, fd)
    return OpenedImage(Shown(image, stat.S_ISBLK(os.fstat(fd).st_mode)), [(fd, image.number)])


def _opened_layers(image: Image, numbers: Iterator[int], held: ExitStack) -> OpenedImage:
    """An image that lies on others, with all of these."""
    try:
        links = follow(image.path, os.O_RDONLY if image.is_read_only else os.O_RDWR, held)
        empty = _stand_in(image, links[0], held)
    except (OSError, Unfit) as error:
        raise XendError(
            "bad_image",
            f"{image.label}: disk {image.path} cannot be opened with what it lies on",
            cause=str(error),
            device=image.label,
        ) from error
    layers = [Layer(next(numbers), link.format, link.is_device) for link in links]
    files = [(link.fd, layer.number) for link, layer in zip(links, layers, strict=True)]
    return OpenedImage(Shown(image, is_device=False, layers=layers), [(empty, image.number), *files])


def _stand_in(image: Image, link: Link, held: ExitStack) -> int:
    """An empty file of the image's size; who writes to it gets an error, so that nothing is lost there."""
    fd = sealable(image.name)
    held.callback(os.close, fd)
    os.ftruncate(fd, link.size)
    seal(fd)
    if image.is_read_only:  # qemu takes a descriptor that is open as it wants it
        fd = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        held.callback(os.close, fd)
    return fd


def _opened(image: Image) -> int:
    flags = os.O_RDONLY if image.is_read_only else os.O_RDWR
    try:
        return opened("disk", image.path, image.label, flags | os.O_DIRECT if image.is_direct else flags)
    except XendError as error:
        if not image.is_direct:
            raise
        hint = "direct-io-safe takes a file system that can read past its cache (O_DIRECT)"
        raise error.annotated(hint=hint) from error


async def give_image(host: Host, work: Work, domid: int, name: str, image: Image) -> None:
    """Have a device model that runs find one more image, and hold it until `let_go`.

    Raises:
        XendError: bad_image, device_failed, no_answer.
    """
    with ExitStack() as held:
        (found,) = opened_images([image], held)
        model = model_of(host, domid, name)
        try:
            host.models.put_name(model, image.number, found.shown.is_device)
        except OSError as error:
            raise XendError(
                "device_failed",
                f"{image.label}: its image cannot be shown to {model.called}",
                domain=name,
                cause=error.strerror,
            ) from error
        async with talk(host, work, domid, name) as conversation:
            await hold(conversation, found)


async def hold(conversation: Conversation, found: OpenedImage) -> None:
    """Have it hold an image, and nothing that it had by the same number.  Raises: QmpError."""
    await release(conversation, found.shown.image.number)
    for fd, number in found.files:
        await conversation.ask_with(fd, "add-fd", **{"fdset-id": number})
    for node in found.shown.nodes:
        await conversation.ask("blockdev-add", **node)


async def let_go(host: Host, work: Work, domid: int, name: str, images: Sequence[Image]) -> None:
    """Have it keep only what it has opened of images that it was given: once their backends are there.

    Raises:
        XendError: device_failed, no_answer.
    """
    async with talk(host, work, domid, name) as conversation:
        for image in images:
            await settle(conversation, image)


async def settle(conversation: Conversation, image: Image) -> None:
    """Have a backend that is there use its image alone, and nothing hold that besides.  Raises: QmpError."""
    if image.is_layered:
        await conversation.ask("blockdev-reopen", options=[disk_of(image)])
        await conversation.forget("blockdev-del", **{"node-name": layered_of(image.number)})
        for number in await _layers(conversation):
            await conversation.forget("remove-fd", **{"fdset-id": number})
    await release(conversation, image.number)


async def _layers(conversation: Conversation) -> list[int]:
    """The numbers of sets that it has of files of images."""
    found = await conversation.ask("query-fdsets")
    numbers = [each.get("fdset-id") if isinstance(each, dict) else None for each in found or ()]
    return [each for each in numbers if is_number_below(each, SET_LIMIT) and each >= FIRST_LAYER]


async def release(conversation: Conversation, number: int) -> None:
    """Have it hold a set no longer, which closes an image that nothing else has open.  Raises: QmpError."""
    await conversation.forget("blockdev-del", **{"node-name": holder_of(number)})
    await conversation.forget("remove-fd", **{"fdset-id": number})
