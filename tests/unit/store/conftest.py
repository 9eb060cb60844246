from collections.abc import Iterator

import pytest

from tests.unit.store.client import Client, World


@pytest.fixture
def world() -> Iterator[World]:
    """A fresh store; whatever a test did to it, its accounts must be right in the end."""
    world = World()
    yield world
    assert world.store.check() == []


@pytest.fixture
def dom0(world: World) -> Client:
    return world.dom0
