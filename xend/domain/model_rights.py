"""What a domain's device model is left with: root's rights and the host's files, or neither.

One that is to open more once it serves can be given that on Linux: Xen's devices stand in a tree of its own,
and images come as descriptors.  What lies below an image it opens by its name, as it does what is in shared
directories: a user that the configuration names sees these, too, and has what rights they give him.
"""

import pwd
from collections.abc import Sequence

import attrs

from xend.config import DomainConfig
from xend.errors import XendError
from xend.model.image import Image
from xend.model.part import Part

__all__ = ["KEEPERS", "KEEPS", "Rights", "require_shut_in", "rights_of", "shown_images", "takes"]

#: The user of a domain's device model, less its domid; see `xend.domain.booting.FIRST_UID` about the numbers.
FIRST_UID = 2_000_100_000
#: What is said where somebody may want it to keep them.
KEEPS = "dm_restrict = 0 lets it keep its rights"
#: What has it keep them.
KEEPERS = (
    "dm_restrict = 0, a share, a USB or PCI device and an image that lies on another one have it keep them, "
    "on NetBSD a channel and any disk served by qemu, too"
)


@attrs.frozen
class Rights:
    """What it is left with.

    Attributes:
        ids: user and group that it becomes; None: it stays root.
        is_own_user: nobody else is that user.
        is_shut_in: it sees no files of the host any more.
        has_tree: in their place it sees what it needs to take further devices.
    """

    ids: tuple[int, int] | None
    is_own_user: bool
    is_shut_in: bool
    has_tree: bool


def takes(platform: str, part: Part) -> bool:
    """Whether one that is shut in, and serves already, can serve a device that wants this."""
    is_layered = part.image is not None and part.image.is_layered
    return not part.opens_files_later and not is_layered and (platform == "linux" or not part.opens_xen_later)


def rights_of(platform: str, config: DomainConfig, parts: Sequence[Part], domid: int) -> Rights:
    """What it is to be left with.

    platform: dom0's.

    Raises:
        XendError: bad_config, unsupported: the configuration asks for less than it can do with.
    """
    options = config.device_model
    stays = not all(
        takes(platform, part) or _may_share(platform, config, part) or _may_lie(platform, config, part)
        for part in parts
    )
    if options.is_restricted:
        raise XendError(
            "unsupported",
            "dm_restrict = 1: a device model (qemu) that gives up its handles of Xen serves no paravirtual "
            "device any more, as it loses the store and its guest's pages",
            domain=config.name,
            hint="without dm_restrict it gives up root's rights and the host's files as far as that goes",
        )
    ids = None if options.user is None else _ids_of(options.user)
    if stays and ids is not None:
        raise XendError(
            "unsupported",
            f'device_model_user = "{options.user}": one of the devices has the device model (qemu) open '
            "files of the host as long as it runs, as root",
            domain=config.name,
            hint="leave device_model_user out, or that device",
        )
    if options.is_restricted is False or stays:
        return Rights(ids, is_own_user=False, is_shut_in=False, has_tree=False)
    uid = FIRST_UID + domid
    return Rights(ids or (uid, uid), is_own_user=ids is None, is_shut_in=True, has_tree=platform == "linux")


def shown_images(has_tree: bool, parts: Sequence[Part]) -> list[Image]:
    """Those that it is given by descriptors, as its backends name them."""
    return [part.image for part in parts if part.image is not None] if has_tree else []


def require_shut_in(platform: str, config: DomainConfig, parts: Sequence[Part]) -> None:
    """See that one that goes on with a saved state, which anybody may have written, has few rights.

    Raises:
        XendError: unsupported, bad_config.
    """
    if not rights_of(platform, config, parts, 1).is_shut_in:
        raise XendError(
            "unsupported",
            "its device model (qemu) would read the saved state, which may be anybody's, with root's rights",
            domain=config.name,
            hint=f"{KEEPERS}: xl restore CONFIGURATION FILE takes a configuration without these",
        )


def _may_share(platform: str, config: DomainConfig, part: Part) -> bool:
    """Whether a part is a directory, which a user is named for that is to serve it."""
    return platform == "linux" and part.share is not None and config.device_model.user is not None


def _may_lie(platform: str, config: DomainConfig, part: Part) -> bool:
    """Whether a part is an image that lies on others, which no emulated disk opens again by their names."""
    return platform == "linux" and config.machine is None and not part.opens_files_later


def _ids_of(user: str) -> tuple[int, int]:
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise XendError(
            "bad_config",
            f'device_model_user = "{user}": there is no such user',
            hint="without it xend takes a user that has nothing",
        ) from None
    if found.pw_uid == 0:
        raise XendError("bad_config", f'device_model_user = "{user}": expected not root', hint=KEEPS)
    return found.pw_uid, found.pw_gid
