"""A dom0 for each shell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import need
from tests.rcd.host import Dom0
from tests.starter import Starter

SHELLS = ("dash", "mksh")


@pytest.fixture(params=SHELLS)
def dom0(request: pytest.FixtureRequest, starter: Starter) -> Iterator[Dom0]:
    """Installed, its machine on, nothing of it running yet; whatever runs in it ends with the test.

    Its programs are started from nothing where the test has the mark `from_nothing`.
    """
    need(Path(request.param), Path("nsenter"))
    is_real = request.node.get_closest_marker("from_nothing") is not None
    made = Dom0(f"/usr/bin/{request.param}", starter, is_real)
    try:
        made.power_on()
        yield made
    finally:
        made.close()
