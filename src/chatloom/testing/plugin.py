"""The fixtures, for pytest to find by itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatloom.testing import network
from chatloom.testing.server import Server, server


@pytest.fixture
def chatloom() -> Iterator[Server]:
    """A server inside the test, that answers what the test tells it to."""
    with server() as running:
        yield running


@pytest.fixture
def forbid_network() -> Iterator[None]:
    """Nothing in this test reaches the network."""
    with network.forbid_network():
        yield
