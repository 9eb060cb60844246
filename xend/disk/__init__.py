"""Which disks are one: what a system says of its files and devices, one module for each system."""

from xend.disk.identity import Disks, Extent, Identity, Relation, Thing, Use, file_extent

__all__ = ["Disks", "Extent", "Identity", "Relation", "Thing", "Use", "file_extent", "system_disks"]


def system_disks(platform: str) -> Disks:
    """Those of the system that this program runs on, by sys.platform."""
    if platform.startswith("netbsd"):
        from xend.disk.netbsd import NetBSDDisks

        return NetBSDDisks()
    from xend.disk.linux import LinuxDisks

    return LinuxDisks()
