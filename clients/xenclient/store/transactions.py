"""Transactions as a client sees them: what was done in one, and doing it again when it conflicted.

A `with` block cannot run its body twice.  So when the commit of a block is answered EAGAIN, what the body
did is done again in a new transaction: if every answer is byte for byte what it was, the body would have
done just the same, and that transaction is committed in its place (xenstored of C refuses many a commit
that disturbs nobody, for instance whenever two add children to one directory).  If an answer differs the
caller gets EAGAIN: only running the body again is right then, which `run_transaction` does.
"""

from __future__ import annotations

from xenclient.store.core import HARMLESS, Request
from xenclient.store.errors import ConnectionLost, ProtocolError
from xenclient.store.pauses import conflict_pauses
from xenstore.errors import EAGAIN, XenstoreError
from xenstore.wire import MessageType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from xenclient.store.core import Connection, Steps, T

    Answer = bytes | str


class Recording:
    """One transaction on the server, with all that was asked in it and answered."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._tx_id = 0
        self._connection: Connection | None = None
        self._open = False
        self._done: list[tuple[Request, Answer]] = []

    def begin(self) -> Steps[None]:
        """Start it."""
        request = Request(MessageType.TRANSACTION_START, b"\0")
        answer = (yield request).rstrip(b"\0")
        if not answer.isdigit() or int(answer) == 0:
            raise ProtocolError(
                f"TRANSACTION_START: expected a transaction id, the server answered {answer!r}"
            )
        self._tx_id = int(answer)
        self._connection = request.connection
        self._open = True

    def inside(self, steps: Steps[T]) -> Steps[T]:
        """The same operation inside this transaction."""
        try:
            item = next(steps)
            while True:
                assert isinstance(item, Request)
                try:
                    answer = yield self._inside(item)
                except XenstoreError as error:
                    self._done.append((item, error.name))
                    item = steps.throw(error)
                else:
                    self._done.append((item, answer))
                    item = steps.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result

    def commit(self) -> Steps[None]:
        """Make it happen, all at once.

        Raises:
            EAGAIN: it conflicts with what others did meanwhile, and nothing happened.
            ConnectionLost: the connection was lost before the answer came, so it may have happened; what
                only read is done again instead.
        """
        for pause in conflict_pauses(self._random):
            try:
                yield from self._end(b"T\0")
                return
            except EAGAIN:
                pass
            except ConnectionLost:
                if any(request.type not in HARMLESS for request, _ in self._done):
                    raise
            yield pause
            yield from self._replay()

    def abort(self) -> Request | None:
        """What ends it without effect; the answer does not matter.  None when there is nothing to end."""
        if not self._open or self._connection is None or self._connection.lost:
            return None
        return self._inside(Request(MessageType.TRANSACTION_END, b"F\0"))

    def _replay(self) -> Steps[None]:
        yield from self.begin()
        for request, before in self._done:
            answer: Answer
            try:
                answer = yield self._inside(request)
            except XenstoreError as error:
                answer = error.name
            if answer != before:
                yield from self._end(b"F\0")
                raise EAGAIN(f"{request} answers differently now; run the whole transaction again")

    def _end(self, how: bytes) -> Steps[None]:
        try:
            yield self._inside(Request(MessageType.TRANSACTION_END, how))
        except XenstoreError:
            self._open = False
            raise
        self._open = False

    def _inside(self, request: Request) -> Request:
        assert self._connection is not None
        return request.inside(self._tx_id, self._connection)
