"""What is measured here is of no interest, only that it is measured."""

from functools import partial

import pytest

from tests.bench import servers
from tests.peers.daemons import start_ours


@pytest.fixture(autouse=True)
def cheap_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our xenstored is forked."""
    monkeypatch.setattr(servers, "start_ours", partial(start_ours, is_forked=True))
