"""Errors that travel on the wire: one class per errno name that xs_wire.h lists (`xsd_errors`).

A server answers a request it refuses with a message of type ERROR whose payload is the name and a
NUL.  Names this library does not know are raised as EINVAL, as libxenstore maps them.
"""

import errno as _errno


class XenstoreError(Exception):
    """A request was refused.

    Attributes:
        name: the errno's name as sent on the wire, for instance "ENOENT".
        errno: its number on this system.
        detail: what was asked and, where known, what to do; may be empty.
    """

    name = "EINVAL"
    errno = _errno.EINVAL
    meaning = "invalid request"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        text = f"{self.name} ({self.meaning})"
        return f"{self.detail}: {text}" if self.detail else text


class EINVAL(XenstoreError):
    name, errno, meaning = "EINVAL", _errno.EINVAL, "malformed path, argument or request"


class EACCES(XenstoreError):
    name, errno, meaning = "EACCES", _errno.EACCES, "permission denied"


class EEXIST(XenstoreError):
    name, errno, meaning = "EEXIST", _errno.EEXIST, "already exists"


class EISDIR(XenstoreError):
    name, errno, meaning = "EISDIR", _errno.EISDIR, "is a directory"


class ENOENT(XenstoreError):
    name, errno, meaning = "ENOENT", _errno.ENOENT, "no such node, watch, transaction or domain"


class ENOMEM(XenstoreError):
    name, errno, meaning = "ENOMEM", _errno.ENOMEM, "memory quota exceeded, or the transaction failed earlier"


class ENOSPC(XenstoreError):
    name, errno, meaning = "ENOSPC", _errno.ENOSPC, "quota exceeded"


class EIO(XenstoreError):
    name, errno, meaning = "EIO", _errno.EIO, "failure inside the store"


class ENOTEMPTY(XenstoreError):
    name, errno, meaning = "ENOTEMPTY", _errno.ENOTEMPTY, "not empty"


class ENOSYS(XenstoreError):
    name, errno, meaning = (
        "ENOSYS",
        _errno.ENOSYS,
        "unknown to this xenstored or to the kernel's device",
    )


class EROFS(XenstoreError):
    name, errno, meaning = "EROFS", _errno.EROFS, "read-only"


class EBUSY(XenstoreError):
    name, errno, meaning = "EBUSY", _errno.EBUSY, "busy"


class EAGAIN(XenstoreError):
    name, errno, meaning = (
        "EAGAIN",
        _errno.EAGAIN,
        "the transaction conflicts with another change; start it again",
    )


class EISCONN(XenstoreError):
    name, errno, meaning = "EISCONN", _errno.EISCONN, "already connected"


class E2BIG(XenstoreError):
    name, errno, meaning = "E2BIG", _errno.E2BIG, "longer than a message can hold"


class EPERM(XenstoreError):
    name, errno, meaning = "EPERM", _errno.EPERM, "not permitted to a guest"


BY_NAME: dict[str, type[XenstoreError]] = {
    cls.name: cls
    for cls in (
        EINVAL, EACCES, EEXIST, EISDIR, ENOENT, ENOMEM, ENOSPC, EIO,
        ENOTEMPTY, ENOSYS, EROFS, EBUSY, EAGAIN, EISCONN, E2BIG, EPERM,
    )
}  # fmt: skip


def from_wire(payload: bytes, detail: str = "") -> XenstoreError:
    """The exception for an ERROR message's payload; unknown names give EINVAL with the name in the text."""
    name = payload.rstrip(b"\0").decode("ascii", "replace")
    cls = BY_NAME.get(name)
    if cls is not None:
        return cls(detail)
    return EINVAL(f"{detail} (server answered {name!r})" if detail else f"server answered {name!r}")
