"""Both clients of xend against the real server on real sockets: each scenario is written once, for trio's."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.unit.xend.bus.toy import Toy
from xenclient.xend import aio, blocking
from xend.bus import open_listeners, serve
from xenstore.daemon.locks import Held


class Threaded:
    """A blocking object with the face of the trio one; each call waits in a thread."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._plain: Any = None

    def __getattr__(self, name: str) -> Any:
        if name in ("events", "console"):
            return lambda *args, **kwargs: Threaded(lambda: getattr(self._plain, name)(*args, **kwargs))
        attribute = getattr(self._plain, name)
        if not callable(attribute):
            return attribute
        return lambda *args, **kwargs: in_thread(partial(attribute, *args, **kwargs))

    async def __aenter__(self) -> "Threaded":
        self._plain = await in_thread(self._make)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._plain.close()

    def __aiter__(self) -> "Threaded":
        return self

    async def __anext__(self) -> Any:
        return await in_thread(lambda: next(self._plain))


async def in_thread(call: Callable[[], Any]) -> Any:
    # A scenario that fails must not wait for ever for a thread that does.
    return await trio.to_thread.run_sync(call, abandon_on_cancel=True)


@pytest.fixture(params=["blocking", "aio"])
def make_client(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Makes a client, for async with."""
    if request.param == "aio":
        return aio.Client
    return lambda *args, **kwargs: Threaded(lambda: blocking.Client(*args, **kwargs))


class Xend:
    """A toy served in a directory; can be stopped and started, as a daemon would be."""

    def __init__(self, rundir: Path) -> None:
        self.rundir = rundir
        self.path = str(rundir / "socket")
        self.toy = Toy()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Toy]:
        with open_listeners(Held(), str(self.rundir)) as found:
            async with trio.open_nursery() as nursery:
                await nursery.start(serve, found, self.toy.methods(), self.toy.log.append)
                yield self.toy
                nursery.cancel_scope.cancel()


@pytest.fixture
def xend(tmp_path: Path) -> Xend:
    return Xend(tmp_path)
