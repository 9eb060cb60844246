"""One call from its request to the bytes of its answer; whatever happens in between, there is one."""

import math
import traceback
from collections.abc import Callable

import trio

from xend.bus.messages import Request, answer, refusal
from xend.bus.methods import Call, Method
from xend.errors import XendError


async def outcome(method: Method, call: Call, request: Request, log: Callable[[str], object]) -> bytes:
    """The answer to a request; faults of ours are logged with their traceback, the caller hears of one."""
    try:
        arguments = method.arguments(request.params, call.access)
        result = await _within(arguments.pop("deadline_s", math.inf), method, call, arguments)
        return answer(request.id, result)
    except Exception as error:
        return refusal(request.id, as_xend_error(error, f"call {method.name}", log).as_map())


def as_xend_error(error: Exception, where: str, log: Callable[[str], object]) -> XendError:
    """The error for the caller: what was raised, if it was meant for callers, else "internal"."""
    meant = _meant(error)
    if meant is not None:
        return meant
    log(f"{where}: {''.join(traceback.format_exception(error)).rstrip()}")
    return XendError("internal", "a fault in xend itself", hint="xend's log has the traceback")


async def _within(deadline_s: float, method: Method, call: Call, arguments: dict[str, object]) -> object:
    start = trio.current_time()
    with trio.move_on_after(deadline_s) as scope:
        try:
            return await method.function(call, **arguments)
        except XendError as error:
            # An operation that was cancelled may say so itself once it is undone.
            if error.code != "cancelled" or trio.current_time() < scope.deadline:
                raise
    waited_s = round(trio.current_time() - start, 3)
    raise XendError("no_answer", f"{method.name} did not end within {deadline_s:g} s", waited_s=waited_s)


def _meant(error: BaseException) -> XendError | None:
    """The XendError this is, alone or as the only one in what a nursery raised."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error if isinstance(error, XendError) else None
