"""What was raised that nobody foresaw: a fault of xend's own, logged whole, told in one line."""

from collections.abc import Callable

import trio

from xend.errors import XendError
from xend.log import log_fault
from xenstore.daemon.groups import first_error

#: No failures: that a task is to end.
_PASSING = (trio.Cancelled, KeyboardInterrupt, GeneratorExit)


def as_xend_error(error: BaseException, where: str, log: Callable[[str], object]) -> XendError:
    """The error for the caller: what was raised, if it was meant for callers, else "internal".

    A fault is logged with its traceback, after `where`: "call domain.create".
    """
    meant = _meant(error)
    if meant is not None:
        return meant
    log_fault(log, where, error)
    cause = repr(first_error(error))
    return XendError("internal", "a fault in xend itself", cause=cause, hint="xend's log has the traceback")


def parted(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """What of an error is a failure, and what has to go on as it is; either may be None."""
    if isinstance(error, BaseExceptionGroup):
        passing, failure = error.split(_PASSING)
        return failure, passing
    return (None, error) if isinstance(error, _PASSING) else (error, None)


def _meant(error: BaseException) -> XendError | None:
    """The XendError this is, alone or as the only one in what a nursery raised."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, XendError) else None
