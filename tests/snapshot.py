"""What is below a directory, so that a test can say that nothing of it was touched."""

import os
import stat
from pathlib import Path


def snapshot(top: Path) -> dict[str, tuple[object, ...]]:
    """Everything below `top` by path: inode, mode, owner, times of change, and what a file holds."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, names, files in os.walk(top):
        for name in [*names, *files]:
            path = os.path.join(directory, name)
            status = os.lstat(path)
            held = Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            kind = (status.st_ino, status.st_mode, status.st_uid, status.st_gid)
            changed = (status.st_mtime_ns, status.st_ctime_ns)
            found[path] = (*kind, *changed, held)
    return found
