"""What Prometheus is told."""

from __future__ import annotations

import sys
from contextlib import suppress

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import ConnectError, SettingsError
from chatloom.core.http import JSON, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.exporters.prometheus import Prometheus
from chatloom.policies.meter import Meter
from chatloom.policies.retry import Retry
from support.scripted import Answer, Scripted, arriving
from support.toy import ToyClient

ASKED = Request("POST", "/v1/chat/completions", body=b'{"model": "m"}')
USAGE: JSON = {"prompt_tokens": 5, "completion_tokens": 70}
ANSWERED = Response(200, body=msgspec.json.encode({"usage": USAGE}))
CHAT = {"provider": "chatserver", "operation": "chat", "model": "m"}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def sent(registry: CollectorRegistry, request: Request, *script: Answer) -> None:
    meter = Meter(Prometheus(registry)).at("http://localhost", "chatserver")
    with suppress(ConnectError):
        run_inline(guard(Scripted(*script), [meter, Retry()]).send(request))


def test_a_call_is_counted_by_how_it_ended(registry: CollectorRegistry) -> None:
    sent(registry, ASKED, ANSWERED)
    sent(registry, ASKED, Response(429), ANSWERED)
    sent(registry, ASKED, Response(404))
    sent(registry, ASKED, *[ConnectError("refused")] * 3)

    def calls(outcome: str, error: str) -> float | None:
        labels = {**CHAT, "outcome": outcome, "error": error}
        return registry.get_sample_value("chatloom_calls_total", labels)

    assert calls("complete", "") == 2
    assert calls("error", "404") == 1
    assert calls("error", "ConnectError") == 1
    assert registry.get_sample_value("chatloom_attempts_total", CHAT) == 1 + 2 + 1 + 3


def test_times_and_tokens_are_divided_into_buckets(registry: CollectorRegistry) -> None:
    sent(registry, ASKED, Response(429), ANSWERED)

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(name, {**CHAT, **labels})

    assert value("chatloom_call_seconds_sum") == 0.5
    assert value("chatloom_call_seconds_bucket", le="0.32") == 0
    assert value("chatloom_call_seconds_bucket", le="0.64") == 1
    assert value("chatloom_call_tokens_sum", type="input") == 5
    assert value("chatloom_call_tokens_sum", type="output") == 70
    assert value("chatloom_call_tokens_bucket", type="output", le="64.0") == 0
    assert value("chatloom_first_piece_seconds_count") is None


def test_the_first_piece_of_a_stream_is_timed(registry: CollectorRegistry) -> None:
    outside = Scripted(arriving(b"data: once\n\n", b"event: done\ndata:\n\n"))
    ToyClient(Engine(Sync, outside, [Meter(Prometheus(registry))])).tell().collect()
    labels = {"provider": "chatloom", "operation": "POST /tell", "model": ""}
    assert registry.get_sample_value("chatloom_first_piece_seconds_count", labels) == 1


def test_labels_do_not_grow_without_end(registry: CollectorRegistry) -> None:
    for user in range(150):
        word = "".join(chr(ord("a") + int(digit)) for digit in str(user))
        sent(registry, Request("GET", f"/users/{word}"), Response(200))
    (family,) = (one for one in registry.collect() if one.name == "chatloom_attempts")
    counts = {
        sample.labels["operation"]: sample.value
        for sample in family.samples
        if sample.name.endswith("_total")
    }
    assert len(counts) == 101
    assert counts["other"] == 50


def test_nothing_that_was_said_is_told(registry: CollectorRegistry) -> None:
    body = msgspec.json.encode({"model": "m", "messages": ["canary"]})
    meter = Meter(Prometheus(registry), content=True)
    answer = Response(200, body=b'{"choices": [{"message": {"content": "canary"}}]}')
    run_inline(meter(Request("POST", "/v1/chat/completions", body=body), Scripted(answer)))
    assert b"canary" not in generate_latest(registry)


def test_exporters_share_a_registry(registry: CollectorRegistry) -> None:
    for _ in range(3):
        sent(registry, ASKED, ANSWERED)  # each with an exporter of its own
    labels = {**CHAT, "outcome": "complete", "error": ""}
    assert registry.get_sample_value("chatloom_calls_total", labels) == 3


def test_the_librarys_own_registry_is_taken_unless_told_otherwise() -> None:
    from prometheus_client import REGISTRY

    run_inline(Meter(Prometheus())(ASKED, Scripted(ANSWERED)))
    labels = {**CHAT, "provider": "chatloom"}
    assert REGISTRY.get_sample_value("chatloom_attempts_total", labels) == 1


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(SettingsError, match=r"pip install 'chatloom\[prometheus\]'"):
        Prometheus()
