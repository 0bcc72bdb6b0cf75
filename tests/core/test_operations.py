"""What an operation looks like, and does, in both modes."""

from __future__ import annotations

import asyncio
import inspect
import pydoc
import re
from collections.abc import Callable, Coroutine
from types import NoneType
from typing import Any, get_type_hints
from unittest.mock import AsyncMock, NonCallableMagicMock, create_autospec

import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import (
    AnswerError,
    ChatloomError,
    ConnectError,
    StatusError,
    TransportError,
)
from chatloom.core.http import Response, Timeouts
from chatloom.core.manner import Manner
from chatloom.core.operations import operation
from chatloom.core.pages import AsyncPages, Pages
from chatserver_sdk import (
    AsyncChatServerClient,
    AsyncCompletionStream,
    ChatCompletionResponse,
    ChatServerClient,
    CompletionStream,
)
from support.scripted import Answer, Body, Scripted, arriving
from support.toy import AsyncToyClient, Toy, ToyClient, ToyError

WORDS = Response(200, {}, b'["hi"]')

BLOCKING = [
    pytest.param(function, id=function.__qualname__)
    for function in (
        ToyClient.ask,
        ToyClient.tell,
        ToyClient.count,
        ToyClient(Engine(Sync, Scripted())).ask,
        Toy(Engine(Sync, Scripted())).ask,
        ChatServerClient.create_completion,
        ChatServerClient.list_models,
    )
]
AWAITED = [
    pytest.param(function, id=function.__qualname__)
    for function in (
        AsyncToyClient.ask,
        AsyncToyClient(Engine(Async, Scripted())).ask,
        Toy.ask,
        AsyncChatServerClient.list_models,
    )
]


def blocking(*script: Answer) -> ToyClient:
    return ToyClient(Engine(Sync, Scripted(*script)))


def awaited(*script: Answer) -> AsyncToyClient:
    return AsyncToyClient(Engine(Async, Scripted(*script, suspends=True)))


@pytest.mark.parametrize("function", BLOCKING)
def test_blocking_methods_look_blocking(function: Callable[..., object]) -> None:
    assert inspect.isroutine(function)
    assert not inspect.iscoroutinefunction(function)
    assert not inspect.iscoroutinefunction(inspect.unwrap(function))


@pytest.mark.parametrize("function", AWAITED)
def test_async_methods_look_async(function: Callable[..., object]) -> None:
    assert inspect.iscoroutinefunction(function)


@pytest.mark.parametrize("client", [ChatServerClient, ToyClient])
def test_mocks_of_a_blocking_client_answer_directly(client: type) -> None:
    mock = create_autospec(client, instance=True)
    methods = [name for name in dir(client) if not name.startswith("_")]
    assert "close" in methods
    assert not any(isinstance(getattr(mock, name), AsyncMock) for name in methods)


def test_mocks_of_an_async_client_are_awaited() -> None:
    mock: Any = create_autospec(AsyncChatServerClient, instance=True)
    assert isinstance(mock, NonCallableMagicMock)
    for method in (mock.list_models, mock.close, mock.aclose):
        assert isinstance(method, AsyncMock)


def test_mocks_check_their_arguments() -> None:
    mock: Any = create_autospec(ChatServerClient, instance=True)
    mock.create_completion("loom/echo", ["hi"], stream=True)
    with pytest.raises(TypeError, match="temprature"):
        mock.create_completion("loom/echo", ["hi"], temprature=1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (ToyClient.ask, "(self, word: 'str', *, times: 'int' = 1) -> 'list[str]'"),
        (AsyncToyClient.ask, "(self, word: 'str', *, times: 'int' = 1) -> 'list[str]'"),
        (blocking().ask, "(word: 'str', *, times: 'int' = 1) -> 'list[str]'"),
        (awaited().ask, "(word: 'str', *, times: 'int' = 1) -> 'list[str]'"),
        (blocking().tell, "() -> 'Stream[str, str]'"),
        (awaited().tell, "() -> 'AsyncStream[str, str]'"),
        (blocking().count, "(start: 'int' = 1) -> 'Pages[int]'"),
        (awaited().count, "(start: 'int' = 1) -> 'AsyncPages[int]'"),
    ],
)
def test_signatures_say_what_a_caller_gets(function: Callable[..., object], expected: str) -> None:
    assert str(inspect.signature(function)) == expected


@pytest.mark.parametrize(
    ("function", "answer"),
    [
        (ChatServerClient.create_completion, ChatCompletionResponse | CompletionStream),
        (
            AsyncChatServerClient.create_completion,
            Coroutine[object, None, ChatCompletionResponse] | AsyncCompletionStream,
        ),
    ],
)
def test_annotations_can_be_resolved(function: Callable[..., object], answer: object) -> None:
    hints = get_type_hints(function)
    assert (hints["model"], hints["stream"], hints["user"]) == (str, bool, str | None)
    assert hints["return"] == answer


def test_help_shows_name_signature_and_docstring() -> None:
    blocking_help, async_help = (
        pydoc.plain(pydoc.render_doc(client))
        for client in (ChatServerClient, AsyncChatServerClient)
    )
    for text in (blocking_help, async_help):
        assert re.search(r" create_completion\([\s|]*self,[\s|]*model: 'str'", text)
        assert "Answer *messages*: in one piece" in text
        assert "List the models on offer." in text
    assert "-> 'ChatCompletionResponse | CompletionStream'" in blocking_help
    assert "async list_models(self)" in async_help
    assert "async " not in blocking_help


@pytest.mark.parametrize("name", ["ask", "tell", "count"])
def test_names_and_docstrings_are_the_methods_own(name: str) -> None:
    ours, theirs = getattr(ToyClient, name), getattr(AsyncToyClient, name)
    assert ours.__doc__ == theirs.__doc__
    assert ours.__doc__
    for function in (ours, theirs):
        assert (function.__name__, function.__qualname__) == (name, f"Toy.{name}")
        assert function.__module__ == "support.toy"


def test_a_subclass_may_override_an_operation_with_another() -> None:
    class Loud(ToyClient):
        @operation
        async def ask(self, word: str, *, times: int = 1) -> list[str]:
            """Say it loudly."""
            return [word.upper()] * times

    client = Loud(Engine(Sync, Scripted(WORDS)))
    assert not inspect.iscoroutinefunction(Loud.ask)
    assert [client.ask("hi"), client.find("hi")] == [["HI"], ["hi"]]


def test_a_blocking_client_answers_directly() -> None:
    assert blocking(WORDS).ask("hi", times=2) == ["hi"]


def test_an_async_client_is_awaited() -> None:
    assert asyncio.run(awaited(WORDS).ask("hi")) == ["hi"]


def test_a_blocking_client_works_inside_a_running_event_loop() -> None:
    client = blocking(WORDS, arriving(b"data: hi\n\nevent: done\ndata:\n\n"))

    async def notebook_cell() -> None:
        assert client.ask("hi") == ["hi"]
        assert list(client.tell()) == ["hi"]

    asyncio.run(notebook_cell())


def test_async_calls_run_together() -> None:
    client = awaited(*[WORDS] * 3)

    async def main() -> None:
        assert await asyncio.gather(*(client.ask("hi") for _ in range(3))) == [["hi"]] * 3

    asyncio.run(main())


def test_waiting_for_an_event_loop_in_shared_code_is_refused() -> None:
    with pytest.raises(RuntimeError, match=r"oversleep.* only an event loop can do"):
        blocking().oversleep()
    asyncio.run(awaited().oversleep())


def test_the_operation_is_in_the_traceback() -> None:
    with pytest.raises(StatusError) as caught:
        blocking(Response(404)).ask("hi")
    assert "ask" in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize(
    ("arguments", "query"),
    [
        ({}, (("page", "1"),)),
        ({"word": "a b&c", "page": 2}, (("word", "a b&c"), ("page", "2"))),
        ({"word": ""}, (("word", ""), ("page", "1"))),
    ],
)
def test_what_is_none_is_left_out_of_the_query(
    arguments: dict[str, Any], query: tuple[tuple[str, str], ...]
) -> None:
    outside = Scripted(WORDS)
    ToyClient(Engine(Sync, outside)).find(**arguments)
    assert outside.requests[0].query == query


def test_requests_carry_the_clients_habits() -> None:
    outside = Scripted(WORDS, WORDS)
    manner = Manner(timeouts=Timeouts(1, 2), headers=(("user-agent", "toy"),))
    engine = Engine(Sync, outside, manner=manner)
    ToyClient(engine).ask("hi")
    ToyClient(engine).find("hi")
    post, get = outside.requests
    assert (post.method, post.path, post.body) == ("POST", "/ask", b'{"word":"hi","times":1}')
    assert post.headers == (("user-agent", "toy"), ("content-type", "application/json"))
    assert (get.method, get.headers, get.body) == ("GET", (("user-agent", "toy"),), b"")
    assert get.timeouts == Timeouts(1, 2)


@pytest.mark.parametrize(("total_timeout", "deadline"), [(None, None), (30, 1030.0)])
def test_a_total_timeout_sets_the_deadline(
    total_timeout: float | None, deadline: float | None
) -> None:
    outside = Scripted(WORDS)
    ToyClient(Engine(Sync, outside, manner=Manner(total_timeout=total_timeout))).ask("hi")
    assert outside.requests[0].deadline == deadline


def test_pages_are_fetched_when_they_are_needed() -> None:
    outside = Scripted(*(Response(200, {}, body) for body in (b"[1,2]", b"[3]", b"[]")))
    pages = ToyClient(Engine(Sync, outside)).count()
    assert isinstance(pages, Pages)
    assert outside.requests == []
    assert [next(pages), next(pages), len(outside.requests)] == [1, 2, 1]
    assert [pages.collect(), list(pages), pages.collect()] == [[3], [], []]
    assert [request.query for request in outside.requests] == [
        (("start", start),) for start in ("1", "3", "4")
    ]


def test_async_pages_are_fetched_when_they_are_needed() -> None:
    client = awaited(*(Response(200, {}, body) for body in (b"[1,2]", b"[3]", b"[]")))

    async def main() -> None:
        pages = client.count()
        assert isinstance(pages, AsyncPages)
        assert await anext(pages) == 1
        assert [number async for number in pages] == [2, 3]
        assert await pages.collect() == []

    asyncio.run(main())


def test_a_page_that_failed_can_be_asked_for_again() -> None:
    pages = blocking(
        Response(200, {}, b"[1]"),
        Response(503),
        Response(200, {}, b"[2]"),
        Response(200, {}, b"[]"),
    ).count()
    assert next(pages) == 1
    with pytest.raises(StatusError):
        next(pages)
    assert list(pages) == [2]


@pytest.mark.parametrize("status", [300, 302, 304, 400, 404, 409, 422, 429, 500, 503, 599])
def test_a_status_that_is_no_success_raises(status: int) -> None:
    answer = Response(status, {"x-request-id": "r1", "retry-after": "7"}, b"because", attempts=3)
    with pytest.raises(StatusError, match="because") as caught:
        blocking(answer).ask("hi")
    error = caught.value
    assert (error.status_code, error.request_id, error.retry_after) == (status, "r1", 7.0)
    assert (error.attempts, error.body) == (3, "because")
    assert error.__notes__ == [f"{status} from POST /ask"]


def test_an_error_status_without_a_reason_says_its_number() -> None:
    with pytest.raises(StatusError, match="HTTP 502"):
        blocking(Response(502, {}, b"<html>bad gateway</html>")).ask("hi")


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_refused_stream_gives_the_connection_back(status: int) -> None:
    body = Body(b"no ", b"such story")
    with pytest.raises(StatusError, match="no such story"):
        blocking(Response(status, {}, arriving=body)).tell()
    assert body.closed == 1


def test_a_refusal_lost_on_its_way_gives_the_connection_back() -> None:
    body = Body(b"no ", TransportError("lost"))
    with pytest.raises(TransportError, match="lost"):
        blocking(Response(404, {}, arriving=body)).tell()
    assert body.abandoned == 1


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_an_answer(status: int) -> None:
    assert blocking(Response(status, {}, b'["hi"]')).ask("hi") == ["hi"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>login</html>", id="HTML"),
        pytest.param(b'["hi"', id="cut"),
        pytest.param(b'{"words": []}', id="another shape"),
        pytest.param(b'["\xff"]', id="not UTF-8"),
        pytest.param(b"[1]", id="another type"),
        pytest.param(b"[" * 100_000, id="too deep"),
    ],
)
def test_nonsense_in_a_success_is_an_answer_error(body: bytes) -> None:
    with pytest.raises(AnswerError, match="POST /ask is not what it should be") as caught:
        blocking(Response(200, {"x-request-id": "r1"}, body)).ask("hi")
    assert (caught.value.status_code, caught.value.request_id) == (200, "r1")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (ConnectError("refused"), ConnectError),
        (Response(404), NoneType),
        (Response(200, {}, b"nonsense"), ValueError),
    ],
)
def test_every_error_is_given_its_documented_name(answer: Answer, cause: type) -> None:
    client = ToyClient(Engine(Sync, Scripted(answer), named=ToyError.like))
    with pytest.raises(ToyError) as caught:
        client.ask("hi")
    assert isinstance(caught.value.__cause__, cause)


def test_an_error_is_never_its_own_cause() -> None:
    refused = ConnectError("refused")
    with pytest.raises(ChatloomError) as caught:
        blocking(refused).ask("hi")
    assert (caught.value, refused.__cause__) == (refused, None)


def test_clients_close_like_files() -> None:
    outside = Scripted()
    with ToyClient(Engine(Sync, outside)) as client:
        assert isinstance(client, ToyClient)
        assert not outside.is_closed
    assert outside.is_closed


@pytest.mark.parametrize("way", [AsyncToyClient.close, AsyncToyClient.aclose])
def test_async_clients_close_by_either_name(way: Callable[[AsyncToyClient], Any]) -> None:
    outside = Scripted()
    client = AsyncToyClient(Engine(Async, outside))
    asyncio.run(way(client))
    assert outside.is_closed


def test_async_clients_close_like_async_files() -> None:
    outside = Scripted()

    async def main() -> None:
        async with AsyncToyClient(Engine(Async, outside)) as client:
            assert isinstance(client, AsyncToyClient)

    asyncio.run(main())
    assert outside.is_closed
