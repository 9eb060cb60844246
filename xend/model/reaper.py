"""`python -P -m xend.model.reaper UID`: ends all that runs as a user whom nobody else is.

A device model that was broken into may have begun other processes; it may not signal this one.
"""

import os
import signal
import sys
from contextlib import suppress

__all__ = ["end_all_of", "main"]

#: The real user of who ends all of one, more than that one's number: nobody is that user.
_OFFSET = 200_000


def main() -> None:
    """End them."""
    uid = int(sys.argv[1])
    if uid <= 0:
        raise SystemExit("expected the number of a user that is not root")
    end_all_of(uid)


def end_all_of(uid: int) -> None:
    """Kill what runs as a user at this moment; this process is that user from here on."""
    become(uid)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)


def become(uid: int) -> None:
    """Be somebody who may signal a user's processes, and whom these may not: they could end this one before.

    Linux lets them do so by a process's real and saved user.  NetBSD has no call that sets three users apart:
    there they may, and who has to be sure does this again.
    """
    if hasattr(os, "setresuid"):
        os.setresuid(uid + _OFFSET, uid, 0)
    else:
        os.setuid(uid)


if __name__ == "__main__":
    main()
