"""The files that a simulated host consists of: what lies where, and who may see it (nobody but its user)."""

import errno
import mmap
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from xenstore.daemon import trusted

#: As xenstore.platform.sim has them; xend imports nothing of the store's platforms.
DOMAIN_CHANGES = 1
STORE_PORT = 16
PAGE_SIZE = 4096
#: The longest path below the directory of a host.
_LONGEST = "32751/consoled.channel"


class DomainFiles:
    """The files of one domain."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.store_channel = home / "store.channel"
        self.console_channel = home / "console.channel"
        self.consoled_channel = home / "consoled.channel"

    def create(self, unique: int) -> None:
        """The domain begins to exist.

        Raises:
            OSError: there is no room for it.
        """
        self.home.mkdir(mode=0o700)
        _write(self.home / "unique", b"%d" % unique)
        _write(self.home / "store.page", bytes(PAGE_SIZE))  # the last: now it exists

    def store_page(self) -> mmap.mmap:
        """Its store page, mapped."""
        return map_page(self.home / "store.page")

    def console_page(self) -> mmap.mmap:
        """Its console page, mapped."""
        return map_page(self.home / "console.page")

    def make_pages(self) -> None:
        """Empty pages: the store's in place, as the store may have it mapped."""
        with self.store_page() as page:
            page[:] = bytes(PAGE_SIZE)
        _write(self.home / "console.page", bytes(PAGE_SIZE))

    def close_console(self) -> None:
        """Whoever holds the console's port is notified no more."""
        self.consoled_channel.unlink(missing_ok=True)

    def mark_shutdown(self) -> None:
        """The store is to see that it has shut down."""
        _write(self.home / "shutdown", b"")

    def clear_shutdown(self) -> None:
        """It has not, any more."""
        (self.home / "shutdown").unlink(missing_ok=True)

    def remove(self) -> None:
        """The domain exists no more."""
        (self.home / "store.page").unlink(missing_ok=True)
        shutil.rmtree(self.home, ignore_errors=True)


class Place:
    """The directory of a host."""

    def __init__(self, directory: str | os.PathLike[str]) -> None:
        self.directory = Path(os.path.abspath(directory))
        self.store_channel = self.directory / "store.channel"

    def domain(self, domid: int) -> DomainFiles:
        """The files of a domain, whether it exists or not."""
        return DomainFiles(self.directory / str(domid))

    def make(self) -> None:
        """Make the directory, or keep others out of one that is there.

        Raises:
            OSError: it cannot be made; its path is too long for sockets below it (ENAMETOOLONG).
        """
        check_length(self.directory)
        trusted.make_directory(self.directory, 0o700)
        self.directory.chmod(0o700)

    def prepare(self) -> int:
        """Make the directory, and sweep what a host that ended left behind.

        Returns a number that grows from one host in this directory to the next.

        Raises:
            OSError: as `make`.
        """
        self.make()
        self.sweep()
        return self._next_boot()

    def sweep(self) -> None:
        """Remove all domains but dom0."""
        for entry in sorted(self.directory.iterdir()):
            if entry.name.isdigit() and entry.name != "0":
                DomainFiles(entry).remove()

    def _next_boot(self) -> int:
        path = self.directory / "boots"
        boots = 1
        with suppress(OSError, ValueError):
            boots = int(path.read_text()) + 1
        _write(path, b"%d" % boots)
        return boots


def map_page(path: Path) -> mmap.mmap:
    """A page that is a file, mapped writable.

    Raises:
        OSError: it cannot be.
    """
    with open(path, "r+b") as file:
        return mmap.mmap(file.fileno(), PAGE_SIZE)


def _write(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(fd, "wb") as file:
        file.write(data)


def check_length(directory: str | os.PathLike[str]) -> None:
    """Raises OSError (ENAMETOOLONG) where the sockets below a host's directory would have no room."""
    room = (107 if sys.platform == "linux" else 103) - len(_LONGEST) - 1
    if len(os.fsencode(directory)) > room:
        raise OSError(
            errno.ENAMETOOLONG,
            f"the path of a simulated host's directory may have {room} bytes, for the sockets below it",
            os.fspath(directory),
        )
