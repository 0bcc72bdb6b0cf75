"""A stream of either mode, read by a plain test in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.http import Response
from support.scripted import Scripted
from support.toy import AsyncToyClient, ToyClient


class Reader(Protocol):
    """A stream that has been opened."""

    def next(self) -> str | None:
        """Give the next piece; `None` when there are no more."""
        ...

    def rest(self) -> list[str]: ...

    def collect(self) -> str: ...

    def close(self) -> None: ...

    def visit(self, each: Callable[[str], bool]) -> None:
        """Read inside of ``with``, until *each* says that it is enough."""
        ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def text(self) -> str: ...


Open: TypeAlias = Callable[[Response], Reader]
"""Opens a stream that is answered so."""


class BlockingReader:
    """A `Stream`."""

    def __init__(self, answer: Response) -> None:
        self._stream = ToyClient(Engine(Sync, Scripted(answer))).tell()

    def next(self) -> str | None:
        return next(self._stream, None)

    def rest(self) -> list[str]:
        return list(self._stream)

    def collect(self) -> str:
        return self._stream.collect()

    def close(self) -> None:
        self._stream.close()

    def visit(self, each: Callable[[str], bool]) -> None:
        with self._stream as words:
            for word in words:
                if each(word):
                    break

    @property
    def headers(self) -> Mapping[str, str]:
        return self._stream.headers

    @property
    def text(self) -> str:
        return self._stream.text


class AwaitingReader:
    """An `AsyncStream`, on an event loop of the test's own."""

    def __init__(self, answer: Response, loop: asyncio.Runner) -> None:
        self._run = loop.run
        self._stream = AsyncToyClient(Engine(Async, Scripted(answer, suspends=True))).tell()
        self._run(self._opened())

    async def _opened(self) -> None:
        assert await self._stream is self._stream

    def next(self) -> str | None:
        async def one() -> str | None:
            return await anext(self._stream, None)

        return self._run(one())

    def rest(self) -> list[str]:
        async def all_() -> list[str]:
            return [word async for word in self._stream]

        return self._run(all_())

    def collect(self) -> str:
        return self._run(self._stream.collect())

    def close(self) -> None:
        self._run(self._stream.close())

    def visit(self, each: Callable[[str], bool]) -> None:
        async def visit() -> None:
            async with self._stream as words:
                async for word in words:
                    if each(word):
                        break

        self._run(visit())

    @property
    def headers(self) -> Mapping[str, str]:
        return self._stream.headers

    @property
    def text(self) -> str:
        return self._stream.text
