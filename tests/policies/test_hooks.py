"""Callers are told what happens."""

from __future__ import annotations

import asyncio

import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import ChatloomError, ConnectError, SettingsError, TransportError
from chatloom.core.http import Request, Response
from chatloom.core.manner import Manner
from chatloom.core.outside import Policy
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from chatloom.policies.hooks import Hooks
from chatloom.policies.retry import Retry
from support.scripted import Answer, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient, ToyError

WORDS = Response(200, {}, b'["hi"]')
ONCE, UPON, DONE = b"data: once\n\n", b"data: upon\n\n", b"event: done\ndata: x\n\n"


class Diary:
    """Everything the hooks were told, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.requests: list[Request] = []
        self.errors: list[ChatloomError] = []
        self.hooks = Hooks(
            on_request=self.request,
            on_response=lambda request, response: self.note(f"{request} {response.status}"),
            on_retry=self.retry,
            on_error=self.error,
            on_chunk=lambda request, chunk: self.note(f"{request}: {chunk}"),
        )

    def note(self, line: str) -> None:
        self.lines.append(line)

    def request(self, request: Request) -> None:
        self.requests.append(request)
        self.note(f"{request} {request.attempt}")

    def retry(self, request: Request, delay: float, cause: Response | TransportError) -> None:
        self.note(f"{request} {request.attempt} again in {delay}: {type(cause).__name__}")

    def error(self, error: ChatloomError) -> None:
        self.errors.append(error)
        self.note(type(error).__name__)

    def engine(self, *script: Answer) -> Engine[Sync]:
        return Engine(
            Sync, Scripted(*script), self.policies(), named=self.hooks.heard_by(ToyError.like)
        )

    def policies(self) -> list[Policy]:
        return [Retry(on_retry=self.hooks.on_retry), self.hooks, Authorize(Secret("canary"))]


def test_a_call_is_told_attempt_by_attempt() -> None:
    diary = Diary()
    ToyClient(diary.engine(ConnectError("refused"), Response(503), WORDS)).find()
    assert diary.lines == [
        "GET /find 1",
        "GET /find 1 again in 0.5: ConnectError",
        "GET /find 2",
        "GET /find 503",
        "GET /find 2 again in 1.0: Response",
        "GET /find 3",
        "GET /find 200",
    ]


@pytest.mark.parametrize(
    "answer", [Response(404), TransportError("lost"), Response(200, {}, b"nonsense")]
)
def test_an_error_is_told_once_and_is_the_callers_own(answer: Answer) -> None:
    diary = Diary()
    with pytest.raises(ToyError) as caught:
        ToyClient(diary.engine(answer)).ask("hi")
    assert diary.errors == [caught.value]


def test_each_chunk_is_told_and_so_is_a_broken_stream() -> None:
    diary = Diary()
    stream = ToyClient(diary.engine(arriving(ONCE + UPON, b""))).tell()
    with pytest.raises(ToyError):
        stream.collect()
    assert diary.lines[2:] == ["POST /tell: once", "POST /tell: upon", "ToyError"]


def test_a_resumed_stream_tells_each_chunk_once_and_no_error() -> None:
    diary = Diary()
    broken = arriving(b"id: 1\n" + ONCE, x_chatloom_turn="t1")
    outside = Scripted(broken, arriving(UPON, DONE))
    named = diary.hooks.heard_by(ToyError.like)
    engine = Engine(Sync, outside, diary.policies(), named=named, manner=Manner(max_retries=2))
    assert ToyClient(engine).tell().collect() == "once upon"
    assert diary.lines == [
        "POST /tell 1",
        "POST /tell 200",
        "POST /tell: once",
        "GET /turns/t1/events 1 again in 0.0: TransportError",
        "GET /turns/t1/events 1",
        "GET /turns/t1/events 200",
        "POST /tell: upon",
    ]


def test_a_stream_that_cannot_be_resumed_tells_one_error() -> None:
    diary = Diary()
    named = diary.hooks.heard_by(ToyError.like)
    outside = Scripted(arriving(x_chatloom_turn="t1"), Response(410))
    engine = Engine(Sync, outside, diary.policies(), named=named, manner=Manner(max_retries=2))
    with pytest.raises(ToyError) as caught:
        ToyClient(engine).tell().collect()
    assert diary.errors == [caught.value]


def test_hooks_are_the_same_for_async_clients() -> None:
    diary = Diary()
    outside = Scripted(arriving(ONCE, DONE), suspends=True)
    client = AsyncToyClient(Engine(Async, outside, diary.policies()))
    assert asyncio.run(client.tell().collect()) == "once"
    assert diary.lines == ["POST /tell 1", "POST /tell 200", "POST /tell: once"]


def test_hooks_do_not_see_the_key() -> None:
    diary = Diary()
    ToyClient(diary.engine(WORDS)).find()
    assert "canary" not in str([request.headers for request in diary.requests])


def test_what_a_hook_raises_reaches_the_caller_and_no_connection_is_lost() -> None:
    def refuse(*_: object) -> None:
        raise LookupError("enough")

    for hooks in (Hooks(on_response=refuse), Hooks(on_chunk=refuse)):
        answer = arriving(ONCE, DONE)
        body = answer.arriving
        client = ToyClient(Engine(Sync, Scripted(answer), [hooks]))
        with pytest.raises(LookupError, match="enough"):
            client.tell().collect()
        assert vars(body)["abandoned"] == 1


def test_coroutine_functions_are_refused() -> None:
    async def hook(request: Request) -> None: ...

    with pytest.raises(SettingsError, match="policy"):
        Hooks(on_request=hook)
