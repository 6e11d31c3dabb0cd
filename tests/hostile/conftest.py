"""One firm for all the tests of a file; each test finds it as it was."""

from collections.abc import Iterator

import pytest
from hostile_world import World


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture
def world(shared_world: World) -> World:
    shared_world.restore()
    return shared_world
