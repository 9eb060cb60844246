"""What goes over the helper's socket: MessagePack, one list a message.

From the helper: ["ready", release or nil, why there is none], then ["step", key] any number of times, then
["done", {...}] or ["failed", errno, text].  To it: [job, {arguments}], perhaps with a descriptor; when that
is done perhaps another, without one.  While it saves a domain it says ["suspend"], once, and is answered
["suspended", {}] when the domain is.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

from xend.helper.steps import STEPS

#: The longest job and the longest of the helper's messages, in bytes.
JOB_MAX = 64 * 1024
ANSWER_MAX = 16 * 1024
#: The most that is kept of a text.
TEXT_MAX = 1000
_BYTES = "surrogateescape"


class Ready(NamedTuple):
    """It has begun, and has Xen's libraries of a release ("4.17"); None: it has none, for a reason."""

    release: str | None
    reason: str


class Step(NamedTuple):
    """It is at a step of its job, by its key; the same again: it goes on."""

    key: str


class Suspend(NamedTuple):
    """The domain has to be suspended now: it waits for that."""


class Done(NamedTuple):
    """Its job is done."""

    result: Mapping[str, Any]


class Failed(NamedTuple):
    """Its job failed: a HypervisorError's errno and text."""

    errno: int
    text: str


Answer = Ready | Step | Suspend | Done | Failed
#: What it is told when its domain is suspended.
SUSPENDED: tuple[str, dict[str, object]] = ("suspended", {})
_KINDS: Mapping[str, type[Answer]] = {
    "ready": Ready,
    "step": Step,
    "suspend": Suspend,
    "done": Done,
    "failed": Failed,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def pack(message: Sequence[object]) -> bytes:
    """One message."""
    return bytes(msgpack.packb(message, unicode_errors=_BYTES))


def pack_answer(answer: Answer) -> bytes:
    """One of the helper's."""
    return pack([_NAMES[type(answer)], *answer])


class Messages:
    """Takes a stream apart into messages, each of at most `limit` bytes.

    Raises:
        ValueError: by `feed` and by iterating: what is malformed or longer.
    """

    def __init__(self, limit: int) -> None:
        self._unpacker = msgpack.Unpacker(max_buffer_size=limit, strict_map_key=True, unicode_errors=_BYTES)

    def feed(self, data: bytes) -> None:
        """More of the stream."""
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise ValueError("a message that is too long") from None

    def __iter__(self) -> Iterator[Any]:
        """Those that are whole by now."""
        return iter(self._unpacker)


def answer_of(message: object) -> Answer:
    """What the helper says, which may be anything.

    Raises:
        ValueError: it is none of its messages.
    """
    match message:
        case ["ready", (str() | None) as release, str() as reason]:
            return Ready(None if release is None else release[:TEXT_MAX], reason[:TEXT_MAX])
        case ["step", str() as key] if key in STEPS:
            return Step(key)
        case ["suspend"]:
            return Suspend()
        case ["done", dict() as result]:
            return Done(result)
        case ["failed", int() as number, str() as text] if 0 < number < 4096 and not isinstance(number, bool):
            return Failed(number, text[:TEXT_MAX])
    raise ValueError("none of the helper's messages")
