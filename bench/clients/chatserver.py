"""Our SDK for ChatServer."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable

from bench import canned
from bench.clients.entry import MODEL, Client

_FIRST = """
from chatserver_sdk import ChatServerClient

with ChatServerClient("bench", URL) as client:
    print(client.create_completion(MODEL, MESSAGES).choices[0].message.content)
"""
_FIRST_ASYNC = """
import asyncio
from chatserver_sdk import AsyncChatServerClient

async def main():
    async with AsyncChatServerClient("bench", URL) as client:
        answer = await client.create_completion(MODEL, MESSAGES)
        print(answer.choices[0].message.content)

asyncio.run(main())
"""


class _Blocking:
    def __init__(self, url: str) -> None:
        from chatserver_sdk import ChatServerClient

        self._client = ChatServerClient("bench", url)
        self.close = self._client.close

    def ask(self) -> str:
        answer = self._client.create_completion(MODEL, canned.MESSAGES, 0.7, 4000, 1.0)
        return answer.choices[0].message.content

    def tell(self) -> Iterable[str]:
        return self._client.create_completion(MODEL, canned.MESSAGES, 0.7, 4000, 1.0, True)


class _Awaiting:
    def __init__(self, url: str) -> None:
        from chatserver_sdk import AsyncChatServerClient

        self._client = AsyncChatServerClient("bench", url)
        self.close = self._client.close

    async def ask(self) -> str:
        answer = await self._client.create_completion(MODEL, canned.MESSAGES, 0.7, 4000, 1.0)
        return answer.choices[0].message.content

    def tell(self) -> AsyncIterable[str]:
        return self._client.create_completion(MODEL, canned.MESSAGES, 0.7, 4000, 1.0, True)


CLIENT = Client(
    name="chatserver",
    needs="chatloom-chatserver",
    imports="chatserver_sdk",
    first=(_FIRST, _FIRST_ASYNC),
    blocking=_Blocking,
    awaiting=_Awaiting,
    is_ours=True,
)
