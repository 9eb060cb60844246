"""console.*: a domain's console as notifications to whoever attached."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import trio

from xend.bus.connection import Connection
from xend.bus.kinds import DATA, DOMAIN, NUMBER
from xend.bus.methods import Call, Method, optional, required
from xend.console.service import Consoles
from xend.console.viewer import Viewer
from xend.domain.targets import Targets
from xend.errors import XendError

HISTORY_BYTES = 4096
HISTORY_MAX_BYTES = 1 << 16


class ConsoleCalls:
    """The methods; each connection numbers its own viewers."""

    def __init__(self, consoles: Consoles, targets: Targets) -> None:
        self._consoles = consoles
        self._targets = targets
        self._viewers: dict[tuple[Connection, int], Viewer] = {}
        self._numbers: Iterator[int] = count(1)

    def methods(self) -> list[Method]:
        """All of them."""
        attach = {"domain": required(DOMAIN), "history": optional(NUMBER)}
        write = {"console": required(NUMBER), "data": required(DATA)}
        return [
            Method("console.attach", "operate", attach, self.attach),
            Method("console.write", "operate", write, self.write),
            Method("console.detach", "operate", {"console": required(NUMBER)}, self.detach),
        ]

    async def attach(self, call: Call, domain: str | int, history: int = HISTORY_BYTES) -> dict[str, Any]:
        target = await self._targets.find(domain)
        viewer = self._consoles.attach(target.domid, min(history, HISTORY_MAX_BYTES))
        connection, number = call.connection, next(self._numbers)
        self._viewers[connection, number] = viewer
        connection.on_close(lambda: self._close(connection, number))

        begin = trio.Event()

        async def pump(*, task_status: trio.TaskStatus[None]) -> None:
            task_status.started()
            await begin.wait()
            while data := await viewer.receive():
                await connection.room()
                connection.notify("console", {"console": number, "data": data})
            if self._viewers.get((connection, number)) is viewer:
                connection.notify("console", {"console": number, "eof": True})
                self._close(connection, number)

        await connection.start(pump)
        call.after_answer(begin.set)
        return {"domid": target.domid, "console": number}

    async def write(self, call: Call, console: int, data: bytes) -> dict[str, Any]:
        await self._viewer(call, console).send(data)
        return {}

    async def detach(self, call: Call, console: int) -> dict[str, Any]:
        self._viewer(call, console)
        self._close(call.connection, console)
        return {}

    def _viewer(self, call: Call, number: int) -> Viewer:
        viewer = self._viewers.get((call.connection, number))
        if viewer is None:
            raise XendError("bad_request", f"console {number} is not attached on this connection")
        return viewer

    def _close(self, connection: Connection, number: int) -> None:
        viewer = self._viewers.pop((connection, number), None)
        if viewer is not None:
            viewer.close()
