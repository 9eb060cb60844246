"""Initial RAM disks, written so that the same files always make the same bytes."""

import stat
from pathlib import Path


class Archive:
    """A cpio archive in the "newc" format of the kernel's initramfs documentation.

    Times, owners and inode numbers do not come from the files: two runs make the same bytes.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._folders: set[str] = set()
        self._count = 0

    def folder(self, name: str) -> None:
        """Add an empty folder and those above it; again is harmless."""
        parts = name.strip("/").split("/")
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            if path not in self._folders:
                self._folders.add(path)
                self._entry(path, stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o755) -> None:
        """Add a regular file and the folders above it."""
        self._above(name)
        self._entry(name.strip("/"), stat.S_IFREG | mode, data)

    def link(self, name: str, target: str) -> None:
        """Add a symbolic link and the folders above it."""
        self._above(name)
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, target.encode())

    def device(self, name: str, major: int, minor: int) -> None:
        """Add a character device and the folders above it."""
        self._above(name)
        self._entry(name.strip("/"), stat.S_IFCHR | 0o600, b"", (major, minor))

    def write(self, path: Path) -> None:
        """Leave the complete archive at `path`, or nothing."""
        self._entry("TRAILER!!!", 0, b"")
        unfinished = path.with_suffix(".new")
        unfinished.write_bytes(b"".join(self._parts))
        unfinished.rename(path)

    def _above(self, name: str) -> None:
        above = name.strip("/").rpartition("/")[0]
        if above:
            self.folder(above)

    def _entry(self, name: str, mode: int, data: bytes, device: tuple[int, int] = (0, 0)) -> None:
        self._count += 1
        path = name.encode() + b"\0"
        numbers = (self._count, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        header = b"070701" + b"".join(b"%08X" % number for number in numbers)
        self._parts += [_padded(header + path), _padded(data)]


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
