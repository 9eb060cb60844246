"""A dom0 for each shell."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.daemons import need
from tests.rcd.host import Dom0

SHELLS = ("dash", "mksh")


@pytest.fixture(params=SHELLS)
def dom0(request: pytest.FixtureRequest) -> Iterator[Dom0]:
    """Installed, its machine on, nothing of it running yet; whatever runs in it ends with the test."""
    need(Path(request.param), Path("unshare"), Path("nsenter"))
    made = Dom0(f"/usr/bin/{request.param}")
    try:
        made.power_on()
        yield made
    finally:
        made.close()
