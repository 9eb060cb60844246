"""What the hypervisor's and the store's refusals mean to who asked for an operation."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from xenclient.store.errors import ClientError
from xend.errors import XendError
from xend.hypervisor import HypervisorError
from xenstore.errors import XenstoreError


@contextmanager
def explained(doing: str, name: str | None = None) -> Iterator[None]:
    """Turns errors of the layers below into xend's own; `doing` says what failed: "create a domain"."""
    try:
        yield
    except HypervisorError as error:
        raise hypervisor_refusal(error, doing, name) from error
    except (XenstoreError, ClientError) as error:
        raise XendError(
            "store_failed", f"cannot {doing}", domain=name, cause=str(error), hint="is xenstored running?"
        ) from error


def hypervisor_refusal(error: HypervisorError, doing: str, name: str | None) -> XendError:
    """The error for a refused call."""
    words = error.text or os.strerror(error.errno)
    match error.errno:
        case errno.ENOMEM:
            return XendError("out_of_memory", f"cannot {doing}", domain=name, cause=words)
        case errno.ESRCH:
            return XendError("guest_died", f"cannot {doing}: the domain is gone", domain=name, cause=words)
        case errno.ENOENT | errno.EACCES | errno.ENOEXEC:
            return XendError("bad_image", f"cannot {doing}", domain=name, cause=words)
    return XendError("hypervisor_failed", f"cannot {doing}", domain=name, cause=words)
