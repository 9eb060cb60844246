"""Removes what a boot loader left, which on NetBSD wrote into the run directory itself and did all to stay.

Python's own removal ends at a depth that any program can make, and at a file that its owner made immutable
(chflags(2)); the system's programs end at neither.
"""

import errno
import os
import shutil
import subprocess
import sys
from contextlib import suppress

from xend.bootloader.find import PATH
from xenstore.daemon.text import one_line

__all__ = ["remove_tree"]


def remove_tree(path: str) -> None:
    """Remove a directory and all below; nothing happens if it is not there.

    Raises:
        OSError: something of it is still there.
    """
    with suppress(OSError, RecursionError):
        shutil.rmtree(path)
    if not os.path.lexists(path):
        return
    if sys.platform != "linux":
        _run("chflags", "-R", "0", path)
    said = _run("rm", "-rf", path)
    if os.path.lexists(path):
        raise OSError(errno.ENOTEMPTY, said or os.strerror(errno.ENOTEMPTY), path)


def _run(*words: str) -> str:
    """What it said; a program that is missing says so."""
    try:
        done = subprocess.run(words, env={"PATH": PATH}, capture_output=True, check=False)
    except OSError as error:
        return f"{words[0]}: {error.strerror}"
    return one_line(done.stderr.decode(errors="replace").strip()[-500:])
