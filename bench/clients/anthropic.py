"""The ``anthropic`` package, which speaks its own wire format."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from importlib import import_module
from typing import Protocol, cast

from bench import canned
from bench.clients.entry import MODEL, Client

_FIRST = """
from anthropic import Anthropic

with Anthropic(api_key="bench", base_url=URL) as client:
    answer = client.messages.create(
        model=MODEL, system=MESSAGES[0]["content"], messages=MESSAGES[1:], max_tokens=4000
    )
    print(answer.content[0].text)
"""
_FIRST_ASYNC = """
import asyncio
from anthropic import AsyncAnthropic

async def main():
    async with AsyncAnthropic(api_key="bench", base_url=URL) as client:
        answer = await client.messages.create(
            model=MODEL, system=MESSAGES[0]["content"], messages=MESSAGES[1:], max_tokens=4000
        )
        print(answer.content[0].text)

asyncio.run(main())
"""


# Only what is used of a package that need not be there for the type checkers either.
class _Text(Protocol):
    text: str


class _Answer(Protocol):
    content: list[_Text]


class _Event(Protocol):
    type: str
    delta: _Text


class _Messages(Protocol):
    def create(self, **asked: object) -> object: ...


class _Client(Protocol):
    messages: _Messages


class _BlockingClient(_Client, Protocol):
    def close(self) -> None: ...


class _AwaitingClient(_Client, Protocol):
    async def close(self) -> None: ...


def _made(name: str, url: str) -> object:
    make = cast("Callable[..., object]", getattr(import_module("anthropic"), name))
    return make(api_key="bench", base_url=url)


def _asked(**more: object) -> dict[str, object]:
    return {
        "model": MODEL,
        "system": canned.MESSAGES[0]["content"],
        "messages": canned.MESSAGES[1:],
        "max_tokens": canned.SETTINGS["max_tokens"],
        **more,
    }


class _Blocking:
    def __init__(self, url: str) -> None:
        self._client = cast("_BlockingClient", _made("Anthropic", url))
        self.close = self._client.close

    def ask(self) -> str:
        return cast("_Answer", self._client.messages.create(**_asked())).content[0].text

    def tell(self) -> Iterator[str]:
        stream = cast("Iterable[_Event]", self._client.messages.create(**_asked(stream=True)))
        return (one.delta.text for one in stream if one.type == "content_block_delta")


class _Awaiting:
    def __init__(self, url: str) -> None:
        self._client = cast("_AwaitingClient", _made("AsyncAnthropic", url))
        self.close = self._client.close

    async def ask(self) -> str:
        answer = cast("Awaitable[_Answer]", self._client.messages.create(**_asked()))
        return (await answer).content[0].text

    async def tell(self) -> AsyncIterator[str]:
        begun = self._client.messages.create(**_asked(stream=True))
        async for one in await cast("Awaitable[AsyncIterable[_Event]]", begun):
            if one.type == "content_block_delta":
                yield one.delta.text


CLIENT = Client(
    name="anthropic",
    needs="anthropic",
    imports="anthropic",
    first=(_FIRST, _FIRST_ASYNC),
    blocking=_Blocking,
    awaiting=_Awaiting,
)
