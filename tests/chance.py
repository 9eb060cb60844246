"""How much chance there is every day, and how much in `make long`."""

from typing import Any

import pytest


def seeds(every_day: int, of: int) -> list[Any]:
    """The seeds below `of`, as a test's parameters: those from `every_day` on have the mark long."""
    return [*range(every_day), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(every_day, of))]
