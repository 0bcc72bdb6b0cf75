"""Fixtures that run a test once with each mode."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest

from support.readers import AwaitingReader, BlockingReader, Open


@pytest.fixture(params=["blocking", "async"])
def opened(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a stream that is answered with a given response, in either mode."""
    if request.param == "blocking":
        yield BlockingReader
        return
    with asyncio.Runner() as loop:
        yield partial(AwaitingReader, loop=loop)
