"""The shapes of MessagePack-RPC: what a decoded array means, and arrays to send (docs/bus.md)."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgpack

from xend.bus.frames import FrameError

REQUEST, ANSWER, NOTIFICATION = 0, 1, 2
#: The id of an error that concerns the connection and no call of it.
NO_CALL = 0
_ID_MAX = 0xFFFFFFFF


@attrs.frozen
class Request:
    """A call that somebody asks for; `params` is what stood there, one map if the caller kept the rules."""

    id: int
    method: str
    params: list[Any]


def request_of(message: list[Any]) -> Request | None:
    """The request a client's message is; None for a notification, which is ignored.

    Raises:
        FrameError: it has no shape that a client's message may have.
    """
    if len(message) == 4 and _is_number(message[0], REQUEST):
        _, id, method, params = message
        if _is_number(id) and 0 <= id <= _ID_MAX and type(method) is str and type(params) is list:
            return Request(id, method, params)
        raise FrameError("a request is [0, id, method, [params]], its id a number of 32 bits")
    if len(message) == 3 and _is_number(message[0], NOTIFICATION):
        if type(message[1]) is str and type(message[2]) is list:
            return None
        raise FrameError("a notification is [2, method, [params]]")
    if len(message) == 4 and _is_number(message[0], ANSWER):
        raise FrameError("an answer, and nothing was asked")
    raise FrameError("a message is [0, id, method, [params]] or [2, method, [params]]")


def answer(id: int, result: object) -> bytes:
    """The answer to a call that did what it should.

    Raises:
        TypeError, ValueError, OverflowError: the result holds what MessagePack cannot say.
    """
    return _pack([ANSWER, id, None, result])


def refusal(id: int, error: Mapping[str, Any]) -> bytes:
    """The answer to a call that failed; `error` as XendError.as_map gives it."""
    return _pack([ANSWER, id, error, None])


def notification(method: str, fields: Mapping[str, Any]) -> bytes:
    """A message that nobody answers."""
    return _pack([NOTIFICATION, method, [fields]])


def _pack(message: list[Any]) -> bytes:
    # A file name that is not UTF-8 inside a text must not turn an answer into a failure.
    data: bytes = msgpack.packb(message, unicode_errors="backslashreplace")
    return data


def _is_number(value: object, expected: int | None = None) -> bool:
    """Whether it is an integer (true is none), and this one if one is expected."""
    return type(value) is int and expected in (None, value)
