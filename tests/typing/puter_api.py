"""What callers of the Puter SDK see, checked by mypy and pyright. Never run.

Each public name must be here, and the mistakes below must be mistakes to both.
"""

# What is mistaken is unknown, too:
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_type

import httpx

from chatloom import (
    AnswerError,
    ChatloomError,
    ConnectError,
    StatusError,
    StreamError,
    TransportError,
    Truncated,
)
from chatloom.core.http import JSON
from chatloom.core.secret import Secret
from puter import (
    Answer,
    AsyncChatStream,
    ChatMessage,
    ChatStream,
    ConfigOptions,
    ContentPart,
    Driver,
    ModelUsage,
    Plugin,
    PuterAI,
    PuterAnswerError,
    PuterAPIError,
    PuterAuthError,
    PuterConfig,
    PuterConnectionError,
    PuterError,
    PuterRateLimitError,
    PuterSecondFactorError,
    PuterStatusError,
    PuterStreamError,
    PuterTimeoutError,
    PuterToolError,
    PuterToolLimitError,
    PuterTruncatedError,
    PuterUnreachableError,
    Serializer,
    Tool,
    ToolCall,
    Usage,
    config,
    installed_plugins,
)


def add(a: int, b: int) -> int:
    return a + b


class Format:
    content_type = "application/x-own"

    def encode(self, payload: object, /) -> bytes:
        return repr(payload).encode()

    def decode(self, body: bytes, /) -> JSON:
        return body.decode()


class Poet(Driver):
    method = "rhyme"

    def arguments(self, args: Mapping[str, object]) -> Mapping[str, object]:
        return {"verse": args["messages"]}

    def answer(self, told: JSON) -> Answer:
        return Answer(text=str(told))


def setting_up(path: Path) -> None:
    assert_type(config, PuterConfig)
    assert_type((config.api_base, config.login_url), tuple[str, str])
    assert_type((config.timeout, config.max_retries), tuple[float | None, int])
    assert_type((config.retry_delay, config.backoff_factor), tuple[float, float])
    assert_type((config.rate_limit_requests, config.rate_limit_period), tuple[int | None, float])
    assert_type(config.headers, dict[str, str])
    config.timeout = 5
    config.update(timeout=None, headers={"X-Team": "weaving"})
    options: ConfigOptions = {"max_history_messages": 20, "max_history_tokens": 8000}
    assert_type(PuterConfig(**options).load(path).copy(timeout=5), PuterConfig)
    serializer: Serializer = Format()
    plugin = Plugin(tools=[add], drivers=[Poet("poet")], models={"muse": "poet"})
    PuterAI("ann", "secret", timeout=10, serializer=serializer, plugins=[plugin, "weather"])
    PuterAI(token=Secret("t"), config=config, drivers=[Poet("poet")], http_client=httpx.Client())
    assert_type(installed_plugins(), list[str])


def blocking(flag: bool, parts: Sequence[ContentPart]) -> None:
    with PuterAI(token="t") as client:
        assert_type(client.login(), bool)
        assert_type(client.login(otp="123456"), bool)
        assert_type(client.chat("hi"), str)
        assert_type(client.chat("hi", "gpt-5", temperature=0, max_tokens=5), str)
        assert_type(client.chat(images=["https://x.test/a.png"], content_parts=parts), str)
        assert_type(client.chat("hi", stream=False), str)
        assert_type(client.chat("hi", stream=flag), str | ChatStream)
        stream = client.chat("hi", stream=True, tools=[add, Tool(add, name="plus")])
        assert_type(stream, ChatStream)
        assert_type(next(stream), str)
        assert_type(stream.collect(), str)
        assert_type((stream.reasoning, stream.usage), tuple[str, JSON])
        assert_type(stream.metadata, Mapping[str, JSON])
        assert_type(stream.tool_calls, Sequence[ToolCall])
        assert_type(client.get_available_models(), list[str])
        assert_type(client.set_model("gpt-5"), bool)
        assert_type(client.chat_history, list[ChatMessage])
        assert_type(client.available_models, dict[str, str])
        assert_type((client.current_model, client.token), tuple[str, Secret | None])
        assert_type(client.usage, Usage)
        assert_type(client.metadata, Mapping[str, JSON])
        assert_type(client.usage.models, Mapping[str, ModelUsage])
        client.chat_history = [{"role": "system", "content": "Be brief."}]
        client.clear_chat_history()


async def awaited() -> None:
    async with PuterAI(token="t") as client:
        assert_type(await client.async_login(), bool)
        assert_type(await client.async_chat("hi", max_tool_rounds=2, tool_errors="raise"), str)
        assert_type(await client.async_get_available_models(), list[str])
        first, second = await asyncio.gather(client.async_chat("a"), client.async_login())
        assert_type((first, second), tuple[str, bool])
        async with client.astream("hi") as stream:
            assert_type(stream, AsyncChatStream)
            async for piece in stream:
                assert_type(piece, str)
        assert_type(await client.astream("hi").collect(), str)


def errors(error: PuterError, broken: PuterStreamError) -> None:
    assert_type((error.message, error.code), tuple[str, str | None])
    assert_type((error.status_code, error.status), tuple[int | None, int | None])
    assert_type((error.request_id, error.body), tuple[str | None, JSON])
    assert_type((broken.text, broken.resume_token), tuple[str, str | None])
    statuses: list[type[StatusError]] = [
        PuterAuthError,
        PuterSecondFactorError,
        PuterStatusError,
        PuterRateLimitError,
    ]
    calls: list[type[PuterAPIError]] = [PuterStatusError, PuterToolError, PuterToolLimitError]
    late: type[TimeoutError] = PuterTimeoutError
    lost: type[TransportError] = PuterConnectionError
    unsent: type[ConnectError] = PuterUnreachableError
    cut: type[StreamError] = PuterStreamError
    truncated: type[Truncated] = PuterTruncatedError
    unreadable: type[AnswerError] = PuterAnswerError
    every: list[type[ChatloomError]] = [*statuses, *calls, lost, unsent, cut, truncated, unreadable]
    assert_type((every[0]("why").message, late("why").errno), tuple[str, int | None])


def mistakes(client: PuterAI) -> None:
    client.chat("hi", temprature=1)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    client.chat("hi", temperature="hot")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    client.chat(5)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
    client.chat("hi", tools=["add"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
    client.chat("hi").collect()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    client.login("123456")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    client.async_chat("hi")  # type: ignore[unused-coroutine]  # pyright: ignore[reportUnusedCoroutine]
    client.usage.requests = 5  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
    client.chat_history = [{"role": "robot", "content": ""}]  # type: ignore[typeddict-item]  # pyright: ignore[reportAttributeAccessIssue]
    config.timeout = "soon"  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    config.time_out = 5  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    PuterAI("ann", "secret", time_out=5)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    PuterConfig(max_retries="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    for _ in client.astream("hi"):  # type: ignore[attr-defined]  # pyright: ignore[reportGeneralTypeIssues]
        pass
