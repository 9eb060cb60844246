"""The hypervisor's errno as a sentence."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from xend.hypervisor import HypervisorError
from xenstore.platform import Unavailable


@contextmanager
def refusing(what: str, reasons: dict[int, str] | None = None) -> Iterator[None]:
    """Within, an OSError becomes a HypervisorError: what was refused, and why.

    Args:
        what: for example "domain 5 cannot be paused".
        reasons: what an errno means here, and what to do; others have the system's words.
    """
    try:
        yield
    except OSError as error:
        number = error.errno or errno.EIO
        reason = (reasons or {}).get(number)
        if reason is None:
            reason = f"{os.strerror(number)} ({errno.errorcode.get(number, number)})"
        raise HypervisorError(number, f"{what}: {reason}") from error
    except Unavailable as error:
        raise HypervisorError(errno.ENOMEM, f"{what}: {error}") from error


def no_such_domain(domid: int) -> HypervisorError:
    """There is none, or it is dying."""
    return HypervisorError(
        errno.ESRCH, f"there is no domain {domid}, or it is dying; `xl list` shows those there are"
    )
