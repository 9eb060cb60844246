"""What only the blocking client meets: interrupts."""

import pytest

from tests.unit.xenclient.conftest import Clock, Transport
from tests.unit.xenclient.fake_store import FakeConnection, FakeStore
from xenclient.store.blocking import Client


class Interrupted(Transport):
    """Once, somebody presses ^C: before anything is received, or after something was sent."""

    def __init__(self, connection: FakeConnection, clock: Clock, where: str) -> None:
        super().__init__(connection, clock)
        self._where = where

    def send(self, data: bytearray, timeout: float | None) -> int:
        sent = super().send(data, timeout)
        self._interrupt("send")
        return sent

    def receive(self, size: int, timeout: float | None) -> bytes:
        self._interrupt("receive")
        return super().receive(size, timeout)

    def _interrupt(self, where: str) -> None:
        if self._where == where:
            self._where = ""
            raise KeyboardInterrupt


@pytest.mark.parametrize(("where", "connections"), [("send", 2), ("receive", 1)])
def test_the_client_is_usable_after_an_interrupt(where: str, connections: int) -> None:
    store = FakeStore()
    clock = Clock(store)
    places = [where]
    with Client(
        "fake",
        connect=lambda: Interrupted(store.connect(), clock, places.pop() if places else ""),
        clock=lambda: clock.now,
        sleep=clock.sleep,
    ) as client:
        with pytest.raises(KeyboardInterrupt):
            client.write("/b", "new")
        assert client.read("/a") == b"value"
        client.write("/c", "1")
    assert len(store.connections) == connections
    assert [asked.payload for asked in store.names("WRITE")][-1] == b"/c\x001"
