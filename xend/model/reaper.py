"""`python -P -m xend.model.reaper UID`: ends all that runs as a user whom nobody else is.

A device model that was broken into may have begun other processes; it may not signal this one.
"""

import os
import signal
import sys
from contextlib import suppress

__all__ = ["main"]


def main() -> None:
    """As that user, but for the saved id, so that the user's processes may not end this one before."""
    uid = int(sys.argv[1])
    if uid <= 0:
        raise SystemExit("expected the number of a user that is not root")
    if hasattr(os, "setresuid"):
        os.setresuid(uid, uid, 0)
    else:
        os.setuid(uid)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGKILL)


if __name__ == "__main__":
    main()
