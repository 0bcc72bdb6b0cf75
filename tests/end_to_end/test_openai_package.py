"""The official ``openai`` package, blocking and async, against the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam

from support.live import Live

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there!"}]
WEATHER: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
]
ASKS_FOR_WEATHER: list[ChatCompletionMessageParam] = [
    {"role": "user", "content": '!call get_weather {"city": "Paris"}'}
]


@pytest.fixture
def client(live: Live) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="openai-tests", base_url=f"{live.url}/v1") as client:
        yield client


def test_a_plain_completion(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="loom/echo", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there!"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_streamed_completion(client: openai.OpenAI) -> None:
    chunks = list(
        client.chat.completions.create(
            model="loom/echo",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello there!"
    assert [chunk.usage for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None


def test_the_stream_helper_finds_the_same(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="loom/scribe", messages=HELLO) as stream:
        final = stream.get_final_completion()
    plain = client.chat.completions.create(model="loom/scribe", messages=HELLO)
    assert final.choices[0].message.content == plain.choices[0].message.content


def test_tools_are_called_and_their_results_answered(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(
        model="loom/scribe", messages=ASKS_FOR_WEATHER, tools=WEATHER
    )
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Paris"}')
    asked: ChatCompletionMessageParam = {
        "role": "assistant",
        "tool_calls": [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": "get_weather", "arguments": call.function.arguments},
            }
        ],
    }
    told: ChatCompletionMessageParam = {
        "role": "tool",
        "tool_call_id": call.id,
        "content": "18 degrees and sunny",
    }
    second = client.chat.completions.create(
        model="loom/scribe", messages=[*ASKS_FOR_WEATHER, asked, told], tools=WEATHER
    )
    assert "18 degrees and sunny" in (second.choices[0].message.content or "")
    assert second.system_fingerprint == first.system_fingerprint


def test_streamed_tool_calls_come_in_fragments(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="loom/scribe", messages=ASKS_FOR_WEATHER, tools=WEATHER
    ) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.arguments for call in calls] == ['{"city": "Paris"}']


def test_structured_output_obeys_its_schema(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="loom/scribe",
        messages=HELLO,
        response_format={
            "type": "json_schema",
            "json_schema": {
                "name": "mood",
                "schema": {
                    "type": "object",
                    "properties": {"mood": {"enum": ["fine"]}},
                    "required": ["mood"],
                    "additionalProperties": False,
                },
            },
        },
    )
    assert answer.choices[0].message.content == '{"mood":"fine"}'


def test_the_raw_response_has_turn_and_request_id(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="loom/echo", messages=HELLO, extra_headers={"X-Request-Id": "mine"}
    )
    assert raw.headers["x-request-id"] == "mine"
    assert raw.headers["x-chatloom-turn"]
    assert raw.parse().choices[0].message.content == "Hello there!"


def test_everything_else_a_client_may_send(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="loom/scribe",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}},
                ],
            },
        ],
        n=2,
        seed=7,
        stop=["never said"],
        logprobs=True,
        top_logprobs=1,
        temperature=0,
        max_completion_tokens=9,
        reasoning_effort="low",
        service_tier="auto",
        store=False,
        user="somebody",
        metadata={"purpose": "test"},
    )
    assert [choice.finish_reason for choice in answer.choices] == ["length", "length"]
    for choice in answer.choices:
        assert choice.logprobs is not None
        assert len(choice.logprobs.content or []) == 9


@pytest.mark.parametrize(
    ("key", "model", "error"),
    [
        ("openai-tests", "no/such-model", openai.NotFoundError),
        ("openai-tests", "loom/echo?cut=x", openai.BadRequestError),
    ],
)
def test_errors_are_the_packages_own(
    live: Live, key: str, model: str, error: type[openai.APIStatusError]
) -> None:
    with (
        openai.OpenAI(api_key=key, base_url=f"{live.url}/v1", max_retries=0) as client,
        pytest.raises(error) as caught,
    ):
        client.chat.completions.create(model=model, messages=HELLO)
    assert isinstance(caught.value.body, dict)
    assert caught.value.request_id


def test_a_failed_stream_never_looks_whole(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(model="loom/scribe?cut=3", messages=HELLO, stream=True)
    finishes: list[str | None] = []
    with pytest.raises(openai.APIError, match="the provider stopped"):
        finishes += [chunk.choices[0].finish_reason for chunk in stream]
    assert set(finishes) <= {None}


def test_rate_limited_calls_are_repeated_until_they_succeed(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="loom/echo?429=1", messages=HELLO)
    assert answer.choices[0].message.content == "Hello there!"


def test_the_async_client_too(live: Live) -> None:
    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="openai-tests", base_url=f"{live.url}/v1") as client:
            plain, models = await asyncio.gather(
                client.chat.completions.create(model="loom/echo", messages=HELLO),
                client.models.list(),
            )
            assert plain.choices[0].message.content == "Hello there!"
            assert "loom/scribe" in [model.id for model in models.data]
            stream = await client.chat.completions.create(
                model="loom/echo", messages=HELLO, stream=True
            )
            text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
            assert text == "Hello there!"

    asyncio.run(main())
