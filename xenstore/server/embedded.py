"""The store inside another program of trio's: served by a task, without signals and live update."""

from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager

import trio

from xenstore.server import background
from xenstore.server.drive import serve
from xenstore.server.options import Options
from xenstore.server.server import Server


@asynccontextmanager
async def embedded(options: Options, log: Callable[[str], object]) -> AsyncIterator[Server]:
    """Serves the store as long as the block runs, from its first line on.

    Raises:
        StartError: it cannot start.
    """
    server = Server(options, log, may_be_replaced=False)
    with ExitStack() as stack:
        server.open(stack)
        server.bring_up(stack)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, server.pump)
            background.start(server, nursery)
            yield server
            nursery.cancel_scope.cancel()
