"""Every test that asks for a mode runs with each transport that can do what the test needs."""

from __future__ import annotations

import pytest

from chatloom.core.http import Request
from transports.authorities import Authority
from transports.modes import MODES, Can


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*can): what a transport must be able to do")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the transports for ``mode``, ``blocking_mode`` (those only) or ``async_mode``."""
    for fixture, kinds in _KINDS.items():
        if fixture in metafunc.fixturenames:
            needed = _needed(metafunc)
            modes = [mode for mode in MODES if mode.is_blocking in kinds and needed <= mode.can]
            metafunc.parametrize(fixture, modes, ids=[mode.name for mode in modes])


_KINDS = {
    "mode": {True, False},
    "blocking_mode": {True},
    "async_mode": {False},
}


def _needed(metafunc: pytest.Metafunc) -> set[Can]:
    return {can for mark in metafunc.definition.iter_markers("needs") for can in mark.args}


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def get(request: pytest.FixtureRequest) -> Request:
    """A plain question, with its answer wanted at once or piece by piece."""
    return Request("GET", "/v1/x", streamed=request.param)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
