"""What was tried is noted: who was asked, when, and why it gave no answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from chatloom.server.models.attempts import noting
from chatloom.server.models.driver import Prompt, ProviderError
from chatloom.server.models.offline.echo import Echo
from chatloom.server.store.contract import Attempt
from server.models.asking import prompt
from server.models.provider import (
    DONE,
    KEY,
    Provider,
    Reply,
    answers,
    ended,
    provider,
    refuses,
    said,
    silent_after,
    streams,
)
from transports.scripted import free_port

WHOLE = streams(said("Hi"), ended(), DONE)


def noted(*replies: Reply, given: Prompt | None = None, **settings: Any) -> list[Attempt]:
    """The attempts of one turn whose provider gives these replies."""

    async def run() -> list[Attempt]:
        with provider(*replies, **settings) as acme:
            try:
                return await _noted(acme, given or prompt())
            finally:
                await acme.driver.close()

    return asyncio.run(run())


async def _noted(acme: Provider, given: Prompt) -> list[Attempt]:
    attempts: list[Attempt] = []
    try:
        with noting() as attempts:
            async for _ in acme.driver.answer(given):
                pass
    except ProviderError:
        pass
    return attempts


def problems(attempts: list[Attempt]) -> list[str | None]:
    assert [attempt.number for attempt in attempts] == [*range(1, len(attempts) + 1)]
    for attempt in attempts:
        assert (attempt.provider, attempt.model) == ("acme", "some-model")
        assert attempt.ended_at is not None
        assert attempt.started_at <= attempt.ended_at
    return [attempt.problem for attempt in attempts]


BUSY = refuses(429, "busy", b"retry-after: 0")
TABLE: list[tuple[str, list[Reply], list[str | None]]] = [
    ("a whole answer", [WHOLE], [None]),
    ("refused twice, then answered", [BUSY, BUSY, WHOLE], ["acme: busy (HTTP 429)"] * 2 + [None]),
    ("refused for good", [refuses(400, "no")], ["acme: no (HTTP 400)"]),
    (
        "a parameter that is not taken",
        [refuses(400, "unsupported parameter", param="temperature"), WHOLE],
        ["acme: unsupported parameter (HTTP 400)", None],
    ),
    ("cut", [streams(said("Hi"), whole=False)], ["acme: the connection was lost in the middle"]),
    ("an error inside", [streams({"error": {"message": "oh"}})], ["acme: oh"]),
    (
        "a key refused, and told",
        [refuses(401, f"wrong: {KEY}")],
        ["acme does not accept this server's credentials, or its account (HTTP 401)"],
    ),
    ("a key told otherwise", [refuses(400, KEY)], ["acme: [key] (HTTP 400)"]),
]


@pytest.mark.parametrize(("_", "replies", "expected"), TABLE, ids=[row[0] for row in TABLE])
def test_each_attempt_is_noted_with_its_problem(
    _: str, replies: list[Reply], expected: list[str | None]
) -> None:
    attempts = noted(*replies, given=prompt(temperature=0.5), max_retries=2)
    assert problems(attempts) == expected


def test_a_provider_that_cannot_be_reached_is_named_without_its_address() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    attempts = noted(WHOLE, base_url=url)
    assert problems(attempts) == ["acme cannot be reached"]


def test_plain_answers_are_attempts_too() -> None:
    message = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    attempts = noted(answers({"choices": [message]}), given=prompt(streamed=False))
    assert problems(attempts) == [None]


def test_silence_ends_an_attempt_in_the_providers_words() -> None:
    attempts = noted(silent_after(head=False), first_token_timeout=0.05)
    assert problems(attempts) == ["acme took too long: no answer in 0.05 seconds"]


def test_a_cancelled_attempt_says_so() -> None:
    async def run() -> list[Attempt]:
        attempts: list[Attempt] = []

        async def listen() -> None:
            nonlocal attempts
            with noting() as attempts:
                async for _ in acme.driver.answer(prompt()):
                    told.set()

        told = asyncio.Event()
        with provider(silent_after(said("Hi"))) as acme:
            listening = asyncio.create_task(listen())
            await told.wait()
            listening.cancel()
            await asyncio.wait([listening])
            await acme.driver.close()
        return attempts

    assert problems(asyncio.run(run())) == ["it was cancelled"]


@pytest.mark.parametrize("options", [{}, {"429": "1"}])
def test_offline_models_note_one_attempt(options: dict[str, str]) -> None:
    async def run() -> list[Attempt]:
        attempts: list[Attempt] = []
        try:
            with noting() as attempts:
                async for _ in Echo().answer(prompt(options=options)):
                    pass
        except ProviderError:
            pass
        return attempts

    (attempt,) = asyncio.run(run())
    assert (attempt.provider, attempt.model, attempt.number) == ("loom", "loom/echo", 1)
    refused = "attempt 1 of 1 refused, as the model's name asks" if options else None
    assert attempt.problem == refused
