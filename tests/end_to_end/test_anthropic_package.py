"""The official ``anthropic`` package, blocking and async, against the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import anthropic
import pytest
from anthropic.types import Message, MessageParam, TextBlock, ToolParam, ToolUseBlock

from support.live import Live

HELLO: list[MessageParam] = [{"role": "user", "content": "Hello there!"}]
WEATHER: list[ToolParam] = [
    {
        "name": "get_weather",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    }
]
ASKS_FOR_WEATHER: list[MessageParam] = [
    {"role": "user", "content": '!call get_weather {"city": "Paris"}'}
]


_numbers = count()


@pytest.fixture
def key() -> str:
    """A key nobody else has, and so an account of its own."""
    return f"anthropic-{next(_numbers)}"


@pytest.fixture
def client(live: Live, key: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(api_key=key, base_url=live.url) as client:
        yield client


def test_a_plain_message(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="loom/echo", max_tokens=100, messages=HELLO)
    assert answer.content == [TextBlock(type="text", text="Hello there!")]
    assert (answer.role, answer.stop_reason) == ("assistant", "end_turn")
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens == 3


def test_a_raw_stream(client: anthropic.Anthropic) -> None:
    stream = client.messages.create(model="loom/echo", max_tokens=100, messages=HELLO, stream=True)
    events = list(stream)
    text = "".join(
        event.delta.text
        for event in events
        if event.type == "content_block_delta" and event.delta.type == "text_delta"
    )
    assert text == "Hello there!"
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]


def test_the_stream_helper_finds_the_same(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="loom/scribe", max_tokens=500, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    plain = client.messages.create(model="loom/scribe", max_tokens=500, messages=HELLO)
    assert text == text_of(final) == text_of(plain)
    assert final.usage == plain.usage
    assert final.stop_reason == plain.stop_reason


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_tools_are_called_and_their_results_answered(
    client: anthropic.Anthropic, streamed: bool
) -> None:
    first: Message
    if streamed:
        with client.messages.stream(
            model="loom/scribe", max_tokens=500, messages=ASKS_FOR_WEATHER, tools=WEATHER
        ) as stream:
            first = stream.get_final_message()
    else:
        first = client.messages.create(
            model="loom/scribe", max_tokens=500, messages=ASKS_FOR_WEATHER, tools=WEATHER
        )
    (call,) = first.content
    assert first.stop_reason == "tool_use"
    assert isinstance(call, ToolUseBlock)
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
    asked: MessageParam = {"role": "assistant", "content": first.content}
    told: MessageParam = {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": call.id, "content": "18 degrees and sunny"}
        ],
    }
    second = client.messages.create(
        model="loom/scribe",
        max_tokens=500,
        messages=[*ASKS_FOR_WEATHER, asked, told],
        tools=WEATHER,
    )
    assert "18 degrees and sunny" in text_of(second)
    assert conversation_of(second) == conversation_of(first) != ""


def text_of(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def conversation_of(message: Message) -> object:
    return (message.model_extra or {})["conversation_id"]


def test_a_conversation_goes_on_by_its_id(
    client: anthropic.Anthropic, live: Live, key: str
) -> None:
    first = client.messages.create(model="loom/scribe", max_tokens=50, messages=HELLO)
    id = conversation_of(first)
    second = client.messages.create(
        model="loom/scribe",
        max_tokens=50,
        messages=[{"role": "user", "content": "And now?"}],
        extra_body={"metadata": {"conversation_id": id}},
    )
    assert conversation_of(second) == id
    kept = live.call("GET", f"/v1/conversations/{id}", key=key).json
    assert kept["message_count"] == 4


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    counted = client.messages.count_tokens(model="loom/echo", messages=HELLO, system="Be brief.")
    answer = client.messages.create(
        model="loom/echo", max_tokens=100, messages=HELLO, system="Be brief."
    )
    assert counted.input_tokens == answer.usage.input_tokens


def test_everything_else_a_client_may_send(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="loom/scribe",
        max_tokens=9,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"},
                    },
                    {"type": "text", "text": "What is this?"},
                ],
            },
        ],
        metadata={"user_id": "somebody"},
        service_tier="auto",
        stop_sequences=["never said"],
        thinking={"type": "enabled", "budget_tokens": 1024},
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        tools=WEATHER,
        extra_body={"temperature": 0, "top_k": 5, "top_p": 0.9},
    )
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 9


@pytest.mark.parametrize(
    ("model", "error", "type"),
    [
        ("no/such-model", anthropic.NotFoundError, "not_found_error"),
        ("loom/echo?cut=x", anthropic.BadRequestError, "invalid_request_error"),
        ("loom/echo?429=9", anthropic.RateLimitError, "rate_limit_error"),
        ("loom/scribe?cut=3", anthropic.InternalServerError, "api_error"),
    ],
)
def test_errors_are_the_packages_own(
    live: Live, key: str, model: str, error: type[anthropic.APIStatusError], type: str
) -> None:
    with (
        anthropic.Anthropic(api_key=key, base_url=live.url, max_retries=0) as client,
        pytest.raises(error) as caught,
    ):
        client.messages.create(model=model, max_tokens=100, messages=HELLO)
    assert caught.value.type == type
    assert caught.value.api_message
    assert caught.value.error_code


def test_a_failed_stream_never_looks_whole(client: anthropic.Anthropic) -> None:
    stream = client.messages.create(
        model="loom/scribe?cut=3", max_tokens=100, messages=HELLO, stream=True
    )
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="the provider stopped"):
        seen += [event.type for event in stream]
    assert "message_stop" not in seen
    assert "message_delta" not in seen


def test_rate_limited_calls_are_repeated_until_they_succeed(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(model="loom/echo?429=1", max_tokens=100, messages=HELLO)
    assert answer.content == [TextBlock(type="text", text="Hello there!")]


def test_the_async_client_too(live: Live, key: str) -> None:
    async def main() -> None:
        async with anthropic.AsyncAnthropic(api_key=key, base_url=live.url) as client:
            plain, counted = await asyncio.gather(
                client.messages.create(model="loom/echo", max_tokens=100, messages=HELLO),
                client.messages.count_tokens(model="loom/echo", messages=HELLO),
            )
            assert plain.usage.input_tokens == counted.input_tokens
            async with client.messages.stream(
                model="loom/echo", max_tokens=100, messages=HELLO
            ) as stream:
                text = "".join([piece async for piece in stream.text_stream])
            assert text == "Hello there!"

    asyncio.run(main())
