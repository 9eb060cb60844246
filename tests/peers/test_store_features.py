"""What xend asks its store for, on Debian's two stores and ours: a request that not all of them know."""

import pytest
import trio

from tests.peers.daemons import Daemon
from xenclient.store.aio import Client
from xend.store_features import store_features

pytestmark = pytest.mark.peer


@pytest.mark.parametrize(
    ("daemon", "tells"), [("our_xenstored", True), ("c_xenstored", False), ("o_xenstored", False)]
)
def test_features(request: pytest.FixtureRequest, daemon: str, tells: bool) -> None:
    running: Daemon = request.getfixturevalue(daemon)

    async def play() -> None:
        async with Client(str(running.socket)) as client:
            assert (await store_features(client) is not None) == tells
            assert await client.exists("/"), "the connection is as good as before"

    trio.run(play)
