"""Servers to test against, and async tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from support.live import Live

# No test takes the machine to be fast.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run tests marked ``anyio`` on asyncio."""
    return "asyncio"


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A dev server that all tests share: use keys of your own."""
    server = Live(tmp_path_factory.mktemp("live") / "live.db", "--grace", "1")
    yield server
    server.stop()


Serve = Callable[..., Live]


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Start further servers: ``serve()``, ``serve(dev=False)``, ``serve(database=path)`` …"""
    started: list[Live] = []

    def start(
        *arguments: str,
        database: Path | None = None,
        dev: bool = True,
        config: str | None = None,
        environ: dict[str, str] | None = None,
        port: str | None = "0",
    ) -> Live:
        path = database or tmp_path_factory.mktemp("serve") / "own.db"
        server = Live(path, *arguments, dev=dev, config=config, environ=environ, port=port)
        started.append(server)
        return server

    yield start
    for server in started:
        server.process.terminate()
    for server in started:
        server.stop()
