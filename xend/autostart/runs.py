"""Calls under way, known by their keys: one that is made again, as by a client that lost its connection,
joins the first.  After xend's death it begins anew, and finds what is up.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import trio

from xend.autostart.rows import Publish, Row
from xend.errors import XendError
from xend.faults import as_xend_error

#: Calls that have ended and are remembered, for those who ask again.
REMEMBERED_MAX = 64

#: Does a call's work, and publishes what becomes of each domain.
Body = Callable[[Publish], Awaitable[list[Row]]]


@attrs.define(eq=False)
class Run:
    """One call.

    Attributes:
        rows: what it came to, once it has ended; None: see `error`.
    """

    key: str | None
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    ended: trio.Event = attrs.field(factory=trio.Event)
    rows: list[dict[str, Any]] | None = None
    error: XendError | None = None

    async def outcome(self) -> list[dict[str, Any]]:
        """The rows, once it has ended; a caller who is cancelled cancels it.

        Raises:
            XendError: why there are none.
        """
        try:
            await self.ended.wait()
        except trio.Cancelled:
            self.scope.cancel()
            raise
        if self.rows is None:
            raise self.error or XendError("cancelled", "the call was cancelled")
        return self.rows


class Runs:
    """All calls.

    publish: tells listeners: (kind, what, fields).
    """

    def __init__(self, publish: Callable[..., object], log: Callable[[str], object]) -> None:
        self._publish = publish
        self._log = log
        self._by_key: dict[str, Run] = {}
        self._nursery: trio.Nursery | None = None

    def serve_in(self, nursery: trio.Nursery) -> None:
        """Calls run in this nursery from now on."""
        self._nursery = nursery

    def start(self, key: str | None, body: Body) -> Run:
        """Begin a call, or find the one that was begun with this key."""
        if key is not None and key in self._by_key:
            return self._by_key[key]
        run = Run(key)
        if key is not None:
            self._by_key[key] = run
            self._forget_old()
        assert self._nursery is not None
        self._nursery.start_soon(self._run, run, body)
        return run

    async def _run(self, run: Run, body: Body) -> None:
        def publish(what: str, name: str, **fields: Any) -> None:
            known = {field: value for field, value in fields.items() if value is not None}
            reason = known.get("reason")
            self._log(f"autostart {name}: {what}{f': {reason}' if reason else ''}")
            self._publish("autostart", what, key=run.key, name=name, **known)

        try:
            with run.scope:
                run.rows = [row.as_map() for row in await body(publish)]
        except Exception as error:  # noqa: BLE001 - the run ends with it as its error
            run.error = as_xend_error(error, "autostart", self._log)
        finally:
            self._publish("autostart", "ended", key=run.key)
            run.ended.set()

    def _forget_old(self) -> None:
        ended = [key for key, run in self._by_key.items() if run.ended.is_set()]
        for key in ended[: max(0, len(self._by_key) - REMEMBERED_MAX)]:
            del self._by_key[key]
