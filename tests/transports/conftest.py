"""Every test that asks for a mode runs with both transports."""

from __future__ import annotations

import pytest

from chatloom.core.http import Request
from chatloom.transports.aio import AioTransport
from chatloom.transports.blocking import BlockingTransport
from transports.authorities import Authority
from transports.modes import Mode


@pytest.fixture(params=[BlockingTransport, AioTransport], ids=["blocking", "aio"])
def mode(request: pytest.FixtureRequest) -> Mode:
    return Mode(request.param)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def get(request: pytest.FixtureRequest) -> Request:
    """A plain question, with its answer wanted at once or piece by piece."""
    return Request("GET", "/v1/x", streamed=request.param)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
