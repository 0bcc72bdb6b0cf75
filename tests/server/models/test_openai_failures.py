"""What goes wrong with providers."""

from __future__ import annotations

import pytest

from chatloom.server.models.driver import ProviderError
from chatloom.server.models.openai import OpenAI
from chatloom.server.settings import ProviderSettings
from server.models.asking import prompt
from server.models.provider import (
    COUNTED,
    DONE,
    KEY,
    USAGE,
    Reply,
    answers,
    ended,
    heard,
    kind,
    provider,
    refuses,
    run,
    said,
    streams,
)
from transports.scripted import Peer, free_port

CUT: list[tuple[str, Reply]] = [
    ("ends cleanly without a finish reason", streams(said("Hel"), said("lo"))),
    ("says [DONE] without a finish reason", streams(said("Hel"), said("lo"), DONE)),
    ("loses the connection", streams(said("Hel"), said("lo"), whole=False)),
    ("sends malformed JSON", streams(said("Hel"), said("lo"), b'{"choices": [{"del')),
    ("sends JSON of another shape", streams(said("Hel"), said("lo"), b'{"choices": 3}')),
    ("sends no UTF-8", streams(said("Hel"), said("lo"), b'{"model": "\xff"')),
    ("is aborted", streams(said("Hel"), said("lo"), ended("abort"))),
]


@pytest.mark.parametrize("reply", [row[1] for row in CUT], ids=[row[0] for row in CUT])
def test_a_truncated_answer_is_an_error_after_all_that_arrived(reply: Reply) -> None:
    answered = heard(reply)
    assert kind(answered) == "truncated"
    assert answered.text() == "Hello"
    assert answered.reasons == []


def test_usage_known_before_a_cut_is_told() -> None:
    answered = heard(streams({**said("Hi"), "usage": USAGE}))
    assert (kind(answered), answered.usage) == ("truncated", COUNTED)


IN_STREAM: list[tuple[object, str]] = [
    ({"error": {"message": "busy", "code": 429}}, "rate_limited"),
    ({"error": {"message": "down", "code": "502"}}, "unavailable"),
    ({"error": {"message": "slow down", "type": "rate_limit_exceeded"}}, "rate_limited"),
    ({"error": {"message": "too long", "code": "context_length_exceeded"}}, "rejected"),
    ({"error": {"message": "oh", "type": "server_error", "code": None}}, "unavailable"),
    ({"error": "something broke"}, "unavailable"),
    ({"object": "error", "message": "bad", "type": "BadRequestError", "code": 400}, "rejected"),
]


@pytest.mark.parametrize(("error", "expected"), IN_STREAM)
def test_an_error_inside_a_stream_raises_after_what_came_before(
    error: object, expected: str
) -> None:
    answered = heard(streams(said("Hel"), error, DONE))
    assert (kind(answered), answered.text(), answered.reasons) == (expected, "Hel", [])


STATUSES: list[tuple[int, str]] = [
    (400, "rejected"),
    (401, "unauthorized"),
    (402, "unauthorized"),
    (403, "unauthorized"),
    (404, "not_found"),
    (408, "timed_out"),
    (413, "rejected"),
    (422, "rejected"),
    (429, "rate_limited"),
    (500, "unavailable"),
    (502, "unavailable"),
    (503, "unavailable"),
    (504, "timed_out"),
    (302, "unavailable"),
]


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(("status", "expected"), STATUSES)
def test_error_statuses_are_understood(status: int, expected: str, streamed: bool) -> None:
    answered = heard(refuses(status, "not this"), given=prompt(streamed=streamed))
    assert kind(answered) == expected
    assert answered.deltas == []


def test_a_rejection_says_why_and_which_parameter() -> None:
    answered = heard(refuses(400, "too hot", param="temperature", code="invalid_value"))
    assert answered.error is not None
    assert answered.error.message == "acme: too hot"
    assert answered.error.param == "temperature"


def test_an_error_with_status_200_is_one_too() -> None:
    reply = answers({"error": {"message": "no", "code": 400}})
    assert kind(heard(reply)) == "rejected"
    assert kind(heard(reply, given=prompt(streamed=False))) == "rejected"


def test_a_wait_that_was_asked_for_is_passed_on() -> None:
    answered = heard(refuses(429, "slow down", b"retry-after: 20"), max_retries=1)
    assert answered.error is not None
    assert (answered.error.kind, answered.error.retry_after) == ("rate_limited", 20)


def test_a_short_wait_is_waited_for() -> None:
    busy = refuses(429, "slow down", b"retry-after: 0")
    answered = heard(busy, streams(said("Hi"), ended()), max_retries=1)
    assert (answered.text(), answered.error) == ("Hi", None)


@pytest.mark.parametrize("status", [400, 401, 403, 500])
def test_no_error_shows_the_key(status: int) -> None:
    answered = heard(refuses(status, f"Incorrect API key provided: {KEY}"))
    assert answered.error is not None
    assert KEY not in answered.error.message
    assert KEY not in repr(answered.error.__cause__)


def test_a_provider_that_is_not_there_is_unavailable() -> None:
    async def asks() -> None:
        settings = ProviderSettings(base_url=f"http://127.0.0.1:{free_port()}/v1", max_retries=0)
        driver = OpenAI("acme", settings, None)
        for streamed in (True, False):
            with pytest.raises(ProviderError) as raised:
                async for _ in driver.answer(prompt(streamed=streamed)):
                    pass
            assert (raised.value.kind, raised.value.message) == (
                "unavailable",
                "acme cannot be reached",
            )
        await driver.close()

    run(asks())


def test_a_lost_connection_before_the_answer_is_not_repeated() -> None:
    async def asks() -> None:
        with provider(Peer.reset, max_retries=2) as acme:
            assert kind(await acme.asked()) == "unavailable"
            await acme.driver.close()
            assert len(acme.server.asked) == 1

    run(asks())
