from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.daemon import Daemons
from tests.starter import Starter


@pytest.fixture
def make(starter: Starter, tmp_path: Path) -> Iterator[Callable[..., Daemons]]:
    """`make(*options, segment_bytes=0)`: daemons on a run directory of the test's own, none started yet."""
    with ExitStack() as stack:

        def make(*options: str, segment_bytes: int = 0) -> Daemons:
            return stack.enter_context(Daemons(starter, tmp_path, *options, segment_bytes=segment_bytes))

        yield make
