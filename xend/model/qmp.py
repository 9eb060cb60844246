"""One conversation with a device model by QMP (guests.md 1.3, 1.5), which believes it nothing.

A guest may have broken into its device model: whatever that sends is bounded before it is read as JSON, and
what does not fit ends the conversation.  Deadlines are the caller's.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeGuard

import trio

from xenstore.daemon.text import one_line

__all__ = ["SET_LIMIT", "Conversation", "QmpClosed", "QmpError", "SendDescriptor", "is_number_below"]

#: Of one message; libxl's buffer has the same size.
MESSAGE_MAX_BYTES = 1 << 20
#: Of all that is read in one conversation; events come unasked, and as often as a guest likes.
ALL_MAX_BYTES = 8 << 20
#: Sets of descriptors have numbers below that.
SET_LIMIT = 1 << 31
_SHOWN_CHARS = 200
_CHUNK_BYTES = 65536


#: Sends bytes to a stream, and a descriptor with them.
SendDescriptor = Callable[[trio.abc.Stream, int, bytes], Awaitable[None]]


class QmpError(Exception):
    """What is wrong with an answer, one line; `is_refusal`: the device model understood, and said no."""

    def __init__(self, text: str, is_refusal: bool = False) -> None:
        super().__init__(one_line(text))
        self.is_refusal = is_refusal


class QmpClosed(QmpError):
    """The end of the stream."""

    def __init__(self) -> None:
        super().__init__("it has closed the connection")


class Conversation:
    """From the greeting on, over a stream that is connected.

    send_descriptor: for `ask_with`.

    Raises of all methods:
        QmpError: nonsense, too much of it, a refusal, or the end of the stream.
    """

    def __init__(self, stream: trio.abc.Stream, send_descriptor: SendDescriptor | None = None) -> None:
        self._stream = stream
        self._send_descriptor = send_descriptor
        self._input = bytearray()
        self._count = 0
        self._last_id = 0

    async def begin(self) -> None:
        """Take the greeting, and have it listen to commands."""
        greeting = await self._answer()
        if not isinstance(greeting.get("QMP"), dict):
            raise QmpError(f"it does not greet: {_shown(greeting)}")
        await self.ask("qmp_capabilities")

    async def ask(self, command: str, **arguments: Any) -> Any:
        """What it returns: JSON of any kind."""
        return await self._ask(self._stream.send_all, command, arguments)

    async def ask_with(self, fd: int, command: str, **arguments: Any) -> Any:
        """The same of a command that comes with a descriptor."""
        assert self._send_descriptor is not None
        return await self._ask(partial(self._send_descriptor, self._stream, fd), command, arguments)

    @asynccontextmanager
    async def lent(self, fd: int) -> AsyncIterator[int]:
        """The number of the set in which it has a descriptor meanwhile; what it opens of that stays open.

        From QEMU 9.1 on it would keep the set for ever, whether it took what the set was for or refused it.
        """
        given = await self.ask_with(fd, "add-fd")
        number = given.get("fdset-id") if isinstance(given, dict) else None
        if not is_number_below(number, SET_LIMIT):
            raise QmpError("add-fd: it names no set of descriptors")
        try:
            yield number
        except QmpError as error:
            if error.is_refusal:
                await self.forget("remove-fd", **{"fdset-id": number})
            raise
        await self.forget("remove-fd", **{"fdset-id": number})

    async def forget(self, command: str, **arguments: object) -> None:
        """A command about what may not be there."""
        try:
            await self.ask(command, **arguments)
        except QmpError as error:
            if not error.is_refusal:
                raise

    async def _ask(
        self, send: Callable[[bytes], Awaitable[None]], command: str, arguments: Mapping[str, Any]
    ) -> Any:
        self._last_id += 1
        request = {"execute": command, "id": self._last_id, **({"arguments": arguments} if arguments else {})}
        try:
            await send(json.dumps(request).encode() + b"\n")
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError) as error:
            raise QmpClosed from error
        answer = await self._answer()
        if answer.get("id") != self._last_id:
            raise QmpError(f"it answers what it was not asked: {_shown(answer)}")
        if isinstance(refusal := answer.get("error"), dict):
            raise QmpError(f"{command}: {_shown(refusal.get('desc'))}", is_refusal=True)
        if "return" not in answer:
            raise QmpError(f"{command}: it answers {_shown(answer)}")
        return answer["return"]

    async def _answer(self) -> dict[str, Any]:
        """The next message that is no event; some may come even before the greeting."""
        while "event" in (message := await self._message()):
            pass
        return message

    async def _message(self) -> dict[str, Any]:
        line = await self._line()
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise QmpError(f"it says what is no JSON: {_shown(line.decode('utf-8', 'replace'))}") from error
        if not isinstance(message, dict):
            raise QmpError(f"it says what is no message: {_shown(message)}")
        return message

    async def _line(self) -> bytes:
        searched = 0
        while (end := self._input.find(b"\n", searched)) < 0:
            searched = len(self._input)
            if searched > MESSAGE_MAX_BYTES:
                raise QmpError(f"it says more than {MESSAGE_MAX_BYTES} bytes in one message")
            try:
                data = await self._stream.receive_some(_CHUNK_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise QmpClosed from error
            if not data:
                raise QmpClosed
            self._count += len(data)
            if self._count > ALL_MAX_BYTES:
                raise QmpError(f"it says more than {ALL_MAX_BYTES} bytes")
            self._input += data
        line = bytes(self._input[:end])
        del self._input[: end + 1]
        return line


def is_number_below(value: object, bound: int) -> TypeGuard[int]:
    """Whether what it said is a whole number from 0 up to a bound, without that."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < bound


def _shown(value: object) -> str:
    """What it said, for an error: not much of it."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        text = "too deep a structure"
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."
