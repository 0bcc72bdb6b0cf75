"""Wherever a connection is cut, its caller has a whole answer or a typed error.

And every turn has one outcome, and the books are right.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from itertools import count
from typing import TypeVar

import openai
import pytest

from chatserver_sdk import AsyncChatServerClient
from faults import stock
from faults.judging import check_books, rows, wait_until_settled
from faults.listening import KEY, Told, ask, ask_plainly
from faults.plan import Fault, How, Plan, Way, at_random, in_turn
from faults.provider import Provider, answer, providing
from faults.proxy import Proxy, proxied
from faults.sizes import size
from support.live import Live

T = TypeVar("T")

CUTS = size(80, 2500)
"""In each test; there are four."""
STALLS = size(24, 400)
AT_ONCE = 24
HOW: tuple[How, ...] = ("reset", "close", "half")
WAYS: tuple[Way, ...] = ("answer", "answer", "answer", "request")
MODEL = "drip/20x1"
"""An answer of about 2,300 bytes from the provider, and 7,000 from the server."""


@pytest.fixture(scope="module")
def provider() -> Generator[Provider]:
    with providing() as provider:
        yield provider


@pytest.fixture(scope="module")
def behind(provider: Provider) -> Generator[Proxy]:
    """A proxy between the server and its provider."""
    with proxied("127.0.0.1", provider.port, in_turn(Fault())) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def server(
    provider: Provider, behind: Proxy, tmp_path_factory: pytest.TempPathFactory
) -> Generator[Live]:
    database = tmp_path_factory.mktemp("cuts") / "own.db"
    server = Live(database, "--grace", "1", config=provider.config(behind.port))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def before(server: Live) -> Generator[Proxy]:
    """A proxy between clients and the server."""
    with proxied("127.0.0.1", server.port, in_turn(Fault())) as proxy:
        yield proxy


async def many(ask_one: Callable[[int], Awaitable[T]], is_enough: Callable[[], bool]) -> list[T]:
    """Ask again and again, several at once, until it is enough."""
    numbers, told = count(), list[T]()

    async def go_on() -> None:
        while not is_enough():
            told.append(await ask_one(next(numbers)))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(AT_ONCE):
            tasks.create_task(go_on())
    return told


def asked_by_ours(url: str, proxy: Proxy, cuts: int, *, plain: int = 3) -> list[Told]:
    """Questions of our SDK until so many connections were cut, one in *plain* of them plain."""

    async def run() -> list[Told]:
        async with AsyncChatServerClient(KEY, url, timeout=1.0, max_retries=3) as client:

            async def one(number: int) -> Told:
                asking = ask_plainly if plain and number % plain == 0 else ask
                return await asking(client, f"ours {proxy.port} {number}", MODEL)

            return await many(one, lambda: proxy.cuts >= cuts)

    return asyncio.run(run())


def asked_by_theirs(url: str, proxy: Proxy, cuts: int) -> list[stock.Understood]:
    """The same by OpenAI's."""

    async def run() -> list[stock.Understood]:
        async with openai.AsyncOpenAI(
            api_key=KEY, base_url=f"{url}/v1", timeout=1.0, max_retries=1
        ) as client:

            async def one(number: int) -> stock.Understood:
                question = f"theirs {proxy.port} {number}"
                return await stock.ask(client, question, MODEL, streamed=number % 3 > 0)

            return await many(one, lambda: proxy.cuts >= cuts)

    return asyncio.run(run())


def check_outcomes(server: Live, told: list[Told]) -> None:
    """Check that who was told an end was told the whole, and that the store says the same."""
    wait_until_settled(server.database)
    check_books(server.database)
    outcomes = dict(rows(server.database, "SELECT id, outcome FROM turn"))
    for one in told:
        whole = answer(one.question, MODEL)
        if one.error is None:
            assert (one.text, outcomes[one.turn]) == (whole, "complete")
        else:
            assert whole.startswith(one.text), one


def check_finishes(understood: list[stock.Understood]) -> None:
    """Check that nobody was led to take a part for the whole."""
    for one in understood:
        whole = answer(one.question, MODEL)
        if one.error is None or one.finish_reason is not None:
            assert (one.text, one.finish_reason) == (whole, "stop"), one
        else:
            assert whole.startswith(one.text), one


@contextmanager
def cutting(proxy: Proxy, plan: Plan) -> Generator[Proxy]:
    """Have the connections of this block cut."""
    proxy.done.clear()
    proxy.plan = plan
    yield proxy
    proxy.plan = in_turn(Fault())


@pytest.fixture
def cut_behind(behind: Proxy) -> Generator[Proxy]:
    """Cut the connections to the provider."""
    with cutting(behind, at_random(11, (1, 2400), HOW, WAYS)):
        yield behind


@pytest.fixture
def cut_before(before: Proxy) -> Generator[Proxy]:
    """Cut the connections to the server; some fall silent."""
    with cutting(before, at_random(12, (1, 7000), [*HOW * 8, "stall"], WAYS)):
        yield before


def test_a_cut_provider_is_a_typed_error_at_the_caller(server: Live, cut_behind: Proxy) -> None:
    told = asked_by_ours(server.url, cut_behind, CUTS)
    check_outcomes(server, told)
    # One that was cut before its first word is asked again, and may come whole.
    assert sum(one.error is not None for one in told) > CUTS // 4


def test_a_cut_provider_never_finishes_for_a_stock_client(server: Live, cut_behind: Proxy) -> None:
    understood = asked_by_theirs(server.url, cut_behind, CUTS)
    check_finishes(understood)
    check_outcomes(server, [])
    assert sum(one.error is not None for one in understood) > CUTS // 4


# Streams only: a plain answer may keep silent for as long as all of it takes.
def test_a_silent_provider_is_a_typed_error_at_the_caller(server: Live, behind: Proxy) -> None:
    with cutting(behind, at_random(13, (1, 2400), ["stall"], WAYS)):
        told = asked_by_ours(server.url, behind, STALLS, plain=0)
    check_outcomes(server, told)
    assert sum(one.error is not None for one in told) > STALLS // 2


def test_our_client_resumes_what_was_cut(server: Live, cut_before: Proxy) -> None:
    told = asked_by_ours(cut_before.url, cut_before, CUTS)
    check_outcomes(server, told)
    assert sum(one.error is None for one in told) > 0.95 * len(told)


def test_a_cut_answer_is_a_typed_error_for_a_stock_client(server: Live, cut_before: Proxy) -> None:
    understood = asked_by_theirs(cut_before.url, cut_before, CUTS)
    check_finishes(understood)
    check_outcomes(server, [])
    assert sum(one.error is not None for one in understood) > CUTS // 4
