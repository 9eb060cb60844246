"""How the command line names a disk."""

from __future__ import annotations

#: xm's users wrote a disk as the guest sees it, with this before it.
DEVICE_DIRECTORY = "/dev/"


def without_dev(name: str) -> str:
    """A disk's name as xend knows it: "xvda" of "/dev/xvda"."""
    return name.removeprefix(DEVICE_DIRECTORY)
