"""What is measured of a call, and who is told when."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Thread

import msgspec
import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import ConnectError, TimedOut
from chatloom.core.http import JSON, Ending, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.manner import Manner
from chatloom.core.outside import Policy, guard
from chatloom.policies.meter import Call, Measured, Meter, Tokens
from chatloom.policies.retry import Retry
from support.scripted import Answer, Body, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient

GET = Request("GET", "/v1/models")
STORY = (b"data: once\n\n", b"data: upon\n\n", b"event: done\ndata:\n\n")


def asking(**fields: JSON) -> Request:
    body = msgspec.json.encode({"model": "loom/echo", **fields})
    return Request("POST", "/v1/chat/completions", body=body)


def answering(**fields: JSON) -> Response:
    return Response(200, body=msgspec.json.encode(fields))


class Book:
    """An exporter that writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.ends: list[Measured] = []

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        self.calls.append(call)
        return self.ends.append

    @property
    def end(self) -> Measured:
        """The one end."""
        (end,) = self.ends
        return end


def measured(
    request: Request, *script: Answer, content: bool = False, suspends: bool = False
) -> Book:
    """Make one call, whatever comes of it."""
    book = Book()
    outside = guard(Scripted(*script, suspends=suspends), [Meter(book, content=content), Retry()])
    run = asyncio.run if suspends else run_inline
    with suppress(ConnectError):
        run(outside.send(request))
    return book


@pytest.mark.parametrize("suspends", [False, True], ids=["blocking", "async"])
def test_a_call_is_measured_retries_and_waits_included(suspends: bool) -> None:
    again = Response(503, {"x-should-retry": "true"})
    book = measured(asking(), again, answering(model="m"), suspends=suspends)
    assert book.end.attempts == 2
    assert book.end.duration == 0.5
    assert (book.end.outcome, book.end.status, book.end.error_type) == ("complete", 200, None)


@pytest.mark.parametrize(
    ("request_", "operation"),
    [
        (asking(), "chat"),
        (Request("POST", "/v1/completions", body=b'{"model": "m"}'), "text_completion"),
        (Request("POST", "/v1/embeddings", body=b'{"model": "m"}'), "embeddings"),
        (Request("POST", "/api/v1/chat", body=b'{"model": "m"}'), "chat"),
        (Request("POST", "/drivers/call", body=b'{"args": {"model": "m"}}'), "chat"),
        (Request("POST", "/drivers/call", body=b'{"args": {}}'), "POST /drivers/call"),
        (Request("POST", "/drivers/call", body=b'{"args": 5}'), "POST /drivers/call"),
        (Request("POST", "/v1/chat/completions", body=b"no JSON"), "POST /v1/chat/completions"),
        (GET, "GET /v1/models"),
        (Request("GET", "/v1/models/gpt-4o"), "GET /v1/models/*"),
        (Request("DELETE", "/v1/chats/0197-af/messages/17"), "DELETE /v1/chats/*/messages/*"),
        (Request("GET", "/v1/chats/" + "a" * 32), "GET /v1/chats/*"),
        (Request("GET", "/health"), "GET /health"),
    ],
)
def test_an_operation_has_a_name(request_: Request, operation: str) -> None:
    assert measured(request_, Response(200)).calls[0].operation == operation


def test_what_is_asked_is_told_at_the_begin() -> None:
    (call,) = measured(asking(temperature=0.5, stop=["a"], tools=[{}]), Response(200)).calls
    assert (call.model, call.streamed) == ("loom/echo", False)
    assert call.parameters == {"temperature": 0.5, "stop": ["a"]}
    assert (call.method, call.path) == ("POST", "/v1/chat/completions")


@pytest.mark.parametrize(
    ("base_url", "address", "port"),
    [
        ("https://chat.example.org/v1", "chat.example.org", 443),
        ("http://localhost:3284", "localhost", 3284),
        ("http://[::1]:80", "::1", 80),
        ("embedded:name", "embedded", None),
    ],
)
def test_a_call_goes_to_an_address_of_a_provider(
    base_url: str, address: str, port: int | None
) -> None:
    book = Book()
    meter = Meter(book).at(base_url, "chatserver")
    run_inline(meter(GET, Scripted(Response(200))))
    (call,) = book.calls
    assert (call.address, call.port, call.provider) == (address, port, "chatserver")


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 3, "completion_tokens": 4}, Tokens(3, 4)),
        ({"input_tokens": 3, "output_tokens": 4}, Tokens(3, 4)),
        ({"inputTokens": 3, "outputTokens": 4}, Tokens(3, 4)),
        ([{"type": "prompt", "amount": 3}, {"type": "completion", "amount": 4}], Tokens(3, 4)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
            Tokens(3, 4, 2, 1),
        ),
        ({"input_tokens": 3, "output_tokens": 4, "cache_read_input_tokens": 2}, Tokens(3, 4, 2)),
        ({"prompt_tokens": 0, "completion_tokens": None}, Tokens(0)),
        ({"prompt_tokens": -1, "completion_tokens": True}, Tokens()),
        ({"prompt_tokens": "many"}, Tokens()),
        ("unknown", Tokens()),
        (None, Tokens()),
    ],
)
def test_tokens_are_read_in_whatever_shape(usage: JSON, expected: Tokens) -> None:
    assert measured(asking(), answering(usage=usage)).end.tokens == expected


def test_what_is_asked_within_args_is_told_too() -> None:
    args: JSON = {"model": "m", "temperature": 0.5, "messages": [{"role": "user"}]}
    request = Request("POST", "/drivers/call", body=msgspec.json.encode({"args": args}))
    (call,) = measured(request, Response(200), content=True).calls
    assert (call.model, call.parameters) == ("m", {"temperature": 0.5})
    assert call.messages == [{"role": "user"}]
    (call,) = measured(asking(messages=[{"content": '"args"'}]), Response(200)).calls
    assert call.model == "loom/echo"


@pytest.mark.parametrize("place", ["data", "metadata"])
def test_tokens_are_found_where_services_tell_of_an_answer(place: str) -> None:
    usage: JSON = {"promptTokens": 3, "completionTokens": 4}
    told: dict[str, JSON] = {place: {"usage": usage}}
    assert measured(asking(), answering(**told)).end.tokens == Tokens(3, 4)


@pytest.mark.parametrize(
    "result",
    [
        {"message": {}, "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
        {"message": {"usage": {"input_tokens": 3, "output_tokens": 4}}},
    ],
)
def test_tokens_are_found_where_a_driver_tells_of_an_answer(result: JSON) -> None:
    assert measured(asking(), answering(result=result)).end.tokens == Tokens(3, 4)


STOPPED: JSON = {"finish_reason": "stop", "message": {}}
CUT: JSON = {"finish_reason": "length"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (answering(id="c1", model="m", choices=[STOPPED]), ("c1", "m", ("stop",))),
        (answering(choices=[STOPPED, CUT]), (None, None, ("stop", "length"))),
        (answering(model="m", stop_reason="end_turn"), (None, "m", ("end_turn",))),
        (answering(model="m", choices="none"), (None, "m", ())),
        (answering(id=None, model=5, choices=[CUT, None]), (None, None, ())),
        (answering(choices=[{"finish_reason": 5}]), (None, None, ())),
        (answering(data={"model": "m", "usage": {}}), (None, "m", ())),
        (
            answering(metadata={"messageId": "c1", "model": "m", "finishReason": "stop"}),
            ("c1", "m", ("stop",)),
        ),
        (answering(model="m", usage={}, metadata={"model": "other"}), (None, "m", ())),
        (answering(result={"message": {}, "finish_reason": "stop"}), (None, None, ("stop",))),
        (
            answering(result={"message": {"id": "c1", "model": "m"}, "finish_reason": None}),
            ("c1", "m", ()),
        ),
        (answering(result="text"), (None, None, ())),
        (answering(result={"message": "text", "usage": 5}), (None, None, ())),
        (answering(data=[{"model": "m"}], metadata="none"), (None, None, ())),
    ],
)
def test_an_answer_tells_who_gave_it_and_why_it_ended(
    answer: Response, expected: tuple[str | None, str | None, tuple[str, ...]]
) -> None:
    end = measured(asking(), answer).end
    assert (end.answer_id, end.model, end.finish_reasons) == expected


@pytest.mark.parametrize("body", [b"", b"[1]", b"<html>", b'{"model": ', b"\xff"])
def test_an_answer_of_any_other_kind_is_complete_too(body: bytes) -> None:
    end = measured(GET, Response(200, body=body)).end
    assert (end.outcome, end.model, end.tokens) == ("complete", None, Tokens())


@pytest.mark.parametrize(
    ("answer", "error_type", "status"),
    [
        (Response(404), "404", 404),
        (Response(302), "302", 302),
        (ConnectError("refused"), "ConnectError", None),
    ],
)
@pytest.mark.parametrize("suspends", [False, True], ids=["blocking", "async"])
def test_a_failure_has_a_type(
    answer: Answer, error_type: str, status: int | None, suspends: bool
) -> None:
    request = msgspec.structs.replace(GET, max_retries=0)
    end = measured(request, answer, suspends=suspends).end
    assert (end.outcome, end.error_type, end.status) == ("error", error_type, status)
    assert end.error is (answer if isinstance(answer, Exception) else None)


def test_a_failure_tells_its_attempts() -> None:
    request = msgspec.structs.replace(GET, max_retries=1)
    assert measured(request, ConnectError("no"), ConnectError("no")).end.attempts == 2


def test_a_cancelled_call_has_not_failed() -> None:
    class Endless(Scripted):
        async def send(self, request: Request) -> Response:
            await asyncio.Event().wait()
            raise AssertionError

    async def main() -> None:
        task = asyncio.create_task(guard(Endless(), [Meter(book)]).send(GET))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    book = Book()
    asyncio.run(main())
    assert (book.end.outcome, book.end.error_type) == ("left", None)


class Slow(Scripted):
    """A world in which each look at the clock takes a second."""

    def now(self) -> float:
        self.slept.append(1.0)
        return super().now()


class Told:
    """A stream of a story, in either mode, that a book is told of."""

    def __init__(self, *pieces: bytes | Exception, content: bool = False) -> None:
        self.book = Book()
        self.outside = Slow(arriving(*pieces))
        self.policies = [Meter(self.book, content=content)]

    def left_after(self, words: int) -> Book:
        with ToyClient(Engine(Sync, self.outside, self.policies)).tell() as story:
            for _ in range(words):
                next(story)
        return self.book

    def left_by_a_task_after(self, words: int) -> Book:
        async def main() -> None:
            client = AsyncToyClient(Engine(Async, self.outside, self.policies))
            async with client.tell() as story:
                for _ in range(words):
                    await anext(story)

        asyncio.run(main())
        return self.book

    def read(self) -> Book:
        try:
            ToyClient(Engine(Sync, self.outside, self.policies)).tell().collect()
        except Exception:
            assert self.book.end.outcome == "error"
        return self.book


def test_a_stream_is_measured_to_its_end() -> None:
    book = Told(*STORY).read()
    assert book.calls[0].streamed
    assert (book.end.outcome, book.end.first_piece, book.end.duration) == ("complete", 1.0, 2.0)


def test_a_stream_tells_what_its_reader_knows() -> None:
    book = Book()
    request = Request("POST", "/", streamed=True)
    response = run_inline(Meter(book)(request, Scripted(arriving(b"x"))))
    usage: JSON = {"prompt_tokens": 3, "completion_tokens": 4}
    (follower,) = response.followers
    follower.over(Ending(complete=True, usage=usage, model="m", finish_reason="stop"))
    assert (book.end.model, book.end.tokens) == ("m", Tokens(3, 4))
    assert book.end.finish_reasons == ("stop",)


@pytest.mark.parametrize(
    ("pieces", "error_type"),
    [
        ((STORY[0],), "Truncated"),
        ((STORY[0], TimedOut("silence")), "Truncated"),
        ((STORY[0], b"event: error\ndata: oh\n\n"), "StreamError"),
    ],
)
def test_a_stream_that_breaks_off_has_failed(
    pieces: tuple[bytes | Exception, ...], error_type: str
) -> None:
    end = Told(*pieces).read().end
    assert (end.outcome, end.error_type, end.status) == ("error", error_type, 200)


@pytest.mark.parametrize("words", [0, 1])
def test_a_stream_may_be_left_early(words: int) -> None:
    for book in (Told(*STORY).left_after(words), Told(*STORY).left_by_a_task_after(words)):
        assert book.end.outcome == "left"
        assert (book.end.first_piece is None) == (words == 0)


def test_a_stream_that_is_dropped_ends_too() -> None:
    told = Told(*STORY)
    story = ToyClient(Engine(Sync, told.outside, told.policies)).tell()
    assert told.book.ends == []
    del story
    gc.collect()
    assert told.book.end.outcome == "left"


def test_a_streamed_refusal_has_failed() -> None:
    request = Request("GET", "/", streamed=True, max_retries=0)
    book = measured(request, Response(429, arriving=Body(b"busy")), content=True)
    assert (book.end.outcome, book.end.error_type) == ("error", "429")


SAID: list[JSON] = [{"role": "user", "content": "canary"}]
REPLY: JSON = {"role": "assistant", "content": "canary"}


def test_nothing_that_was_said_is_told_unasked() -> None:
    plain = measured(asking(messages=SAID), answering(choices=[{"message": REPLY}]))
    streamed = Told(b"data: canary\n\n", STORY[2]).read()
    for book in (plain, streamed):
        assert "canary" not in str([*book.calls, *book.ends])
        assert (book.calls[0].messages, book.end.answers) == (None, ())


@pytest.mark.parametrize(
    ("asked", "answer", "messages", "answers"),
    [
        ({"messages": SAID}, {"choices": [{"message": REPLY}]}, SAID, (REPLY,)),
        ({"prompt": "canary"}, {"choices": [{"text": "canary"}]}, "canary", (REPLY,)),
        ({"input": "canary"}, {"content": "canary"}, "canary", (REPLY,)),
        ({}, {"result": {"message": REPLY}}, None, (REPLY,)),
        ({}, {"data": []}, None, ()),
    ],
)
def test_what_was_said_is_told_where_asked_for(
    asked: dict[str, JSON], answer: dict[str, JSON], messages: JSON, answers: tuple[JSON, ...]
) -> None:
    book = measured(asking(**asked), answering(**answer), content=True)
    assert (book.calls[0].messages, book.end.answers) == (messages, answers)


def test_what_a_stream_said_is_told_where_asked_for() -> None:
    (answer,) = Told(*STORY, content=True).read().end.answers
    assert answer == {"role": "assistant", "content": "onceupon"}


class Broken(Book):
    """An exporter that fails wherever it is asked to."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._at = at

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        if self._at == "begin":
            raise ValueError("a fault")
        return self._end

    def _end(self, measured: Measured) -> None:
        raise ValueError("a fault")


@pytest.mark.parametrize("at", ["begin", "end"])
def test_an_exporter_that_fails_breaks_nothing_and_is_logged_once(
    at: str, caplog: pytest.LogCaptureFixture
) -> None:
    book = Book()
    meter = Meter(Broken(at), book).at("http://localhost")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert run_inline(meter(GET, Scripted(Response(200)))).status == 200
    assert len(book.ends) == 3
    (record,) = caplog.records
    assert record.name == "chatloom.meter"
    assert record.exc_info is not None


def test_without_exporters_nothing_is_done() -> None:
    response = run_inline(Meter()(Request("GET", "/", streamed=True), Scripted(arriving(b"x"))))
    assert response.followers == ()


WHERE: ContextVar[str] = ContextVar("WHERE", default="elsewhere")


def test_the_begin_is_told_in_the_callers_context() -> None:
    class Asking(Book):
        where = ""

        def begin(self, call: Call, /) -> Callable[[Measured], None]:
            self.where = WHERE.get()
            return super().begin(call)

    async def main(book: Asking) -> None:
        WHERE.set("the caller's")
        await Meter(book)(GET, Scripted(Response(200), suspends=True))

    book = Asking()
    asyncio.run(main(book))
    assert book.where == "the caller's"


class Locked(Book):
    """An exporter that comes upon garbage while it holds a lock."""

    is_held = False

    def __init__(self) -> None:
        super().__init__()
        self.garbage: list[object] = []

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        with self._held():
            self.garbage.clear()
        return self._end

    def _end(self, measured: Measured) -> None:
        with self._held():
            self.ends.append(measured)

    @contextmanager
    def _held(self) -> Generator[None]:
        assert not self.is_held, "a dead lock"
        self.is_held = True
        yield
        self.is_held = False


def test_a_stream_collected_amid_an_exporter_is_told_after_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    locked = Locked()
    meter = Meter(locked)
    locked.garbage = [ToyClient(Engine(Sync, Scripted(arriving(*STORY)), [meter])).tell()]
    run_inline(meter(GET, Scripted(Response(200))))
    assert [end.outcome for end in locked.ends] == ["left", "complete"]
    assert caplog.records == []


def test_a_stream_that_was_resumed_is_one_call() -> None:
    book, turn = Book(), {"x_chatloom_turn": "t1"}
    once, upon, end = (b"id: %d\n" % number + block for number, block in enumerate(STORY))
    broken, rest = arriving(once, **turn), arriving(upon, end, **turn)
    policies: list[Policy] = [Meter(book, content=True), Retry()]
    engine = Engine(Sync, Scripted(broken, rest), policies, manner=Manner(max_retries=2))
    assert ToyClient(engine).tell().collect() == "once upon"
    assert [call.path for call in book.calls] == ["/tell"]
    assert (book.end.outcome, book.end.error_type) == ("complete", None)
    assert book.end.answers == ({"role": "assistant", "content": "onceupon"},)


def test_threads_may_share_a_meter() -> None:
    book = Book()
    meter = Meter(book)
    world = Scripted(*[Response(200)] * 20)
    threads = [Thread(target=lambda: run_inline(meter(GET, world))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.ends) == 20
