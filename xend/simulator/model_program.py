"""`python -P -m xend.simulator.model_program ARGUMENTS`: a simulated device model (xend.simulator.model)."""

import math
import os
import re
import signal
import socket
import sys
from array import array
from functools import partial

import trio

from xenclient.store.aio import Client
from xend.simulator.model import Ended, SimulatedModel
from xenstore.daemon.groups import alone

__all__ = ["main"]

_SOCKET = re.compile(r"socket,id=lib(?:xl|xenstat)-cmd,path=(.*),server=on,wait=off")


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
                        nursery.start_soon(_listen, found[1].replace(",,", ","), model)
                await model.run()


async def _obey(scope: trio.CancelScope, is_stubborn: bool, *, task_status: trio.TaskStatus[None]) -> None:
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        task_status.started()
        async for _ in signals:
            if not is_stubborn:
                scope.cancel()


class _Receiving(trio.abc.Stream):
    """Takes descriptors that come with what is said."""

    def __init__(self, stream: trio.SocketStream, received: list[int]) -> None:
        self._stream = stream
        self._received = received

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        room = socket.CMSG_SPACE(array("i").itemsize)
        data, ancillary, _, _ = await self._stream.socket.recvmsg(max_bytes or 65536, room)
        for level, kind, held in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._received += array("i", held)
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def _listen(path: str, model: SimulatedModel) -> None:
    async def converse(stream: trio.SocketStream) -> None:
        await model.converse(_Receiving(stream, model.answers.received))

    sock = trio.socket.socket(trio.socket.AF_UNIX)
    await sock.bind(path)
    sock.listen(1)
    await trio.serve_listeners(converse, [trio.SocketListener(sock)])


if __name__ == "__main__":
    sys.exit(main())
