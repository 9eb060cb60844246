"""`python -P -m xend.model.starter`: becomes the device model that a line on its standard input names.

xend writes down which process this is before it says what to become: where xend is killed in between, the
line never comes, and this ends.  What is taken away here is taken from root; the device model itself leaves
root and the view of the files once it has opened what it needs (-run-with, or -runas and -chroot: on Linux to
a tree of its own, which is made here).
"""

import json
import os
import resource
import sys
from contextlib import suppress
from typing import NoReturn

from xend.bootloader import linux
from xend.model import tree
from xend.model.tree import Tree

__all__ = ["NOT_BEGUN"]

#: The exit status of one that did not become the device model; the log says why.
NOT_BEGUN = 127


def main() -> None:
    """Become it."""
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        os._exit(NOT_BEGUN)
    order = json.loads(line)
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    if order["tree"] is not None:
        try:
            tree.make(Tree(**order["tree"]))
        except OSError as error:
            _end(f"what it is to see of the files cannot be made: {error.filename}: {error.strerror}")
    os.umask(0o077)
    os.chdir("/")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold the guest's data
    if sys.platform == "linux":
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("0")  # xend's own is another
        linux.forbid_more_rights()
    argv = [os.fsencode(word) for word in order["argv"]]
    try:
        os.execve(argv[0], argv, order["environment"])
    except OSError as error:
        _end(f"{order['argv'][0]} cannot be run: {error.strerror}")


def _end(text: str) -> NoReturn:
    print(text, file=sys.stderr, flush=True)
    os._exit(NOT_BEGUN)


if __name__ == "__main__":
    main()
