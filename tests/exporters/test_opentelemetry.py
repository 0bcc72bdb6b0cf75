"""What OpenTelemetry is told, in the names of its GenAI conventions."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread

import msgspec
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import ConnectError, SettingsError, StreamError
from chatloom.core.http import JSON, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.exporters.opentelemetry import OpenTelemetry
from chatloom.policies.meter import Meter
from chatloom.policies.retry import Retry
from support.scripted import Answer, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient

STORY = (b"data: once\n\n", b"event: done\ndata:\n\n")
DONE: JSON = {
    "id": "c1",
    "model": "loom/echo-1",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Ho!"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 70},
}


def asking(**fields: JSON) -> Request:
    body = msgspec.json.encode({"model": "loom/echo", **fields})
    return Request("POST", "/v1/chat/completions", body=body)


def answering(answer: JSON = DONE) -> Response:
    return Response(200, body=msgspec.json.encode(answer))


class Observatory:
    """Providers of our own, and what has come in."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.exporter = OpenTelemetry(
            tracer_provider=self.tracers, meter_provider=MeterProvider([self._reader])
        )

    def meter(self, *, content: bool = False) -> Meter:
        return Meter(self.exporter, content=content).at("https://chat.example.org", "chatserver")

    def sent(self, request: Request, *script: Answer, content: bool = False) -> ReadableSpan:
        outside = guard(Scripted(*script), [self.meter(content=content), Retry()])
        with suppress(ConnectError):
            run_inline(outside.send(request))
        return self.span

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Those that have ended, in the order of their ends."""
        return self._spans.get_finished_spans()

    @property
    def span(self) -> ReadableSpan:
        """The one span there is."""
        (span,) = self.spans
        return span

    def points(self, name: str) -> list[HistogramDataPoint]:
        """The points of a histogram."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
            if isinstance(point, HistogramDataPoint)
        ]


@pytest.fixture
def sky() -> Observatory:
    return Observatory()


def attributes(span: ReadableSpan) -> Mapping[str, object]:
    return dict(span.attributes or {})


def test_a_call_is_a_client_span_with_the_conventions_names(sky: Observatory) -> None:
    span = sky.sent(asking(temperature=0, max_tokens=50), answering())
    assert (span.name, span.kind) == ("chat loom/echo", SpanKind.CLIENT)
    assert span.status.status_code is StatusCode.UNSET
    assert attributes(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "chatserver",
        "gen_ai.request.model": "loom/echo",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.0,
        "gen_ai.request.max_tokens": 50,
        "gen_ai.response.id": "c1",
        "gen_ai.response.model": "loom/echo-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 5,
        "gen_ai.usage.output_tokens": 70,
        "http.response.status_code": 200,
        "server.address": "chat.example.org",
        "server.port": 443,
        "chatloom.outcome": "complete",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"top_p": 0.5, "top_k": 3}, {"top_p": 0.5, "top_k": 3.0}),
        (
            {"presence_penalty": 1, "frequency_penalty": -1},
            {"presence_penalty": 1.0, "frequency_penalty": -1.0},
        ),
        ({"n": 1}, {}),
        ({"n": 2, "seed": 7}, {"choice.count": 2, "seed": 7}),
        ({"stop": "x"}, {"stop_sequences": ("x",)}),
        ({"stop": ["x", "y"]}, {"stop_sequences": ("x", "y")}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": "warm", "seed": "s", "max_tokens": None}, {}),
    ],
)
def test_parameters_are_told(
    sky: Observatory, given: dict[str, JSON], expected: dict[str, object]
) -> None:
    told = attributes(sky.sent(asking(**given), answering()))
    prefix = "gen_ai.request."
    found = {name.removeprefix(prefix): told[name] for name in told if name.startswith(prefix)}
    assert found == {"model": "loom/echo", "stream": False, **expected}


def test_a_call_without_a_model_is_named_by_what_it_does(sky: Observatory) -> None:
    span = sky.sent(Request("GET", "/v1/models"), Response(200))
    assert span.name == "GET /v1/models"
    assert not {"gen_ai.request.model", "gen_ai.response.finish_reasons"} & attributes(span).keys()


@pytest.mark.parametrize(
    ("script", "error_type", "resent"),
    [
        ([Response(404)], "404", None),
        ([Response(429), Response(429), Response(429)], "429", 2),
        ([ConnectError("refused")] * 3, "ConnectError", 2),
    ],
)
def test_a_failure_is_an_error(
    sky: Observatory, script: list[Answer], error_type: str, resent: int | None
) -> None:
    span = sky.sent(asking(), *script)
    told = attributes(span)
    assert span.status.status_code is StatusCode.ERROR
    assert span.status.description == ("refused" if error_type == "ConnectError" else None)
    assert told["error.type"] == error_type
    assert told.get("http.request.resend_count") == resent
    (duration,) = sky.points("gen_ai.client.operation.duration")
    assert dict(duration.attributes or {})["error.type"] == error_type


def test_durations_and_tokens_are_histograms(sky: Observatory) -> None:
    sky.sent(asking(), Response(429), answering())
    where = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "chatserver",
        "gen_ai.request.model": "loom/echo",
        "gen_ai.response.model": "loom/echo-1",
        "server.address": "chat.example.org",
        "server.port": 443,
    }
    (duration,) = sky.points("gen_ai.client.operation.duration")
    assert (duration.sum, dict(duration.attributes or {})) == (0.5, where)
    assert duration.explicit_bounds[:3] == (0.01, 0.02, 0.04)
    tokens = {
        dict(point.attributes or {})["gen_ai.token.type"]: point.sum
        for point in sky.points("gen_ai.client.token.usage")
    }
    assert tokens == {"input": 5, "output": 70}
    assert sky.points("gen_ai.client.operation.time_to_first_chunk") == []


def test_a_measurement_can_be_traced_to_its_span(sky: Observatory) -> None:
    span = sky.sent(asking(), answering())
    (duration,) = sky.points("gen_ai.client.operation.duration")
    (exemplar,) = duration.exemplars
    assert span.context is not None
    assert exemplar.span_id == span.context.span_id


def test_a_stream_is_one_span_until_its_reader_is_through(sky: Observatory) -> None:
    story = ToyClient(Engine(Sync, Scripted(arriving(*STORY)), [sky.meter()])).tell()
    assert sky.spans == ()
    reader = Thread(target=story.collect)
    reader.start()
    reader.join()
    told = attributes(sky.span)
    assert told["gen_ai.request.stream"] is True
    assert told["gen_ai.response.time_to_first_chunk"] == 0.0
    assert len(sky.points("gen_ai.client.operation.time_to_first_chunk")) == 1


def test_a_stream_that_broke_off_is_an_error(sky: Observatory) -> None:
    story = ToyClient(Engine(Sync, Scripted(arriving(STORY[0])), [sky.meter()])).tell()
    with pytest.raises(StreamError):
        story.collect()
    assert sky.span.status.status_code is StatusCode.ERROR
    assert attributes(sky.span)["error.type"] == "Truncated"


def test_a_stream_left_early_is_none(sky: Observatory) -> None:
    with ToyClient(Engine(Sync, Scripted(arriving(*STORY)), [sky.meter()])).tell():
        pass
    assert sky.span.status.status_code is StatusCode.UNSET
    assert attributes(sky.span)["chatloom.outcome"] == "left"


def test_a_span_is_beneath_the_callers(sky: Observatory) -> None:
    tracer = sky.tracers.get_tracer("the caller")

    async def ask(name: str) -> None:
        world = Scripted(arriving(*STORY), suspends=True)
        with tracer.start_as_current_span(name):
            await AsyncToyClient(Engine(Async, world, [sky.meter()])).tell().collect()

    async def main() -> None:
        await asyncio.gather(ask("one"), ask("other"))

    asyncio.run(main())
    ours = [span for span in sky.spans if span.kind is SpanKind.CLIENT]
    above = {span.context.span_id: span.name for span in sky.spans if span.context is not None}
    assert {above[span.parent.span_id] for span in ours if span.parent} == {"one", "other"}


CALL: JSON = {
    "id": "t1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Paris"}'},
}
IMAGE: JSON = {"type": "image_url", "image_url": {"url": "data:,"}}

MESSAGES: list[tuple[JSON, JSON]] = [
    (
        [{"role": "user", "content": "Hi!"}],
        [{"role": "user", "parts": [{"type": "text", "content": "Hi!"}]}],
    ),
    (
        [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}],
        [{"role": "user", "parts": [{"type": "text", "content": "What is it?"}, IMAGE]}],
    ),
    (
        [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
        [
            {
                "role": "assistant",
                "parts": [
                    {
                        "type": "tool_call",
                        "id": "t1",
                        "name": "weather",
                        "arguments": '{"city": "Paris"}',
                    }
                ],
            }
        ],
    ),
    (
        [{"role": "tool", "tool_call_id": "t1", "content": "rainy"}],
        [
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "t1", "response": "rainy"}],
            }
        ],
    ),
    ("Hi!", [{"role": "user", "parts": [{"type": "text", "content": "Hi!"}]}]),
    (
        [5, {}],
        [
            {"role": "user", "parts": [{"type": "text", "content": "5"}]},
            {"role": "user", "parts": []},
        ],
    ),
]


@pytest.mark.parametrize(("said", "told"), MESSAGES)
def test_messages_are_told_where_asked_for(sky: Observatory, said: JSON, told: JSON) -> None:
    found = attributes(sky.sent(asking(messages=said), answering(), content=True))
    assert json.loads(str(found["gen_ai.input.messages"])) == told
    assert json.loads(str(found["gen_ai.output.messages"])) == [
        {
            "role": "assistant",
            "parts": [{"type": "text", "content": "Ho!"}],
            "finish_reason": "stop",
        }
    ]


def test_nothing_that_was_said_is_told_unasked(sky: Observatory) -> None:
    span = sky.sent(asking(messages=["canary"]), answering())
    assert not {"gen_ai.input.messages", "gen_ai.output.messages"} & attributes(span).keys()
    assert "canary" not in span.to_json()


def test_a_scope_tells_its_version_and_that_of_the_conventions(sky: Observatory) -> None:
    from chatloom import __version__

    scope = sky.sent(asking(), answering()).instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version) == ("chatloom", __version__)
    assert scope.schema_url == "https://opentelemetry.io/schemas/1.41.1"


def test_without_a_provider_nothing_is_kept_and_nothing_fails() -> None:
    response = run_inline(Meter(OpenTelemetry())(asking(), Scripted(answering())))
    assert response.status == 200


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(SettingsError, match=r"pip install 'chatloom\[otel\]'"):
        OpenTelemetry()
