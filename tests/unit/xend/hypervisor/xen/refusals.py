"""What a refusal of the driver's looks like."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from xend.hypervisor import HypervisorError


@contextmanager
def refused(number: int, text: str | None = None) -> Iterator[None]:
    """Within, the driver refuses for this reason, in one line in which these words are."""
    with pytest.raises(HypervisorError, match=text) as caught:
        yield
    error = caught.value
    assert error.errno == number, f"{error.text}: errno {error.errno}, expected {number}"
    assert error.text
    assert "\n" not in error.text
