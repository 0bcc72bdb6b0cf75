"""Health: each part is really tried, and a server that cannot write says so."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from chatloom import __version__
from support.live import Live

HEALTH = "/api/health"


@pytest.fixture
def server(serve: Callable[..., Live]) -> Iterator[Live]:
    running = serve(dev=False)
    yield running
    running.stop()


def test_a_server_that_is_well_says_so_to_everybody(server: Live) -> None:
    answer = server.call("GET", HEALTH)
    told = answer.json
    assert (answer.status, told["status"], told["success"]) == (200, "healthy", True)
    assert (told["service"], told["version"]) == ("infinityassistant", __version__)
    assert {"database", "models"} <= set(told["checks"])
    assert {one["status"] for one in told["checks"].values()} == {"healthy"}
    assert all(one["milliseconds"] >= 0 for one in told["checks"].values())
    assert told["timestamp"].endswith("Z")


def test_a_store_that_takes_no_writes_is_critical(server: Live) -> None:
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = server.call("GET", HEALTH)
        assert (answer.status, answer.json["status"]) == (503, "critical")
        assert answer.json["checks"]["database"]["status"] == "critical"
        assert answer.json["checks"]["models"]["status"] == "healthy"
        assert answer.json["success"] is False
        other.execute("ROLLBACK")
    assert server.call("GET", HEALTH).json["status"] == "healthy"


def test_looking_changes_nothing(server: Live) -> None:
    before = server.dump()
    server.call("GET", HEALTH)
    assert server.dump() == before


def test_what_ails_a_server_is_told_without_its_insides(server: Live) -> None:
    with closing(sqlite3.connect(server.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = server.call("GET", HEALTH).body.decode()
        other.execute("ROLLBACK")
    assert str(server.database.parent) not in told
    assert "Traceback" not in told
