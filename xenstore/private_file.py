"""Files of the daemon's own: made anew for their owner alone, never through a link, not inherited."""

import os

from xenstore import ground


def create(path: str | os.PathLike[str]) -> int:
    """A descriptor to read and write a file by, which is empty, of mode 0600 where it is new.

    Raises:
        OSError: it cannot be made; one that is there is somebody else's.
    """
    return ground.open_file(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)


def write_all(fd: int, data: bytes) -> None:
    """Write all of it, in as many steps as the system wants.

    Raises:
        OSError: there is no room for it.
    """
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
