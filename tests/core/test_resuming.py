"""Streams that go on over another connection, and those that cannot."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

import msgspec
import pytest

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import (
    ChatloomError,
    ConnectError,
    SettingsError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
)
from chatloom.core.event_stream import encode_event
from chatloom.core.http import Ending, Request, Response
from chatloom.core.manner import Manner
from chatloom.core.outside import Outside, Policy
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from support.scripted import Answer, Body, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient

ONCE, UPON, A, TIME = (
    encode_event(word, id=str(number))
    for number, word in enumerate((b"once", b"upon", b"a", b"time"))
)
DONE = encode_event(b"", event="done", id="9")
FAILED = encode_event(b"the model fell over", event="error", id="9")
LOST, LATE, REFUSED = TransportError("lost"), TimedOut("late"), ConnectError("refused")
GONE = Response(410, {}, b'{"error": {"message": "gone", "code": "replay_expired"}}')
SETTLED = Response(502, {"x-chatloom-turn": "t1"})


Pieces: TypeAlias = tuple[bytes | Exception, ...]


def begun(*pieces: bytes | Exception) -> Response:
    return arriving(*pieces, x_chatloom_turn="t1")


def kept(*pieces: bytes) -> Response:
    return msgspec.structs.replace(begun(*pieces), attempts=0)


def answers(script: tuple[Answer | Pieces, ...]) -> list[Answer]:
    """Make a body of each tuple: nobody reads one twice."""
    return [begun(*answer) if isinstance(answer, tuple) else answer for answer in script]


class Told(msgspec.Struct):
    """What came of a story."""

    words: list[str]
    error: ChatloomError | None
    outside: Scripted

    @property
    def asked(self) -> list[tuple[str, str | None]]:
        """Each request for the rest, and behind which event."""
        return [(str(one), one.header("last-event-id")) for one in self.outside.requests[1:]]


PATIENT = Manner(max_retries=2)
KEYED = Manner(max_retries=2, headers=(("idempotency-key", "k"), ("x-a", "b")))

Tell: TypeAlias = Callable[..., Told]


@pytest.fixture(params=["blocking", "async"])
def tell(request: pytest.FixtureRequest) -> Tell:
    """Have a scripted story told in either mode, until its end or its error."""
    is_blocking = request.param == "blocking"

    def told(
        *script: Answer | Pieces,
        policies: list[Policy] | None = None,
        token: str | None = None,
        manner: Manner = PATIENT,
    ) -> Told:
        outside = Scripted(*answers(script), suspends=not is_blocking)
        inner: list[Policy] = [Identify(), Retry()] if policies is None else policies
        result = Told([], None, outside)
        try:
            if is_blocking:
                client = ToyClient(Engine(Sync, outside, inner, manner=manner))
                stream = client.tell() if token is None else client.tell_on(token)
                result.words.extend(stream)
            else:
                asyncio.run(read(Engine(Async, outside, inner, manner=manner), token, result.words))
        except ChatloomError as error:
            result.error = error
        return result

    return told


async def read(engine: Engine[Async], token: str | None, words: list[str]) -> None:
    client = AsyncToyClient(engine)
    stream = client.tell() if token is None else client.tell_on(token)
    while (word := await anext(stream, None)) is not None:
        words.append(word)


EVENTS = "GET /turns/t1/events"


@pytest.mark.parametrize(
    ("script", "asked"),
    [
        pytest.param([(ONCE, UPON, LOST), (A, TIME, DONE)], [(EVENTS, "1")], id="lost"),
        pytest.param([(ONCE, UPON), (A, TIME, DONE)], [(EVENTS, "1")], id="ended"),
        pytest.param([(ONCE, LATE), (UPON, A, TIME, DONE)], [(EVENTS, "0")], id="late"),
        pytest.param(
            [(ONCE + UPON[:5], LOST), (UPON, A, TIME, DONE)],
            [(EVENTS, "0")],
            id="lost within an event",
        ),
        pytest.param(
            [(LOST,), (ONCE, UPON, A, TIME, DONE)], [(EVENTS, None)], id="before any event"
        ),
        pytest.param([(ONCE, UPON, A, TIME, LOST), (DONE,)], [(EVENTS, "3")], id="before the end"),
        pytest.param(
            [(ONCE, LOST), (UPON, LOST), (A,), (TIME, LOST), (DONE,)],
            [(EVENTS, "0"), (EVENTS, "1"), (EVENTS, "2"), (EVENTS, "3")],
            id="after each word",
        ),
        pytest.param(
            [(ONCE, LOST), REFUSED, Response(503), (UPON, A, TIME, DONE)],
            [(EVENTS, "0")] * 3,
            id="with a server that starts anew",
        ),
    ],
)
def test_a_broken_stream_goes_on_behind_the_last_event(
    tell: Tell, script: list[Answer | Pieces], asked: list[tuple[str, str | None]]
) -> None:
    told = tell(*script)
    assert (told.words, told.error) == (["once", "upon", "a", "time"], None)
    assert told.asked == asked


def test_it_asks_for_events_and_keeps_the_calls_key_to_the_call(tell: Tell) -> None:
    told = tell((ONCE, LOST), (DONE,), manner=KEYED)
    post, get = told.outside.requests
    assert (post.header("idempotency-key"), get.header("idempotency-key")) == ("k", None)
    assert (get.header("accept"), get.header("x-a")) == ("text/event-stream", "b")
    assert get.streamed


@pytest.mark.parametrize(
    ("script", "requests", "slept"),
    [
        pytest.param([(ONCE, LOST), (LOST,), ()], 3, 0.5, id="nothing new"),
        pytest.param(
            [(ONCE, LOST), (LOST,), (UPON,), (), (LOST,)],
            5,
            0.5 + 0.5,
            id="nothing new any more",
        ),
        pytest.param([(ONCE, LOST), *[LATE] * 3], 4, 0.5 + 1.0, id="no answer"),
    ],
)
def test_it_gives_up_when_nothing_new_comes(
    tell: Tell, script: list[Answer | Pieces], requests: int, slept: float
) -> None:
    told = tell(*script)
    assert isinstance(told.error, Truncated)
    assert told.error.text == " ".join(told.words)
    assert (len(told.outside.requests), sum(told.outside.slept)) == (requests, slept)


@pytest.mark.parametrize("answer", [Response(404), GONE, SETTLED, Response(403)])
def test_a_refusal_is_final_and_the_cause_of_the_error(tell: Tell, answer: Response) -> None:
    told = tell((ONCE, UPON, LOST), answer)
    error = told.error
    assert isinstance(error, Truncated)
    assert (error.text, error.resume_token) == ("once upon", "t1:1")
    assert isinstance(error.__cause__, StatusError)
    assert len(told.asked) == 1
    assert error.__cause__.status_code == answer.status
    assert "lost" in str(error)


def test_an_error_told_in_the_stream_is_final(tell: Tell) -> None:
    told = tell((ONCE, LOST), (UPON, FAILED))
    assert type(told.error) is StreamError
    assert (told.words, len(told.outside.requests)) == (["once", "upon"], 2)


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(arriving(ONCE, LOST), id="no turn"),
        pytest.param(arriving(ONCE, LOST, x_chatloom_turn="../keys"), id="no name for a turn"),
        pytest.param((encode_event(b"once"), LOST), id="no numbers"),
        pytest.param((encode_event(b"once", id="x"), LOST), id="no number"),
        pytest.param((b"data: " + b"x" * 2000,), id="nonsense"),
    ],
)
def test_what_cannot_be_followed_is_truncated_as_ever(tell: Tell, first: Response | Pieces) -> None:
    told = tell(first)
    assert isinstance(told.error, Truncated)
    assert len(told.outside.requests) == 1


def test_whoever_wants_no_repetitions_gets_none(tell: Tell) -> None:
    assert isinstance(tell((ONCE, LOST), manner=Manner(max_retries=0)).error, Truncated)


def test_an_outage_is_waited_for_but_not_for_ever(tell: Tell) -> None:
    told = tell((ONCE, LOST), *[REFUSED] * 99)
    assert isinstance(told.error, Truncated)
    assert isinstance(told.error.__cause__, ConnectError)
    assert 30 <= sum(told.outside.slept) <= 32
    assert len(told.outside.requests) > 15  # no wait is longer than 2 seconds


def test_the_calls_deadline_holds_for_all_its_connections(tell: Tell) -> None:
    limited = Manner(max_retries=2, total_timeout=5)
    told = tell((ONCE, LOST), (LOST,), (UPON, LOST), *[REFUSED] * 99, manner=limited)
    assert isinstance(told.error, Truncated)
    assert sum(told.outside.slept) < 5
    assert {request.deadline for request in told.outside.requests} == {1005.0}


def test_each_lost_connection_is_given_back(tell: Tell) -> None:
    first, second = begun(ONCE, LOST), begun(UPON, DONE)
    tell(first, second)
    bodies = [response.arriving for response in (first, second)]
    assert all(isinstance(body, Body) and not body.is_held for body in bodies)


class Notes:
    """A policy that follows each response, and notes what it is told."""

    def __init__(self) -> None:
        self.pieces: list[object] = []
        self.endings: list[Ending] = []
        self.told: list[str] = []
        self.opened = 0

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        response = await outside.send(request)
        self.opened += 1
        response.followers += (self,)
        return response

    def piece(self, piece: object) -> None:
        self.pieces.append(piece)

    def over(self, ending: Ending) -> None:
        self.endings.append(ending)

    def repeated(self, request: Request, delay: float, cause: Response | TransportError) -> None:
        self.told.append(f"{request} in {delay}: {cause}")


def test_followers_are_told_each_piece_once_and_the_one_end(tell: Tell) -> None:
    notes = Notes()
    tell((ONCE, LOST), (UPON, LOST), (A, DONE), policies=[Retry(), notes])
    assert notes.pieces == ["once", "upon", "a"]
    assert notes.endings == [Ending(complete=True, resumed=True)] * notes.opened


def test_followers_are_told_the_error_the_caller_gets(tell: Tell) -> None:
    notes = Notes()
    told = tell((ONCE, LOST), (UPON, LOST), GONE, policies=[Retry(), notes])
    assert [ending.error for ending in notes.endings] == [told.error] * 2


def test_a_reconnection_is_told_as_a_repetition(tell: Tell) -> None:
    notes = Notes()
    tell((ONCE, LOST), (LOST,), (DONE,), policies=[Retry(on_retry=notes.repeated)])
    assert notes.told == [f"{EVENTS} in 0.0: lost", f"{EVENTS} in 0.5: lost"]


@pytest.mark.parametrize(
    ("token", "behind"), [("t1:1", "1"), ("t1:", None)], ids=["behind an event", "from the begin"]
)
def test_a_token_goes_on_where_a_stream_broke_off(
    tell: Tell, token: str, behind: str | None
) -> None:
    told = tell((A, TIME, LOST), (DONE,), token=token)
    assert (told.words, told.error) == (["a", "time"], None)
    first, second = told.outside.requests
    assert (str(first), first.header("last-event-id")) == (EVENTS, behind)
    assert second.header("last-event-id") == "3"


def test_a_token_waits_for_its_server_as_long_as_a_stream_does(tell: Tell) -> None:
    told = tell(*[REFUSED, Response(503)] * 3, (A, DONE), token="t1:1")
    assert (told.words, told.error) == (["a"], None)


def test_a_streams_error_counts_all_that_was_sent(tell: Tell) -> None:
    told = tell((ONCE, LOST), REFUSED, (UPON, LOST), Response(503), GONE)
    assert told.error is not None
    assert told.error.attempts == len(told.outside.requests) == 5


def test_a_token_that_goes_on_nowhere_is_an_error_of_its_own(tell: Tell) -> None:
    told = tell(GONE, token="t1:1")
    assert isinstance(told.error, StatusError)
    assert told.error.code == "replay_expired"


@pytest.mark.parametrize("token", ["", "t1", ":1", "t1:x", "t 1:1", "../t1:1", "t1:-1", None, 7])
def test_what_is_no_token_is_refused_before_anything_is_sent(tell: Tell, token: Any) -> None:
    outside = Scripted()
    with pytest.raises(SettingsError, match="TURN:EVENT"):
        ToyClient(Engine(Sync, outside)).tell_on(token)
    assert outside.requests == []


def test_a_stream_tells_its_token_as_it_is_read() -> None:
    stream = ToyClient(Engine(Sync, Scripted(begun(ONCE, UPON, DONE)))).tell()
    tokens = [stream.resume_token]
    tokens += [stream.resume_token for _ in stream]
    assert tokens == ["t1:", "t1:0", "t1:1"]


def test_a_token_is_behind_what_was_taken_and_not_what_arrived() -> None:
    stream = ToyClient(Engine(Sync, Scripted(begun(ONCE + UPON + A + DONE)))).tell()
    tokens = [stream.resume_token for word in stream if word != "a"]
    assert tokens == ["t1:0", "t1:1"]


def test_a_token_stays_where_its_reader_left() -> None:
    stream = ToyClient(Engine(Sync, Scripted(begun(ONCE + UPON, DONE)))).tell()
    next(stream)
    stream.close()
    assert stream.resume_token == "t1:0"


def test_only_a_server_that_names_turns_gives_a_token() -> None:
    assert ToyClient(Engine(Sync, Scripted(arriving(ONCE, DONE)))).tell().resume_token is None
    unsound = begun(ONCE, DONE)
    unsound.headers = {"x-chatloom-turn": "../../x?y#"}
    assert ToyClient(Engine(Sync, Scripted(unsound))).tell().resume_token is None
    unopened = AsyncToyClient(Engine(Async, Scripted())).tell()
    assert unopened.resume_token is None


STOP = "POST /turns/t1/cancel"


def test_cancelling_closes_the_stream_and_stops_the_turn_once() -> None:
    first = begun(ONCE, UPON, DONE)
    outside = Scripted(first, Response(200), Response(200))
    stream = ToyClient(Engine(Sync, outside)).tell()
    assert next(stream) == "once"
    stream.cancel()
    assert (list(stream), vars(first.arriving)["closed"]) == ([], 1)
    stream.cancel()
    assert [str(request) for request in outside.requests[1:]] == [STOP]


def test_a_cancel_that_did_not_arrive_may_be_asked_again() -> None:
    outside = Scripted(begun(ONCE, DONE), LOST, Response(200))
    stream = ToyClient(Engine(Sync, outside)).tell()
    with pytest.raises(TransportError):
        stream.cancel()
    assert list(stream) == []
    stream.cancel()
    assert [str(request) for request in outside.requests[1:]] == [STOP, STOP]


def test_a_cancel_whose_answer_was_lost_is_repeated() -> None:
    outside = Scripted(begun(ONCE, DONE), LATE, LOST, Response(200))
    ToyClient(Engine(Sync, outside, [Identify(), Retry()], manner=PATIENT)).tell().cancel()
    assert [str(request) for request in outside.requests[1:]] == [STOP] * 3


def test_a_hook_that_fails_keeps_no_turn_running() -> None:
    class Failing(Notes):
        def over(self, ending: Ending) -> None:
            raise ValueError("a fault of the user's")

    outside = Scripted(begun(ONCE, DONE), Response(200))
    stream = ToyClient(Engine(Sync, outside, [Failing()])).tell()
    with pytest.raises(ValueError, match="fault"):
        stream.cancel()
    assert [str(request) for request in outside.requests[1:]] == [STOP]


class Outage(Scripted):
    """Reaches nobody after its first answer; *meanwhile* happens within the second wait.

    Or where *early*, within the attempt before it.
    """

    def __init__(
        self, meanwhile: Callable[[], Coroutine[None, None, object]], *, early: bool = False
    ) -> None:
        super().__init__(begun(ONCE, LOST), *[REFUSED] * 99)
        self._meanwhile = meanwhile
        self._early = early

    async def send(self, request: Request) -> Response:
        if self._early and len(self.requests) == 2:
            await self._meanwhile()
        return await super().send(request)

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if not self._early and len(self.slept) == 4:
            await self._meanwhile()


@pytest.mark.parametrize(("early", "slept", "told"), [(False, 1.0, 3), (True, 0.5, 2)])
def test_closing_a_stream_frees_its_reader_during_an_outage(
    early: bool, slept: float, told: int
) -> None:
    async def main() -> None:
        notes = Notes()
        outside = Outage(lambda: stream.close(), early=early)
        retry = Retry(on_retry=notes.repeated)
        stream = AsyncToyClient(Engine(Async, outside, [retry], manner=PATIENT)).tell()
        assert [word async for word in stream] == ["once"]
        assert (sum(outside.slept), len(notes.told), len(outside.requests)) == (slept, told, 3)

    asyncio.run(main())


def test_a_cancel_that_reaches_nobody_raises_and_frees_the_reader() -> None:
    async def cancel() -> None:
        with pytest.raises(ConnectError):
            await stream.cancel()

    async def main() -> None:
        assert [word async for word in stream] == ["once"]
        assert [str(one) for one in outside.requests[3:]] == [STOP] * 3

    outside = Outage(cancel)
    engine = Engine(Async, outside, [Identify(), Retry()], manner=PATIENT)
    stream = AsyncToyClient(engine).tell()
    asyncio.run(main())


@pytest.mark.parametrize(
    "first",
    [arriving(ONCE, UPON, DONE), begun(ONCE + DONE), kept(ONCE, UPON, DONE)],
    ids=["no turn", "at the end", "out of a cache"],
)
def test_cancelling_sends_nothing_where_nothing_runs(first: Response) -> None:
    outside = Scripted(first)
    stream = ToyClient(Engine(Sync, outside)).tell()
    next(stream)
    stream.cancel()
    assert (list(stream), len(outside.requests)) == ([], 1)


def test_whoever_wants_the_whole_of_a_cancelled_answer_is_told() -> None:
    stream = ToyClient(Engine(Sync, Scripted(begun(ONCE, DONE), Response(200)))).tell()
    stream.cancel()
    with pytest.raises(Truncated, match="cancelled"):
        stream.collect()


def test_a_closed_stream_can_still_be_cancelled() -> None:
    outside = Scripted(begun(ONCE, DONE), Response(200))
    stream = ToyClient(Engine(Sync, outside)).tell()
    stream.close()
    stream.cancel()
    assert [str(request) for request in outside.requests[1:]] == [STOP]


def test_a_task_that_reads_a_cancelled_stream_finds_its_end() -> None:
    class Waiting(Body):
        async def read(self) -> bytes:
            reading.set()
            await closed.wait()
            raise LOST

        async def close(self) -> None:
            await super().close()
            closed.set()

    async def main() -> None:
        task = asyncio.create_task(stream.collect_words())
        await reading.wait()
        await stream.stream.cancel()
        assert await task == []

    class Collected:
        def __init__(self) -> None:
            answer = Response(200, {"x-chatloom-turn": "t1"}, arriving=Waiting())
            self.outside = Scripted(answer, Response(200), suspends=True)
            engine = Engine(Async, self.outside, [Retry()], manner=PATIENT)
            self.stream = AsyncToyClient(engine).tell()

        async def collect_words(self) -> list[str]:
            return [word async for word in self.stream]

    reading, closed, stream = asyncio.Event(), asyncio.Event(), Collected()
    asyncio.run(main())
    assert [str(request) for request in stream.outside.requests[1:]] == [STOP]


class Slow(Scripted):
    """Waits before an answer until it is let go on."""

    def __init__(self, *script: Answer, slow: int) -> None:
        super().__init__(*script)
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()
        self._slow = slow

    async def send(self, request: Request) -> Response:
        answer = await super().send(request)
        if len(self.requests) == self._slow:
            self.asked.set()
            await self.go_on.wait()
        return answer


@pytest.mark.parametrize(
    ("script", "slow"),
    [
        pytest.param([begun(ONCE, DONE), Response(200)], 1, id="opened"),
        pytest.param([begun(LOST), begun(ONCE, DONE), Response(200)], 2, id="gone on with"),
    ],
)
def test_cancelling_while_a_stream_is_opened_stops_the_turn(
    script: list[Answer], slow: int
) -> None:
    async def main() -> None:
        outside = Slow(*script, slow=slow)
        stream = AsyncToyClient(Engine(Async, outside, manner=PATIENT)).tell()
        task = asyncio.create_task(anext(stream, None))
        await outside.asked.wait()
        await stream.cancel()
        outside.go_on.set()
        assert await task is None
        assert [str(one) for one in outside.requests].count(STOP) == 1
        bodies = [answer.arriving for answer in script if isinstance(answer, Response)]
        assert not any(isinstance(body, Body) and body.is_held for body in bodies)

    asyncio.run(main())


def test_a_reader_that_is_interrupted_between_two_connections_is_told() -> None:
    notes = Notes()

    async def main() -> None:
        outside = Slow(begun(ONCE, LOST), begun(DONE), slow=2)
        engine = Engine(Async, outside, [notes], manner=PATIENT)
        stream = AsyncToyClient(engine).tell()
        assert await anext(stream) == "once"
        task = asyncio.create_task(anext(stream))
        await outside.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(Truncated, match="interrupted"):
            await anext(stream)

    asyncio.run(main())
    gc.collect()
    assert notes.endings == [Ending()]
