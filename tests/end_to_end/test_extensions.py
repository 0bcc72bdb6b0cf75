"""Pace, cache and meter in a client, against a server that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import CollectorRegistry

from chatloom.exporters.opentelemetry import OpenTelemetry
from chatloom.exporters.prometheus import Prometheus
from chatloom.policies.cache import Cache
from chatloom.policies.meter import Call, Measured, Meter
from chatloom.policies.pace import Pace
from chatserver_sdk import (
    AsyncChatServerClient,
    ChatServerClient,
    ChatServerError,
    ChatServerTimeoutError,
    StreamInterruptedError,
)
from support.live import Live


class Ends(list[Measured]):
    """An exporter that remembers ends."""

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        return self.append


def test_a_shared_pace_holds_both_clients_back(live: Live) -> None:
    pace = Pace(per_minute=1, burst=2)
    with (
        ChatServerClient("paced", live.url, pace=pace, max_retries=0) as one,
        ChatServerClient("paced", live.url, pace=pace, max_retries=0) as other,
    ):
        one.list_models()
        other.list_models()
        with pytest.raises(ChatServerTimeoutError, match="past its deadline"):
            one.with_options(total_timeout=30).list_models()


def test_a_cache_answers_again_and_forgets_what_may_have_changed(live: Live) -> None:
    with ChatServerClient("cached", live.url, cache=Cache()) as client:
        raw = client.with_raw_response
        assert [raw.list_models().attempts for _ in range(3)] == [1, 0, 0]
        client.create_completion("loom/echo", ["Hello!"])
        assert [raw.list_models().attempts for _ in range(2)] == [1, 0]
        with ChatServerClient("another key", live.url, cache=Cache()) as other:
            assert other.with_raw_response.list_models().attempts == 1


def test_a_cold_completion_is_asked_for_once(live: Live) -> None:
    ends, cache = Ends(), Cache(completions=True)

    async def ask() -> list[str]:
        client = AsyncChatServerClient("cold", live.url, cache=cache, meter=Meter(ends))
        async with client:
            stream = client.create_completion("loom/scribe", ["Sing!"], 0, stream=True)
            return [piece async for piece in stream]

    with ChatServerClient("cold", live.url, cache=cache, meter=Meter(ends)) as client:
        first = client.create_completion("loom/scribe", ["Sing!"], 0)
        again = client.create_completion("loom/scribe", ["Sing!"], 0)
        assert first == again
        stream = client.create_completion("loom/scribe", ["Sing!"], 0, stream=True)
        assert "".join(stream) == first.choices[0].message.content
    assert "".join(asyncio.run(ask())) == stream.text
    assert [end.outcome for end in ends] == ["complete", "complete"]


def test_a_meter_measures_both_modes_plain_and_streamed(live: Live) -> None:
    ends = Ends()

    async def ask() -> None:
        async with AsyncChatServerClient("metered", live.url, meter=Meter(ends)) as client:
            await client.create_completion("loom/echo", ["Hello!"])
            await client.create_completion("loom/echo", ["Hello!"], stream=True).collect()

    with ChatServerClient("metered", live.url, meter=Meter(ends)) as client:
        answer = client.create_completion("loom/echo", ["Hello!"])
        client.create_completion("loom/echo", ["Hello!"], stream=True).collect()
    asyncio.run(ask())
    for end in ends:
        assert (end.outcome, end.status, end.attempts) == ("complete", 200, 1)
        assert (end.model, end.finish_reasons) == ("loom/echo", ("stop",))
        assert end.tokens.input == answer.usage.prompt_tokens
        assert end.tokens.output == answer.usage.completion_tokens
    assert [end.first_piece is None for end in ends] == [True, False, True, False]


def test_what_went_wrong_is_measured(live: Live) -> None:
    ends = Ends()
    with ChatServerClient("failing", live.url, meter=Meter(ends)) as client:
        with pytest.raises(ChatServerError):
            client.create_completion("no/such-model", ["Hello!"])
        with pytest.raises(StreamInterruptedError):
            client.create_completion("loom/scribe?cut=3", ["Hello!"], stream=True).collect()
        with client.create_completion("loom/scribe?stall=2", ["Hello!"], stream=True) as stream:
            next(stream)
    assert [(end.outcome, end.error_type) for end in ends] == [
        ("error", "404"),
        ("error", "StreamInterruptedError"),
        ("left", None),
    ]


def test_exporters_are_told_of_real_calls(live: Live) -> None:
    registry, spans, tracers = CollectorRegistry(), InMemorySpanExporter(), TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    observing = OpenTelemetry(tracer_provider=tracers, meter_provider=MeterProvider())
    meter = Meter(Prometheus(registry), observing)
    with ChatServerClient("observed", live.url, meter=meter) as client:
        answer = client.create_completion("loom/echo", ["Hello!"])
        client.list_models()
    labels = {"provider": "chatserver", "operation": "chat", "model": "loom/echo"}
    counted = registry.get_sample_value("chatloom_call_tokens_sum", {**labels, "type": "input"})
    assert counted == answer.usage.prompt_tokens
    chat, models = spans.get_finished_spans()
    assert (chat.name, models.name) == ("chat loom/echo", "GET /v1/models")
    assert (chat.attributes or {})["server.port"] == live.port
