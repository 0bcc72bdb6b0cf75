"""Answers with the HTTP response beside them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import pytest

from chatloom.core.clients import BlockingClient
from chatloom.core.engine import Async, Engine, RawAsync, RawSync, Sync
from chatloom.core.errors import StatusError
from chatloom.core.http import Response, Timeouts
from chatloom.core.raw import Raw
from chatloom.core.streams import AsyncStream, Stream
from chatloom.policies.retry import Retry
from support.scripted import Scripted, arriving
from support.toy import AsyncToyClient, Toy, ToyClient

WORDS = Response(200, {"x-request-id": "r1", "x-a": "b"}, b'["hi"]')


def checked(raw: Raw[list[str]]) -> None:
    assert raw.parsed == ["hi"]
    assert (raw.status_code, raw.request_id, raw.body) == (200, "r1", b'["hi"]')
    assert raw.headers["x-a"] == "b"
    assert repr(raw) == "<Raw 200 ['hi']>"


def test_a_blocking_call_shows_its_response() -> None:
    toy = Toy(Engine(RawSync, Scripted(WORDS)))
    checked(toy.ask("hi"))


def test_an_awaited_call_shows_its_response() -> None:
    toy = Toy(Engine(RawAsync, Scripted(WORDS, suspends=True)))
    checked(asyncio.run(toy.ask("hi")))


def test_attempts_are_counted() -> None:
    outside = Scripted(Response(503), WORDS)
    assert Toy(Engine(RawSync, outside, [Retry()])).find().attempts == 2


def test_a_refusal_raises_as_ever() -> None:
    with pytest.raises(StatusError):
        Toy(Engine(RawSync, Scripted(Response(404)))).find()


def test_calls_side_by_side_keep_their_own_response() -> None:
    answers = [Response(200, {"x-request-id": f"r{n}"}, b'["%d"]' % n) for n in range(9)]
    toy = Toy(Engine(RawAsync, Scripted(*answers, suspends=True)))

    async def main() -> list[Raw[list[str]]]:
        return await asyncio.gather(*(toy.find() for _ in answers))

    for raw in asyncio.run(main()):
        assert raw.request_id == f"r{raw.parsed[0]}"


def test_streams_and_pages_have_their_response_with_them() -> None:
    outside = Scripted(arriving(b"data: once\n\n", b"event: done\ndata: x\n\n", x_a="b"))
    stream = Toy(Engine(RawSync, outside)).tell()
    assert isinstance(stream, Stream)
    assert (stream.status_code, stream.headers["x-a"], stream.collect()) == (200, "b", "once")
    assert isinstance(Toy(Engine(RawAsync, Scripted())).tell(), AsyncStream)
    assert Toy(Engine(RawAsync, Scripted())).tell().status_code is None
    pages = Toy(Engine(RawSync, Scripted(Response(200, {}, b"[1]"), Response(200, {}, b"[]"))))
    assert list(pages.count()) == [1]


class Nested(BlockingClient):
    """A resource within another."""

    def __init__(self, engine: Engine[Sync]) -> None:
        super().__init__(engine)
        self.toy = Toy(engine)


def test_resources_within_follow_their_owner() -> None:
    outside = Scripted(WORDS, WORDS)
    nested = Nested(Engine(Sync, outside))
    nested.with_options(timeout=3).toy.find()
    nested.toy.find()
    first, second = outside.requests
    assert (first.timeouts, second.timeouts) == (Timeouts(3, 3), Timeouts())


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (ToyClient(Engine(Sync, Scripted())).find, "list[str]"),
        (Toy(Engine(RawSync, Scripted())).find, "Raw[list[str]]"),
        (Toy(Engine(RawAsync, Scripted())).find, "Coroutine[None, None, Raw[list[str]]]"),
        (AsyncToyClient(Engine(Async, Scripted())).find, "list[str]"),
        (Toy(Engine(RawSync, Scripted())).tell, "Stream[str, str]"),
        (Toy(Engine(RawAsync, Scripted())).tell, "AsyncStream[str, str]"),
    ],
)
def test_each_mode_says_what_it_answers(call: Callable[..., object], answer: str) -> None:
    assert inspect.signature(call).return_annotation == answer
    assert inspect.getdoc(call) == inspect.getdoc(getattr(Toy, call.__name__))
