"""The ``openai`` package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, cast

from bench import canned
from bench.clients.entry import MODEL, Client

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

_FIRST = """
from openai import OpenAI

with OpenAI(api_key="bench", base_url=URL + "/v1") as client:
    answer = client.chat.completions.create(model=MODEL, messages=MESSAGES)
    print(answer.choices[0].message.content)
"""
_FIRST_ASYNC = """
import asyncio
from openai import AsyncOpenAI

async def main():
    async with AsyncOpenAI(api_key="bench", base_url=URL + "/v1") as client:
        answer = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
        print(answer.choices[0].message.content)

asyncio.run(main())
"""


def _messages() -> list[ChatCompletionMessageParam]:
    return cast("list[ChatCompletionMessageParam]", canned.MESSAGES)


class _Blocking:
    def __init__(self, url: str) -> None:
        from openai import OpenAI

        self._client = OpenAI(api_key="bench", base_url=f"{url}/v1")
        self.close = self._client.close

    def ask(self) -> str:
        answer = self._client.chat.completions.create(
            model=MODEL, messages=_messages(), temperature=0.7, max_tokens=4000, top_p=1.0
        )
        return answer.choices[0].message.content or ""

    def tell(self) -> Iterator[str]:
        stream = self._client.chat.completions.create(
            model=MODEL,
            messages=_messages(),
            temperature=0.7,
            max_tokens=4000,
            top_p=1.0,
            stream=True,
        )
        return (one.choices[0].delta.content or "" for one in stream if one.choices)


class _Awaiting:
    def __init__(self, url: str) -> None:
        from openai import AsyncOpenAI

        self._client = AsyncOpenAI(api_key="bench", base_url=f"{url}/v1")
        self.close = self._client.close

    async def ask(self) -> str:
        answer = await self._client.chat.completions.create(
            model=MODEL, messages=_messages(), temperature=0.7, max_tokens=4000, top_p=1.0
        )
        return answer.choices[0].message.content or ""

    async def tell(self) -> AsyncIterator[str]:
        stream = await self._client.chat.completions.create(
            model=MODEL,
            messages=_messages(),
            temperature=0.7,
            max_tokens=4000,
            top_p=1.0,
            stream=True,
        )
        async for one in stream:
            if one.choices:
                yield one.choices[0].delta.content or ""


CLIENT = Client(
    name="openai",
    needs="openai",
    imports="openai",
    first=(_FIRST, _FIRST_ASYNC),
    blocking=_Blocking,
    awaiting=_Awaiting,
)
