"""`python -P -m xend.simulator.model_program ARGUMENTS`: a simulated device model (xend.simulator.model)."""

import math
import os
import re
import signal
import sys
from functools import partial

import trio

from xenclient.store.aio import Client
from xend.simulator.model import Ended, SimulatedModel
from xenstore.daemon.groups import alone

__all__ = ["main"]

_SOCKET = re.compile(r"socket,id=libxl-cmd,path=(.*),server=on,wait=off")


def main() -> int:
    """Its exit status."""
    try:
        with alone(Ended):
            trio.run(_run, sys.argv)
    except Ended as end:
        return end.status
    return 0


async def _run(argv: list[str]) -> None:
    async with Client(os.environ["XENSTORED_PATH"], reconnect=math.inf) as client:
        model = SimulatedModel(argv, client, partial(print, file=sys.stderr, flush=True))
        with alone(Ended):
            async with trio.open_nursery() as nursery:
                await nursery.start(_obey, nursery.cancel_scope, "stubborn" in model.faults)
                for word in argv:
                    if found := _SOCKET.fullmatch(word):
                        nursery.start_soon(_listen, found[1].replace(",,", ","), model.converse)
                await model.run()


async def _obey(scope: trio.CancelScope, is_stubborn: bool, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if not is_stubborn:
                scope.cancel()


async def _listen(path: str, converse: object) -> None:
    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(path)
    sock.listen(1)
    await trio.serve_listeners(converse, [trio.SocketListener(sock)])  # type: ignore[arg-type]


if __name__ == "__main__":
    sys.exit(main())
