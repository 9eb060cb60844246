"""The images of a device model that sees none of the host's files, by descriptors.

One that goes on with a state opens those of emulated disks for reading, and again for writing once it has
read that.  Those of paravirtual disks are opened as the device model finds their backends, or as one comes in
later: it looks for the name of the image's set, and then opens that.
"""

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack

import attrs

from xend.device.files import opened
from xend.domain.model_talk import model_of, talk
from xend.errors import XendError
from xend.host import Host
from xend.model.image import Image, file_of, holder, holder_of
from xend.model.part import Part
from xend.model.qmp import Conversation
from xend.operation.steps import Work

__all__ = ["by_descriptors", "give_image", "hold", "let_go", "opened_images", "release"]


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


def opened_images(images: Sequence[Image], held: ExitStack) -> list[tuple[int, Image, bool]]:
    """A descriptor of each, and whether it is a device's.

    held: closes them.

    Raises:
        XendError: bad_image.
    """
    found = []
    for image in images:
        fd = _opened(image)
        held.callback(os.close, fd)
        found.append((fd, image, stat.S_ISBLK(os.fstat(fd).st_mode)))
    return found


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
        ((fd, _, is_device),) = opened_images([image], held)
        model = model_of(host, domid, name)
        try:
            host.models.put_name(model, image.number, is_device)
        except OSError as error:
            raise XendError(
                "device_failed",
                f"{image.label}: its image cannot be shown to {model.called}",
                domain=name,
                cause=error.strerror,
            ) from error
        async with talk(host, work, domid, name) as conversation:
            await hold(conversation, fd, image, is_device)


async def hold(conversation: Conversation, fd: int, image: Image, is_device: bool) -> None:
    """Have it hold an image, and nothing that it had by the same number.  Raises: QmpError."""
    await release(conversation, image.number)
    await conversation.ask_with(fd, "add-fd", **{"fdset-id": image.number})
    await conversation.ask("blockdev-add", **holder(image, is_device))


async def let_go(host: Host, work: Work, domid: int, name: str, images: Sequence[Image]) -> None:
    """Have it keep only what it has opened of images that it was given: once their backends are there.

    Raises:
        XendError: device_failed, no_answer.
    """
    async with talk(host, work, domid, name) as conversation:
        for image in images:
            await release(conversation, image.number)


async def release(conversation: Conversation, number: int) -> None:
    """Have it hold a set no longer, which closes an image that nothing else has open.  Raises: QmpError."""
    await conversation.forget("blockdev-del", **{"node-name": holder_of(number)})
    await conversation.forget("remove-fd", **{"fdset-id": number})
