"""The ``litellm`` package, used as an SDK towards an OpenAI-compatible provider."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Iterable, Iterator
from importlib import import_module
from typing import Protocol, cast

from bench import canned
from bench.clients.entry import MODEL, Client

_FIRST = """
import litellm

answer = litellm.completion(
    model="openai/" + MODEL, messages=MESSAGES, api_base=URL + "/v1", api_key="bench"
)
print(answer.choices[0].message.content)
"""
_FIRST_ASYNC = """
import asyncio
import litellm

async def main():
    answer = await litellm.acompletion(
        model="openai/" + MODEL, messages=MESSAGES, api_base=URL + "/v1", api_key="bench"
    )
    print(answer.choices[0].message.content)

asyncio.run(main())
"""


# Only what is used of a package that need not be there for the type checkers either.
class _Said(Protocol):
    content: str | None


class _Choice(Protocol):
    message: _Said
    delta: _Said


class _Answer(Protocol):
    choices: list[_Choice]


class _Module(Protocol):
    def completion(self, **asked: object) -> object: ...
    def acompletion(self, **asked: object) -> Awaitable[object]: ...


def _asked(url: str, *, stream: bool) -> dict[str, object]:
    return {
        "model": f"openai/{MODEL}",
        "messages": canned.MESSAGES,
        "api_base": f"{url}/v1",
        "api_key": "bench",
        **canned.SETTINGS,
        "stream": stream,
    }


def _litellm() -> _Module:
    return cast("_Module", import_module("litellm"))


def _text(chunk: _Answer) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


class _Blocking:
    def __init__(self, url: str) -> None:
        self._litellm = _litellm()
        self._asked = _asked(url, stream=False)
        self._streamed = _asked(url, stream=True)

    def ask(self) -> str:
        answer = cast("_Answer", self._litellm.completion(**self._asked))
        return answer.choices[0].message.content or ""

    def tell(self) -> Iterator[str]:
        stream = cast("Iterable[_Answer]", self._litellm.completion(**self._streamed))
        return (_text(chunk) for chunk in stream)

    def close(self) -> None:
        """It has nothing to close."""


class _Awaiting:
    def __init__(self, url: str) -> None:
        self._litellm = _litellm()
        self._asked = _asked(url, stream=False)
        self._streamed = _asked(url, stream=True)

    async def ask(self) -> str:
        answer = cast("_Answer", await self._litellm.acompletion(**self._asked))
        return answer.choices[0].message.content or ""

    async def tell(self) -> AsyncIterator[str]:
        stream = await self._litellm.acompletion(**self._streamed)
        async for chunk in cast("AsyncIterable[_Answer]", stream):
            yield _text(chunk)

    async def close(self) -> None:
        """It has nothing to close."""


CLIENT = Client(
    name="litellm",
    needs="litellm",
    imports="litellm",
    first=(_FIRST, _FIRST_ASYNC),
    blocking=_Blocking,
    awaiting=_Awaiting,
)
