"""An application in this very process, as blocking and as async clients reach it."""

from __future__ import annotations

import asyncio
import gc
import gzip
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from chatloom.core.errors import (
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    TimedOut,
    TransportError,
)
from chatloom.core.http import Arriving, Request, Response, Timeouts
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside
from chatloom.transports.asgi import Application, AsgiTransport, Hosted, exchange
from chatloom.transports.asgi.application import Message, Receive, Scope, Send

T = TypeVar("T")
GET = Request("GET", "/v1/x")
STREAMED = Request("GET", "/v1/x", streamed=True)
SECRET = ("authorization", "Bearer secret")


@dataclass
class Side:
    """How one of the two kinds of client drives the transport."""

    blocking: bool

    def run(self, work: Coroutine[object, None, T]) -> T:
        return run_inline(work) if self.blocking else asyncio.run(work)

    def use(
        self, app: Application | Hosted, work: Callable[[Outside], Coroutine[object, None, T]]
    ) -> T:
        async def whole() -> T:
            outside = AsgiTransport(app, blocking=self.blocking)
            try:
                return await work(outside)
            finally:
                await outside.close()

        return self.run(whole())

    def ask(self, app: Application, *requests: Request) -> Response:
        async def talk(outside: Outside) -> Response:
            for request in requests[:-1]:
                await (await outside.send(request)).read()
            response = await outside.send(requests[-1])
            await response.read()
            return response

        return self.use(app, talk)


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def get(request: pytest.FixtureRequest) -> Request:
    return STREAMED if request.param else GET


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread is left once every client is closed."""
    yield
    gc.collect()
    until = time.monotonic() + 10
    while (left := threads()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "chatloom-asgi"]


@dataclass
class Told:
    """An application that keeps what it is told, and says what it is to."""

    pieces: list[bytes] = field(default_factory=lambda: [b"hi"])
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list[tuple[bytes, bytes]])
    scopes: list[Any] = field(default_factory=list[Any])
    bodies: list[bytes] = field(default_factory=list[bytes])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        self.scopes.append(scope)
        told: Any = await receive()
        self.bodies.append(told["body"])
        await send(start(self.status, *self.headers))
        for piece in self.pieces:
            await send(body(piece))
        await send({"type": "http.response.body"})


def start(status: int = 200, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(piece: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": piece, "more_body": more}


def doing(work: Callable[[Receive, Send], Coroutine[Any, Any, None]]) -> Application:
    """An application that does *work* with each request."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await work(receive, send)

    return app


def test_a_request_is_told_as_the_standard_says(side: Side) -> None:
    app = Told()
    side.ask(
        app, Request("POST", "/a%2Fb%20%C3%A9", (("q", "a b&c"),), (("x-name", "loom"),), b"{}")
    )
    (scope,) = app.scopes
    assert (scope["method"], scope["scheme"], scope["http_version"]) == ("POST", "http", "1.1")
    assert (scope["path"], scope["raw_path"]) == ("/a/b é", b"/a%2Fb%20%C3%A9")
    assert (scope["query_string"], scope["root_path"]) == (b"q=a%20b%26c", "")
    assert scope["server"] == ("localhost", 80)
    assert {(b"x-name", b"loom"), (b"content-length", b"2"), (b"host", b"localhost")} <= set(
        scope["headers"]
    )
    assert app.bodies == [b"{}"]


def test_an_answer_has_status_headers_and_body(side: Side, get: Request) -> None:
    tags = [(b"X-Tag", b"a"), (b"x-tag", b"b")]
    response = side.ask(Told([b"one ", b"two"], 201, tags), get)
    assert (response.status, response.body) == (201, b"one two")
    assert response.headers["x-tag"] == "a, b"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_some_answers_have_no_body(side: Side, get: Request, method: str) -> None:
    app = Told([b"never", b" told"], 200 if method == "HEAD" else 204, [(b"content-length", b"9")])
    assert side.ask(app, Request(method, "/", streamed=get.streamed)).body == b""


def test_a_packed_body_is_unpacked(side: Side, get: Request) -> None:
    packed = gzip.compress(b"one and another")
    app = Told([packed[:9], packed[9:]], headers=[(b"content-encoding", b"gzip")])
    assert side.ask(app, get).body == b"one and another"


def test_packing_is_not_asked_for(side: Side) -> None:
    app = Told()
    side.ask(app, GET, Request("GET", "/", headers=(("accept-encoding", "gzip"),)))
    asked = [dict(scope["headers"])[b"accept-encoding"] for scope in app.scopes]
    assert asked == [b"identity", b"gzip"]


@pytest.mark.parametrize(
    "bad",
    [
        Request("GET", "/a b"),
        Request("GET / HTTP/1.1", "/"),
        Request("GET", "/", headers=(("authorization", "secret\r\nx: 1"),)),
    ],
)
def test_what_no_wire_would_carry_is_refused(side: Side, bad: Request) -> None:
    app = Told()
    with pytest.raises(SettingsError) as caught:
        side.ask(app, bad)
    assert "secret" not in str(caught.value)
    assert not app.scopes


def test_a_piece_is_handed_over_as_soon_as_it_comes(side: Side) -> None:
    """The application says the second piece only when the first one was seen."""
    seen = threading.Event()

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"first"))
        await asyncio.to_thread(seen.wait, 10)
        await send(body(b"second", more=False))

    async def watch(outside: Outside) -> list[bytes]:
        arriving = (await outside.send(STREAMED)).arriving
        assert arriving is not None
        pieces = [await arriving.read()]
        seen.set()
        while piece := await arriving.read():
            pieces.append(piece)
        assert await arriving.read() == b""
        await arriving.close()
        return pieces

    assert side.use(app, watch) == [b"first", b"second"]


def test_a_head_is_handed_over_before_the_first_piece(side: Side) -> None:
    seen = threading.Event()

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start(202))
        await asyncio.to_thread(seen.wait, 10)
        await send(body(b"", more=False))

    async def watch(outside: Outside) -> int:
        response = await outside.send(STREAMED)
        seen.set()
        await response.read()
        return response.status

    assert side.use(app, watch) == 202


def test_an_application_does_not_run_ahead_of_its_reader(side: Side) -> None:
    sent: list[int] = []

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        for number in range(1000):
            await send(body(b"."))
            sent.append(number)
        await send(body(b"", more=False))

    async def read_late(outside: Outside) -> tuple[int, int]:
        response = await outside.send(STREAMED)
        await outside.sleep(0.1)
        ahead = len(sent)
        return ahead, len(await response.read())

    ahead, whole = side.use(app, read_late)
    assert ahead < exchange.MOST_WAITING + 2
    assert whole == 1000


def waiting(get: Request, **seconds: float) -> Request:
    deadline = seconds.pop("deadline", None)
    return Request(
        "GET",
        "/v1/x",
        headers=(SECRET,),
        streamed=get.streamed,
        timeouts=Timeouts(**seconds),
        deadline=None if deadline is None else time.monotonic() + deadline,
    )


@doing
async def silent(receive: Receive, send: Send) -> None:
    await asyncio.sleep(30)


@doing
async def silent_after_a_word(receive: Receive, send: Send) -> None:
    await send(start())
    await send(body(b"hi"))
    await asyncio.sleep(30)


@doing
async def dripping(receive: Receive, send: Send) -> None:
    await send(start())
    while True:
        await send(body(b"."))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("app", [silent, silent_after_a_word])
def test_a_long_silence_times_out(side: Side, get: Request, app: Application) -> None:
    with pytest.raises(TimedOut, match=r"GET /v1/x timed out: nothing arrived for 0\.1 s"):
        side.ask(app, waiting(get, idle=0.1))


@pytest.mark.parametrize("app", [silent, silent_after_a_word, dripping])
def test_a_deadline_ends_the_wait(side: Side, get: Request, app: Application) -> None:
    with pytest.raises(TimedOut, match="deadline"):
        side.ask(app, waiting(get, deadline=0.2))


def test_a_deadline_in_the_past_asks_nothing(side: Side, get: Request) -> None:
    app = Told()
    with pytest.raises(TimedOut, match="deadline"):
        side.ask(app, waiting(get, deadline=-1))
    assert not app.scopes


def test_a_slow_answer_is_not_silent(side: Side, get: Request) -> None:
    @doing
    async def slow(receive: Receive, send: Send) -> None:
        await send(start())
        for _ in range(8):
            await asyncio.sleep(0.1)
            await send(body(b"."))
        await send(body(b"", more=False))

    assert side.ask(slow, waiting(get, idle=0.6)).body == b"........"


class Boom(Exception):
    """What the application raises."""


@pytest.mark.parametrize("after_head", [False, True])
def test_an_application_that_fails_lost_the_request(
    side: Side, get: Request, after_head: bool
) -> None:
    @doing
    async def failing(receive: Receive, send: Send) -> None:
        if after_head:
            await send(start())
            await send(body(b"secret"))
        raise Boom("secret")

    with pytest.raises(TransportError, match=r"GET /v1/x was lost: .* failed \(Boom\)") as caught:
        side.ask(failing, get)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, Boom)


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "without an answer"),
        ([start()], "before the end of the body"),
        ([start(), body(b"half")], "before the end of the body"),
        ([start(200, (b"content-length", b"9")), body(b"half", more=False)], "5 bytes before"),
        ([start(200, (b"content-length", b"2")), body(b"more", more=False)], "longer than"),
        ([start(200, (b"content-length", b"x")), body(b"", more=False)], "length open"),
        ([start(200, (b"content-encoding", b"gzip")), body(b"hi", more=False)], "gzip"),
        ([body(b"headless", more=False)], "RuntimeError"),
        ([start(), start()], "RuntimeError"),
    ],
)
def test_an_answer_that_is_not_whole_is_an_error(
    side: Side, get: Request, messages: list[Message], reason: str
) -> None:
    @doing
    async def app(receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(TransportError, match=reason):
        side.ask(app, get)


def test_an_error_ends_the_stream_for_good(side: Side) -> None:
    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"whole"))

    async def read_on(outside: Outside) -> None:
        response = await outside.send(STREAMED)
        assert response.arriving is not None
        assert await response.arriving.read() == b"whole"
        for _ in range(2):
            with pytest.raises(TransportError, match="before the end"):
                await response.arriving.read()
        await response.arriving.close()

    side.use(app, read_on)


@dataclass
class Endless:
    """Streams until it hears that nobody listens; stubborn ones do not mind even then."""

    stubborn: bool = False
    heard: list[str] = field(default_factory=list[str])
    ended: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        await receive()
        try:
            await send(start())
            while True:
                await self._go_on(send)
        except asyncio.CancelledError:
            self.heard.append("cancelled")
            raise
        finally:
            self.heard.append(str((await receive())["type"]))
            self.ended.set()

    async def _go_on(self, send: Send) -> None:
        if self.stubborn:
            await asyncio.sleep(1)
        else:
            await send(body(b"."))


async def leave(outside: Outside, how: str) -> None:
    response: Response | None = await outside.send(STREAMED)
    assert response is not None
    assert response.arriving is not None
    if how == "closed":
        await response.arriving.close()
        with pytest.raises(TransportError, match="it was closed"):
            await response.arriving.read()
    elif how == "abandoned":
        response.arriving.abandon()
    response = None
    gc.collect()


@pytest.mark.parametrize("how", ["closed", "abandoned", "dropped"])
def test_an_application_hears_that_its_reader_has_left(side: Side, how: str) -> None:
    app = Endless()

    async def talk(outside: Outside) -> None:
        await leave(outside, how)
        await asyncio.to_thread(app.ended.wait, 10) if not side.blocking else app.ended.wait(10)

    side.use(app, talk)
    assert app.heard == ["http.disconnect"]


def test_one_that_does_not_mind_is_stopped(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PATIENCE", 0.05)
    app = Endless(stubborn=True)

    async def talk(outside: Outside) -> None:
        await leave(outside, "closed")
        await asyncio.to_thread(app.ended.wait, 10) if not side.blocking else app.ended.wait(10)

    side.use(app, talk)
    assert app.heard == ["cancelled", "http.disconnect"]


def test_a_reader_can_be_abandoned_from_another_thread() -> None:
    async def talk(outside: Outside) -> None:
        response = await outside.send(STREAMED)
        arriving = response.arriving
        assert arriving is not None
        assert await arriving.read() == b"hi"
        threading.Timer(0.1, arriving.abandon).start()
        with pytest.raises(TransportError, match="it was closed"):
            await arriving.read()

    Side(True).use(silent_after_a_word, talk)


def test_work_behind_an_answer_goes_on_when_the_answer_is_read(side: Side) -> None:
    done = threading.Event()

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"hi", more=False))
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        await asyncio.sleep(0.05)
        done.set()

    side.ask(app, STREAMED)
    assert done.is_set()


@dataclass
class Living:
    """Knows lifespans, and notes what happens in which thread."""

    events: list[str] = field(default_factory=list[str])
    threads: set[str] = field(default_factory=set[str])
    failing: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.threads.add(f"{threading.current_thread().name} {threading.get_ident()}")
        state: Any = scope.get("state")
        if scope["type"] == "lifespan":
            await receive()
            if self.failing:
                told = "Traceback (most recent call last):\nBoom: no disk"
                await send({"type": "lifespan.startup.failed", "message": told})
                raise Boom
            state["answer"] = 42
            self.events.append("startup")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.events.append("shutdown")
            await send({"type": "lifespan.shutdown.complete"})
        else:
            self.events.append(f"answer {state['answer']}")
            await send(start())
            await send(body(b"hi", more=False))


def test_an_application_starts_with_the_first_request_and_stops_with_the_client(side: Side) -> None:
    app = Living()
    unused = AsgiTransport(app, blocking=True)
    run_inline(unused.close())
    assert app.events == []
    side.ask(app, GET, GET)
    assert app.events == ["startup", "answer 42", "answer 42", "shutdown"]


def test_an_application_that_cannot_start_cannot_be_reached(side: Side) -> None:
    app = Living(failing=True)
    with pytest.raises(ConnectError, match="could not start: Boom: no disk"):
        side.ask(app, GET)


def test_one_that_raises_our_own_error_is_taken_at_its_word(side: Side) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise SettingsError("the file is in use")

    with pytest.raises(SettingsError, match="the file is in use"):
        side.ask(app, GET)


def test_one_that_could_not_start_is_started_anew(side: Side) -> None:
    app = Living(failing=True)

    async def twice(outside: Outside) -> int:
        with pytest.raises(ConnectError):
            await outside.send(GET)
        app.failing = False
        return (await outside.send(GET)).status

    assert side.use(app, twice) == 200


async def never_started(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(30)


def test_a_start_counts_as_connecting(side: Side) -> None:
    with pytest.raises(ConnectTimedOut, match=r"did not start within 0\.1 s"):
        side.ask(never_started, waiting(GET, connect=0.1))


def test_a_start_is_within_the_deadline(side: Side) -> None:
    with pytest.raises(TimedOut, match="deadline"):
        side.ask(never_started, waiting(GET, deadline=0.1))


def test_threads_and_loops_share_one_application() -> None:
    app = Living()
    hosted = Hosted(app)
    sides = [Side(True), Side(False)] * 4

    def ask(side: Side) -> int:
        async def whole() -> int:
            outside = AsgiTransport(hosted, blocking=side.blocking)
            answers = [await outside.send(GET) for _ in range(20)]
            await outside.close()
            return len([answer for answer in answers if answer.body == b"hi"])

        return side.run(whole())

    hosted.enter()
    with ThreadPoolExecutor(len(sides)) as pool:
        assert list(pool.map(ask, sides)) == [20] * len(sides)
    assert app.events.count("startup") == 1
    assert len(app.threads) == 1
    assert app.events[-1] != "shutdown"
    hosted.leave()


def test_one_transport_serves_several_loops_in_turn() -> None:
    outside = AsgiTransport(Told(), blocking=False)
    for _ in range(3):
        assert asyncio.run(outside.send(GET)).body == b"hi"
    asyncio.run(outside.close())


def test_many_requests_run_at_once() -> None:
    async def gather(outside: Outside) -> int:
        answers = await asyncio.gather(*(outside.send(GET) for _ in range(200)))
        return sum(answer.status == 200 for answer in answers)

    assert Side(False).use(Told(), gather) == 200


def test_a_cancelled_call_lets_its_application_know() -> None:
    app = Endless(stubborn=True)

    async def talk(outside: Outside) -> None:
        calling = asyncio.ensure_future(outside.send(GET))
        await asyncio.sleep(0.1)
        calling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calling

    Side(False).use(app, talk)
    assert app.heard[-1] == "http.disconnect"


def test_an_application_does_not_see_its_clients_context(side: Side) -> None:
    whose = ContextVar("whose", default="nobody's")

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(whose.get().encode(), more=False))

    whose.set("the client's")
    assert side.ask(app, GET).body == b"nobody's"


def test_a_blocking_client_says_that_it_cannot_wait_for_itself() -> None:
    caught: list[str] = []

    @doing
    async def app(receive: Receive, send: Send) -> None:
        try:
            run_inline(outside.send(GET))
        except SettingsError as error:
            caught.append(str(error))
        await send(start())
        await send(body(b"", more=False))

    outside = AsgiTransport(app, blocking=True)
    run_inline(outside.send(GET))
    run_inline(outside.close())
    assert caught == ["a blocking client cannot wait for the application it is part of"]


def test_a_closed_client_says_so(side: Side) -> None:
    async def close_first(outside: Outside) -> None:
        await outside.send(GET)
        await outside.close()
        await outside.close()
        with pytest.raises(SettingsError, match="the client is closed"):
            await outside.send(GET)

    side.use(Told(), close_first)


def test_closing_ends_what_still_waits(side: Side) -> None:
    outside = AsgiTransport(silent, blocking=True)
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(lambda: run_inline(outside.send(GET)))
        time.sleep(0.1)
        run_inline(outside.close())
        with pytest.raises(TransportError, match="the client was closed"):
            waits.result(10)


async def begun(outside: Outside) -> Arriving:
    """Begin a stream, and read what is there."""
    arriving = (await outside.send(STREAMED)).arriving
    assert arriving is not None
    assert (await arriving.read()).startswith(b"hi")
    return arriving


@pytest.mark.parametrize("app", [silent_after_a_word, Told([b"hi", b"ho"])])
def test_a_stream_ends_with_its_client(side: Side, app: Application) -> None:
    """Whether or not another guest keeps the application going."""
    hosted = Hosted(app)

    async def close_within(other: Outside) -> None:
        await other.send(STREAMED)
        outside = AsgiTransport(hosted, blocking=side.blocking)
        arriving = await begun(outside)
        await outside.close()
        for _ in range(2):
            with pytest.raises(TransportError, match=r"^GET /v1/x was lost: the client was closed"):
                await arriving.read()

    side.use(hosted, close_within)


def test_closing_wakes_a_thread_that_reads() -> None:
    hosted = Hosted(silent_after_a_word)
    other, outside = (AsgiTransport(hosted, blocking=True) for _ in range(2))
    arriving = run_inline(begun(outside))
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(lambda: run_inline(arriving.read()))
        time.sleep(0.1)
        run_inline(outside.close())
        with pytest.raises(TransportError, match="the client was closed"):
            reading.result(10)
    run_inline(other.close())


def test_a_stream_has_one_reading_task() -> None:
    go_on = threading.Event()

    @doing
    async def app(receive: Receive, send: Send) -> None:
        await send(start())
        await send(body(b"hi"))
        await asyncio.to_thread(go_on.wait, 10)
        await send(body(b"ho", more=False))

    async def read_twice(outside: Outside) -> None:
        arriving = await begun(outside)
        reading = asyncio.create_task(arriving.read())
        await asyncio.sleep(0.05)
        with pytest.raises(SettingsError, match="this stream is being read already"):
            await arriving.read()
        go_on.set()
        assert await reading == b"ho"

    Side(False).use(app, read_twice)


def test_a_stream_belongs_to_its_event_loop() -> None:
    outside = AsgiTransport(silent_after_a_word, blocking=False)
    arriving = asyncio.run(begun(outside))
    with pytest.raises(TransportError, match="was lost: it belongs to another event loop"):
        asyncio.run(arriving.read())
    asyncio.run(outside.close())


def test_a_dropped_client_ends_its_application(side: Side) -> None:
    app = Living()

    async def drop() -> None:
        await AsgiTransport(app, blocking=side.blocking).send(GET)

    side.run(drop())
    gc.collect()
    until = time.monotonic() + 10
    while app.events[-1] != "shutdown" and time.monotonic() < until:
        time.sleep(0.01)
    assert app.events == ["startup", "answer 42", "shutdown"]
