"""The disc of a CD drive that a device model emulates (guests.md 1.5): it is asked to change it.

It may see none of the host's files any more: the disc is opened here, and goes to it as a descriptor.
"""

import os

from xend.config.disk import DiskConfig
from xend.device.files import check_readable, opened
from xend.device.vbd import VBD, model_format
from xend.domain.model_talk import model_of, talk
from xend.errors import XendError
from xend.host import Host
from xend.model.image import file_of
from xend.model.part import drive_name
from xend.model.qmp import Conversation
from xend.operation.steps import Work

__all__ = ["check_disc", "insert", "put_in", "take_out"]


def check_disc(host: Host, domid: int, name: str, drive: DiskConfig) -> None:
    """See that its device model lives, and that the disc can be read.

    Raises:
        XendError: wrong_state, device_failed, bad_image.
    """
    model_of(host, domid, name)
    if drive.target is not None:
        check_readable("disk", host.settings.guest_file(drive.target), VBD.label(drive.name))


async def take_out(host: Host, work: Work, domid: int, name: str, drive: DiskConfig) -> None:
    """Have the drive empty.

    Raises:
        XendError: device_failed: the device model refuses: its guest has locked the drive.
    """
    label = VBD.label(drive.name)
    try:
        async with talk(host, work, domid, name) as conversation:
            await conversation.ask("eject", id=drive_name(drive.devid))
    except XendError as error:
        hint = f"has its guest mounted the disc in {drive.name}? It locks the drive until it lets go of it"
        raise error.annotated(device=label, hint=hint) from error


async def put_in(host: Host, work: Work, domid: int, name: str, drive: DiskConfig) -> None:
    """Have an empty drive hold its disc.

    Raises:
        XendError: bad_image, device_failed.
    """
    label = VBD.label(drive.name)
    fd = opened("disk", host.settings.guest_file(drive.target or ""), label)
    try:
        async with talk(host, work, domid, name) as conversation:
            await insert(conversation, drive, fd)
    except XendError as error:
        raise error.annotated(device=label) from error
    finally:
        os.close(fd)


async def insert(conversation: Conversation, drive: DiskConfig, fd: int) -> None:
    """Have the device model put the disc of a descriptor into an empty drive.  Raises: QmpError."""
    async with conversation.lent(fd) as number:
        await conversation.ask(
            "blockdev-change-medium",
            id=drive_name(drive.devid),
            filename=file_of(number),
            format=model_format(drive),
        )
