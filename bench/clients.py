"""One measurement of one client, in a process of its own.

    python -m bench.clients NAME SCENARIO N [PORT]

Names are those of `CLIENTS`; scenarios are ``request`` (for async clients with 64
in flight), ``burst`` and ``paced``; N is how many requests, or streams of 1,001
events. Prints the CPU microseconds of one request or one event, user and system,
of the whole process once it is warm. Without PORT it starts an upstream of its own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from bench import canned
from bench.processes import announce, started

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionMessageParam

IN_FLIGHT = 64
_MODEL = "canned-model"


class Blocking(Protocol):
    """A client that blocks."""

    def ask(self) -> str: ...
    def tell(self) -> str: ...
    def close(self) -> None: ...


class Awaiting(Protocol):
    """A client that is awaited."""

    async def ask(self) -> str: ...
    async def tell(self) -> str: ...
    async def close(self) -> None: ...


class _Chatloom:
    def __init__(self, port: int, prefix: str) -> None:
        from chatserver_sdk import ChatServerClient

        self._client = ChatServerClient("bench", f"http://127.0.0.1:{port}{prefix}")
        self.close = self._client.close

    def ask(self) -> str:
        answer = self._client.create_completion(_MODEL, canned.MESSAGES, 0.7, 4000, 1.0)
        return answer.choices[0].message.content

    def tell(self) -> str:
        stream = self._client.create_completion(_MODEL, canned.MESSAGES, 0.7, 4000, 1.0, True)
        return "".join(stream)


class _AsyncChatloom:
    def __init__(self, port: int, prefix: str) -> None:
        from chatserver_sdk import AsyncChatServerClient

        self._client = AsyncChatServerClient("bench", f"http://127.0.0.1:{port}{prefix}")
        self.close = self._client.close

    async def ask(self) -> str:
        answer = await self._client.create_completion(_MODEL, canned.MESSAGES, 0.7, 4000, 1.0)
        return answer.choices[0].message.content

    async def tell(self) -> str:
        stream = self._client.create_completion(_MODEL, canned.MESSAGES, 0.7, 4000, 1.0, True)
        return "".join([text async for text in stream])


def _params() -> list[ChatCompletionMessageParam]:
    return cast("list[ChatCompletionMessageParam]", canned.MESSAGES)


class _OpenAI:
    def __init__(self, port: int, prefix: str) -> None:
        from openai import OpenAI

        self._client = OpenAI(api_key="bench", base_url=f"http://127.0.0.1:{port}{prefix}/v1")
        self.close = self._client.close

    def ask(self) -> str:
        answer = self._client.chat.completions.create(
            model=_MODEL, messages=_params(), temperature=0.7, max_tokens=4000, top_p=1.0
        )
        return answer.choices[0].message.content or ""

    def tell(self) -> str:
        stream = self._client.chat.completions.create(
            model=_MODEL,
            messages=_params(),
            temperature=0.7,
            max_tokens=4000,
            top_p=1.0,
            stream=True,
        )
        return "".join(one.choices[0].delta.content or "" for one in stream if one.choices)


class _AsyncOpenAI:
    def __init__(self, port: int, prefix: str) -> None:
        from openai import AsyncOpenAI

        self._client = AsyncOpenAI(api_key="bench", base_url=f"http://127.0.0.1:{port}{prefix}/v1")
        self.close = self._client.close

    async def ask(self) -> str:
        answer = await self._client.chat.completions.create(
            model=_MODEL, messages=_params(), temperature=0.7, max_tokens=4000, top_p=1.0
        )
        return answer.choices[0].message.content or ""

    async def tell(self) -> str:
        stream = await self._client.chat.completions.create(
            model=_MODEL,
            messages=_params(),
            temperature=0.7,
            max_tokens=4000,
            top_p=1.0,
            stream=True,
        )
        texts = [one.choices[0].delta.content or "" async for one in stream if one.choices]
        return "".join(texts)


def _floor(port: int, prefix: str) -> Blocking:
    from bench.floor import Asking, RawSocket

    return RawSocket(Asking(port, prefix), port)


def _async_floor(port: int, prefix: str) -> Awaiting:
    from bench.floor import Asking, RawProtocols

    return RawProtocols(Asking(port, prefix), port)


BLOCKING: dict[str, Callable[[int, str], Blocking]] = {
    "chatloom": _Chatloom,
    "openai": _OpenAI,
    "floor": _floor,
}
AWAITING: dict[str, Callable[[int, str], Awaiting]] = {
    "chatloom-async": _AsyncChatloom,
    "openai-async": _AsyncOpenAI,
    "floor-async": _async_floor,
}


class Measured(msgspec.Struct):
    """What a process found out about itself."""

    cpu_us: float
    """Of one request, or one event."""
    wall_us: float


def measure(name: str, scenario: str, count: int, port: int) -> Measured:
    """Measure the client *name* in this process."""
    prefix = f"/{'paced' if scenario == 'paced' else 'burst'}-{canned.CLIENT_EVENTS}"
    if name in BLOCKING:
        return _measure_blocking(BLOCKING[name](port, prefix), scenario, count)
    return asyncio.run(_measure_awaiting(AWAITING[name], prefix, scenario, count, port))


def _measure_blocking(client: Blocking, scenario: str, count: int) -> Measured:
    once, whole, units = client.tell, canned.text(canned.CLIENT_EVENTS), canned.CLIENT_EVENTS
    if scenario == "request":
        once, whole, units = client.ask, canned.answer(), 1
    for _ in range(_warm_up(scenario)):
        once()
    watch = _Watch()
    for _ in range(count):
        _check(once(), whole)
    measured = watch.stop(count * units)
    client.close()
    return measured


async def _measure_awaiting(
    make: Callable[[int, str], Awaiting], prefix: str, scenario: str, count: int, port: int
) -> Measured:
    client = make(port, prefix)
    once, whole, units = client.tell, canned.text(canned.CLIENT_EVENTS), canned.CLIENT_EVENTS
    tasks = 1
    if scenario == "request":
        once, whole, units, tasks = client.ask, canned.answer(), 1, IN_FLIGHT
    await _many(once, _warm_up(scenario), tasks, whole)
    watch = _Watch()
    await _many(once, count, tasks, whole)
    measured = watch.stop(max(1, count // tasks) * tasks * units)
    await client.close()
    return measured


def _warm_up(scenario: str) -> int:
    return {"request": 2 * IN_FLIGHT, "burst": 2, "paced": 1}[scenario]


async def _many(once: Callable[[], Awaitable[str]], count: int, tasks: int, whole: str) -> None:
    async def several() -> None:
        for _ in range(max(1, count // tasks)):
            _check(await once(), whole)

    await asyncio.gather(*(several() for _ in range(tasks)))


def _check(text: str, whole: str) -> None:
    if text != whole:
        raise ValueError(f"the answer is not whole: {len(text)} of {len(whole)} characters")


class _Watch:
    def __init__(self) -> None:
        # User and system time of all threads, as getrusage(2) counts it.
        self._cpu = time.process_time_ns()
        self._wall = time.perf_counter_ns()

    def stop(self, units: int) -> Measured:
        cpu = time.process_time_ns() - self._cpu
        wall = time.perf_counter_ns() - self._wall
        return Measured(cpu / units / 1000, wall / units / 1000)


def main(name: str, scenario: str, count: str, port: str | None = None) -> None:
    """Measure, and print what came out."""
    if port is not None:
        announce(msgspec.to_builtins(measure(name, scenario, int(count), int(port))))
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        started("bench.upstream", [], Path(folder) / "upstream.log") as (_, told),
    ):
        main(name, scenario, count, str(msgspec.json.decode(told)["port"]))


if __name__ == "__main__":
    main(*sys.argv[1:])
