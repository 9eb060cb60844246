"""Files of domains that were saved as the host stopped; each waits until its domain runs again."""

import os

from xend.errors import XendError
from xend.host import Host
from xenstore.daemon.text import one_line

#: How the name of a file begins whose domain is about to run.
_PUT_AWAY = ".xend-restored-"


def waiting_path(host: Host, name: str) -> str:
    """Where a domain's file is that was saved as the host stopped, if it was."""
    return os.path.join(os.path.abspath(host.settings.save_directory), name)


def is_waiting(host: Host, path: str) -> bool:
    """Whether a file is in the directory of domains that were saved as the host stopped."""
    directory = os.path.realpath(host.settings.save_directory)
    return os.path.realpath(os.path.dirname(path)) == directory


def check_not_saved(host: Host, name: str) -> None:
    """See that no file of a domain waits to be restored, before one of that name is made otherwise.

    Once that has run, the file would ruin its disks.

    Raises:
        XendError: wrong_state.
    """
    path = waiting_path(host, name)
    if os.path.lexists(path):
        shown = one_line(path)
        raise XendError(
            "wrong_state",
            f"{name} was saved as the host stopped, and waits in {shown}",
            domain=name,
            hint=f"xl restore {shown} lets it go on; rm {shown} gives its memory up",
        )


def put_away_path(path: str) -> str:
    """What a file is called whose domain is about to run."""
    return os.path.join(os.path.dirname(path), _PUT_AWAY + os.path.basename(path))


def is_put_away(name: str) -> bool:
    """Whether a file of that name is one."""
    return name.startswith(_PUT_AWAY)
