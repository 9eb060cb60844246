"""The blocking client with the face of the trio one, so that what both must do is written once."""

from collections.abc import Callable, Coroutine
from typing import Any

import trio

#: What a test does with an open client.
Scenario = Callable[[Any], Coroutine[Any, Any, None]]


class Awaited:
    """A blocking object with the face of the trio one: calls are awaited, with is async with."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._plain, name)
        if name in ("transaction", "watch", "within"):
            return lambda *args, **kwargs: Awaited(attribute(*args, **kwargs))
        if name == "run_transaction":
            return lambda body: finished(lambda: attribute(lambda tx: result_of(body(Awaited(tx)))))
        if name == "close":
            return attribute
        return lambda *args, **kwargs: finished(lambda: attribute(*args, **kwargs))

    async def __aenter__(self) -> "Awaited":
        self._plain.__enter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        self._plain.__exit__(*exc_info)

    def __aiter__(self) -> "Awaited":
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self._plain)
        except StopIteration:
            raise StopAsyncIteration from None


async def finished(call: Callable[[], Any]) -> Any:
    return call()


def result_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a blocking client has nothing to suspend for")


def play_blocking(scenario: Scenario, client: Any) -> None:
    with client as opened:
        result_of(scenario(Awaited(opened)))


def play_aio(scenario: Scenario, make: Callable[[], Any]) -> None:
    """make: gives the client, inside trio."""

    async def main() -> None:
        async with make() as client:
            await scenario(client)

    trio.run(main)
