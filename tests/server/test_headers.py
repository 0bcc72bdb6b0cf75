"""What every answer carries, and the small routes."""

from __future__ import annotations

import pytest

from support.live import Live

KEY = "headers"


@pytest.mark.parametrize(
    ("given", "kept"),
    [("mine-1", True), ("x" * 128, True), ("x" * 129, False), ("caf\xe9", False), ("", False)],
)
def test_a_request_id_is_echoed_where_it_is_harmless(live: Live, given: str, kept: bool) -> None:
    told = live.call("GET", "/health", headers={"X-Request-Id": given}).headers["x-request-id"]
    assert told
    assert (told == given) == kept


PROTECTION = {
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}


@pytest.mark.parametrize("path", ["/health", "/docs", "/v1/models", "/nowhere"])
def test_every_answer_carries_protection(live: Live, path: str) -> None:
    assert live.call("GET", path).headers.items() >= PROTECTION.items()


def test_a_stream_carries_protection_and_is_not_buffered(live: Live) -> None:
    headers = live.events("Hello!", key=KEY).headers
    assert headers.items() >= {**PROTECTION, "x-accel-buffering": "no"}.items()
    assert headers["x-request-id"]
    assert "server" not in headers
    assert "access-control-allow-origin" not in headers


def test_models_are_listed_as_clients_expect(live: Live) -> None:
    told = live.call("GET", "/v1/models", key=KEY).json
    assert told["object"] == "list"
    assert {"loom/echo", "loom/scribe"} <= {model["id"] for model in told["data"]}
    assert all(model["object"] == "model" and model["owned_by"] for model in told["data"])


def test_health_and_readiness_need_no_key(live: Live) -> None:
    assert live.call("GET", "/health").json["status"] == "healthy"
    assert live.call("GET", "/ready").json == {"status": "ready", "store": "ok"}
