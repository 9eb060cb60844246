"""One call from its request to the bytes of its answer; whatever happens in between, there is one."""

import math
from collections.abc import Callable

import trio

from xend.bus.messages import Request, answer, refusal
from xend.bus.methods import Call, Method
from xend.errors import XendError
from xend.faults import as_xend_error


async def outcome(method: Method, call: Call, request: Request, log: Callable[[str], object]) -> bytes:
    """The answer to a request; faults of ours are logged with their traceback, the caller hears of one."""
    try:
        arguments = method.arguments(request.params, call.access)
        result = await _within(arguments.pop("deadline_s", math.inf), method, call, arguments)
        return answer(request.id, result)
    except Exception as error:  # noqa: BLE001 - the answer says so
        return refusal(request.id, as_xend_error(error, f"call {method.name}", log).as_map())


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
    text = f"it did not end within {deadline_s:g} s"
    raise XendError("no_answer", text, method=method.name, waited_s=waited_s)
