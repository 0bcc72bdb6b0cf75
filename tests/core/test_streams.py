"""The life of a stream, the same in both modes."""

from __future__ import annotations

import asyncio
import gc

import pytest

from chatloom.core.engine import Async, Engine, Sync, unnamed
from chatloom.core.errors import (
    ChatloomError,
    ConnectError,
    SettingsError,
    StatusError,
    StreamError,
    TransportError,
    Truncated,
)
from chatloom.core.event_stream import encode_event
from chatloom.core.http import Ending, Request, Response
from chatloom.core.reading import Opening
from chatloom.core.streams import AsyncStream, Stream
from support.readers import Open
from support.scripted import Body, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient, Words

ONCE, UPON, A, TIME = (encode_event(word) for word in (b"once", b"upon", b"a", b"time"))
DONE = encode_event(b"", event="done")
FAILED = encode_event(b"the model fell over", event="error")
USAGE = encode_event(b"2", event="usage", id="9")
LOST = TransportError("the connection was lost")
TOO_LARGE = encode_event(b"x" * 2000)


def body_of(answer: Response) -> Body:
    assert isinstance(answer.arriving, Body)
    return answer.arriving


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([ONCE, UPON, DONE], id="one word a read"),
        pytest.param([ONCE + UPON + DONE], id="all in one read"),
        pytest.param(
            [b": hi\n", ONCE[:5], ONCE[5:] + UPON[:1], UPON[1:] + DONE], id="cut anywhere"
        ),
        pytest.param([ONCE, UPON, DONE, TIME], id="with something behind the end"),
    ],
)
def test_iterating_gives_each_piece(opened: Open, pieces: list[bytes]) -> None:
    assert opened(arriving(*pieces)).rest() == ["once", "upon"]


def test_next_gives_one_piece_after_the_other(opened: Open) -> None:
    reader = opened(arriving(ONCE, UPON + A, TIME, DONE))
    assert [reader.next(), reader.next(), reader.text] == ["once", "upon", "once upon a"]
    assert [reader.rest(), reader.next()] == [["a", "time"], None]


def test_iterating_again_after_the_end_finds_nothing(opened: Open) -> None:
    reader = opened(arriving(ONCE, DONE, UPON))
    assert [reader.rest(), reader.rest(), reader.next()] == [["once"], [], None]


def test_the_end_gives_the_connection_back_once(opened: Open) -> None:
    answer = arriving(ONCE, DONE)
    body, reader = body_of(answer), opened(answer)
    reader.rest()
    reader.close()
    del reader
    assert (body.finished, body.closed, body.abandoned) == (1, 0, 0)


def test_the_connection_is_held_until_the_last_piece_is_out(opened: Open) -> None:
    answer = arriving(ONCE, UPON)
    body, reader = body_of(answer), opened(answer)
    assert [reader.next(), reader.next(), body.is_held] == ["once", "upon", True]


def test_collect_gives_the_whole_answer(opened: Open) -> None:
    assert opened(arriving(ONCE, UPON, DONE)).collect() == "once upon"


def test_collect_includes_what_was_read_before(opened: Open) -> None:
    reader = opened(arriving(ONCE, UPON + A, TIME, DONE))
    assert [reader.next(), reader.next()] == ["once", "upon"]
    assert [reader.collect(), reader.rest()] == ["once upon a time", []]


def test_collect_may_be_asked_again(opened: Open) -> None:
    reader = opened(arriving(ONCE, UPON, DONE))
    reader.rest()
    assert [reader.collect(), reader.collect()] == ["once upon"] * 2


def test_collect_never_passes_a_part_off_as_the_whole(opened: Open) -> None:
    reader = opened(arriving(ONCE, UPON, DONE))
    reader.next()
    reader.close()
    with pytest.raises(Truncated, match="closed before") as caught:
        reader.collect()
    assert caught.value.text == "once"


def test_leaving_early_closes_the_connection(opened: Open) -> None:
    answer = arriving(ONCE, UPON, A, DONE)
    body, reader = body_of(answer), opened(answer)
    reader.visit(lambda word: word == "upon")
    assert (body.closed, body.abandoned, reader.rest()) == (1, 0, [])


def test_an_exception_in_the_callers_loop_closes_the_connection(opened: Open) -> None:
    answer = arriving(ONCE, UPON, DONE)
    body, reader = body_of(answer), opened(answer)
    with pytest.raises(KeyError, match="once"):
        reader.visit({"upon": True}.__getitem__)
    assert (body.closed, reader.next()) == (1, None)


def test_closing_twice_is_harmless(opened: Open) -> None:
    answer = arriving(ONCE + UPON, DONE)
    body, reader = body_of(answer), opened(answer)
    reader.next()
    reader.close()
    reader.close()
    assert (body.closed, reader.rest()) == (1, [])


@pytest.mark.parametrize("read", [0, 1], ids=["unread", "half read"])
def test_dropping_a_stream_gives_the_connection_back(opened: Open, read: int) -> None:
    answer = arriving(ONCE, UPON, DONE)
    body, reader = body_of(answer), opened(answer)
    for _ in range(read):
        reader.next()
    assert body.is_held
    del reader
    gc.collect()
    assert (body.closed, body.abandoned) == (0, 1)


@pytest.mark.parametrize(
    ("pieces", "words", "text"),
    [
        pytest.param([], [], "", id="nothing came"),
        pytest.param([ONCE, UPON], ["once", "upon"], "once upon", id="the end is missing"),
        pytest.param([ONCE, UPON[:-1]], ["once"], "once", id="cut within an event"),
        pytest.param([ONCE, LOST, UPON], ["once"], "once", id="the connection was lost"),
        pytest.param([ONCE, TOO_LARGE, UPON], ["once"], "once", id="an event is too large"),
    ],
)
def test_an_answer_without_its_end_is_truncated(
    opened: Open, pieces: list[bytes | Exception], words: list[str], text: str
) -> None:
    answer = arriving(*pieces)
    body, reader = body_of(answer), opened(answer)
    assert [reader.next() for _ in words] == words
    with pytest.raises(Truncated, match="POST /tell: ") as caught:
        reader.next()
    assert (caught.value.text, caught.value.resume_token) == (text, None)
    assert [body.is_held, reader.next(), reader.rest()] == [False, None, []]


class UntilTheEnd(Words):
    """Whole when its body is; the last word comes with the end."""

    def feed(self, data: bytes) -> list[str]:
        if data:
            return [*super().feed(data)]
        self.complete = True
        return ["end"]


def test_an_answer_may_be_whole_when_its_body_ends() -> None:
    answer = arriving(ONCE)
    body = body_of(answer)

    async def send() -> Response:
        return answer

    stream = AsyncStream(Opening("POST /tell", send, unnamed), UntilTheEnd())

    async def main() -> None:
        assert [word async for word in stream] == ["once", "end"]

    asyncio.run(main())
    assert not body.is_held


def test_a_truncated_answer_can_be_resumed(opened: Open) -> None:
    second = encode_event(b"upon", id="7")
    reader = opened(arriving(ONCE, second, USAGE, x_chatloom_turn="t1", x_request_id="r1"))
    with pytest.raises(Truncated) as caught:
        reader.collect()
    error = caught.value
    assert (error.text, error.usage, error.resume_token) == ("once upon", {"words": 2}, "t1:9")
    assert (error.status_code, error.request_id, error.attempts) == (200, "r1", 1)


def test_an_answer_can_be_resumed_from_its_start(opened: Open) -> None:
    with pytest.raises(Truncated) as caught:
        opened(arriving(x_chatloom_turn="t1")).collect()
    assert caught.value.resume_token == "t1:"


@pytest.mark.parametrize("pieces", [[ONCE, UPON, FAILED, A], [ONCE + UPON + FAILED + A]])
def test_an_error_in_the_answer_raises_after_what_came_before(
    opened: Open, pieces: list[bytes]
) -> None:
    reader = opened(arriving(*pieces))
    assert [reader.next(), reader.next()] == ["once", "upon"]
    with pytest.raises(StreamError, match="the model fell over") as caught:
        reader.next()
    assert (type(caught.value), caught.value.text) == (StreamError, "once upon")


def test_after_an_error_a_stream_is_over(opened: Open) -> None:
    answer = arriving(ONCE, FAILED, A, DONE)
    body, reader = body_of(answer), opened(answer)
    with pytest.raises(StreamError):
        reader.rest()
    assert [body.closed, reader.next(), reader.rest()] == [1, None, []]
    with pytest.raises(Truncated):
        reader.collect()


def test_a_lost_connection_is_the_cause_of_the_streams_error(opened: Open) -> None:
    answer = arriving(ONCE, LOST)
    body, reader = body_of(answer), opened(answer)
    with pytest.raises(Truncated, match="the connection was lost") as caught:
        reader.rest()
    assert (caught.value.__cause__, body.abandoned) == (LOST, 1)


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), MemoryError()])
def test_whatever_breaks_reading_gives_the_connection_back(
    opened: Open, stop: BaseException
) -> None:
    class Interrupted(Body):
        async def read(self) -> bytes:
            raise stop

    body = Interrupted()
    with pytest.raises(type(stop)):
        opened(Response(200, arriving=body)).rest()
    assert not body.is_held


def test_headers_are_there_before_the_first_piece(opened: Open) -> None:
    assert opened(arriving(ONCE, DONE, x_fingerprint="f")).headers == {"x-fingerprint": "f"}


def test_a_blocking_stream_is_opened_at_once() -> None:
    outside = Scripted(Response(404, {}, b"no such story"))
    with pytest.raises(StatusError, match="no such story"):
        ToyClient(Engine(Sync, outside)).tell()


def test_a_stream_asks_for_an_event_stream() -> None:
    outside = Scripted(arriving(DONE))
    ToyClient(Engine(Sync, outside)).tell().collect()
    (request,) = outside.requests
    assert (request.streamed, request.header("accept")) == (True, "text/event-stream")


def test_streams_are_iterators_of_their_mode() -> None:
    blocking = ToyClient(Engine(Sync, Scripted(arriving(DONE)))).tell()
    awaited = AsyncToyClient(Engine(Async, Scripted())).tell()
    assert isinstance(blocking, Stream)
    assert iter(blocking) is blocking
    assert isinstance(awaited, AsyncStream)
    assert aiter(awaited) is awaited


def test_an_async_stream_is_opened_when_it_is_first_awaited() -> None:
    outside = Scripted(arriving(ONCE, DONE, x_a="b"), suspends=True)
    stream = AsyncToyClient(Engine(Async, outside)).tell()

    async def main() -> None:
        assert (outside.requests, stream.headers, stream.text) == ([], {}, "")
        assert await stream is stream
        assert await stream is stream
        assert (len(outside.requests), stream.headers) == (1, {"x-a": "b"})
        assert [word async for word in stream] == ["once"]

    asyncio.run(main())


def test_iterating_and_collecting_open_an_async_stream_too() -> None:
    outside = Scripted(*(arriving(ONCE, DONE) for _ in range(3)), suspends=True)
    client = AsyncToyClient(Engine(Async, outside))

    async def main() -> None:
        assert [word async for word in client.tell()] == ["once"]
        assert await client.tell().collect() == "once"
        async with client.tell() as stream:
            assert await anext(stream) == "once"

    asyncio.run(main())


def test_a_stream_that_could_not_be_opened_is_not_asked_for_again() -> None:
    outside = Scripted(ConnectError("refused"), suspends=True)
    stream = AsyncToyClient(Engine(Async, outside)).tell()

    async def main() -> None:
        with pytest.raises(ConnectError):
            await stream
        assert [word async for word in stream] == []
        with pytest.raises(Truncated):
            await stream.collect()

    asyncio.run(main())
    assert len(outside.requests) == 1


def test_a_stream_that_was_never_opened_closes_without_a_request() -> None:
    stream = AsyncToyClient(Engine(Async, Scripted())).tell()
    asyncio.run(stream.close())
    with pytest.raises(Truncated):
        asyncio.run(stream.collect())


def test_cancelling_a_reader_gives_the_connection_back() -> None:
    class Silent(Body):
        async def read(self) -> bytes:
            reading.set()
            await asyncio.Event().wait()
            return b""

    body, reading = Silent(), asyncio.Event()
    stream = AsyncToyClient(Engine(Async, Scripted(Response(200, arriving=body)))).tell()

    async def main() -> None:
        task = asyncio.create_task(stream.collect())
        await reading.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert body.abandoned == 1
        with pytest.raises(Truncated, match="interrupted"):
            await anext(stream)
        assert await anext(stream, None) is None

    asyncio.run(main())


class Notes:
    """Follows a stream and keeps what it is told."""

    def __init__(self) -> None:
        self.pieces: list[object] = []
        self.endings: list[Ending] = []

    def piece(self, piece: object) -> None:
        self.pieces.append(piece)

    def over(self, ending: Ending) -> None:
        self.endings.append(ending)


def followed(*pieces: bytes | Exception) -> tuple[Response, Notes]:
    notes = Notes()
    response = arriving(*pieces)
    response.followers = (notes,)
    return response, notes


def test_followers_are_told_each_piece_and_a_good_end(opened: Open) -> None:
    response, notes = followed(ONCE + UPON, b"event: usage\ndata: 2\n\n", DONE)
    opened(response).rest()
    assert notes.pieces == ["once", "upon"]
    assert notes.endings == [Ending(complete=True, usage={"words": 2})]


def test_followers_are_told_of_an_error(opened: Open) -> None:
    response, notes = followed(ONCE, TransportError("lost"))
    with pytest.raises(Truncated) as caught:
        opened(response).rest()
    assert [ending.error for ending in notes.endings] == [caught.value]
    assert not notes.endings[0].complete


def test_followers_are_told_once_when_a_reader_leaves(opened: Open) -> None:
    response, notes = followed(ONCE, UPON, DONE)
    stream = opened(response)
    stream.next()
    stream.close()
    stream.close()
    del stream
    gc.collect()
    assert notes.endings == [Ending()]


def test_followers_are_told_of_a_stream_that_was_dropped() -> None:
    response, notes = followed(ONCE, DONE)
    ToyClient(Engine(Sync, Scripted(response))).tell()
    gc.collect()
    assert notes.endings == [Ending()]


def test_a_stream_closed_while_it_is_read_just_ends() -> None:
    class Closed(Body):
        async def read(self) -> bytes:
            await stream.close()
            raise LOST

    stream = AsyncToyClient(Engine(Async, Scripted(Response(200, arriving=Closed())))).tell()

    async def main() -> None:
        assert [word async for word in stream] == []

    asyncio.run(main())


def test_a_second_reader_is_refused_and_the_first_goes_on() -> None:
    class Slow(Body):
        async def read(self) -> bytes:
            await asyncio.sleep(0)
            return await super().read()

    client = AsyncToyClient(
        Engine(Async, Scripted(Response(200, arriving=Slow(ONCE, UPON, DONE)), suspends=True))
    )

    async def main() -> None:
        stream = client.tell()
        first = asyncio.create_task(stream.collect())
        await asyncio.sleep(0)
        with pytest.raises(SettingsError, match="being read already"):
            await anext(stream)
        assert await first == "once upon"

    asyncio.run(main())


def test_an_error_names_its_request_once() -> None:
    lost = TransportError("POST /tell was lost: reset")
    stream = ToyClient(Engine(Sync, Scripted(arriving(ONCE, lost)))).tell()
    with pytest.raises(Truncated) as caught:
        stream.collect()
    assert str(caught.value) == "POST /tell was lost: reset"


def test_every_follower_is_told_even_if_one_fails() -> None:
    class Failing(Notes):
        def over(self, ending: Ending) -> None:
            raise LookupError("full")

    answer, notes = arriving(ONCE, DONE), Notes()
    answer.followers = (Failing(), notes)
    with pytest.raises(LookupError, match="full"):
        ToyClient(Engine(Sync, Scripted(answer))).tell().collect()
    assert notes.endings == [Ending(complete=True)]


@pytest.mark.parametrize("pieces", [(ONCE, FAILED), (ONCE, LOST)])
def test_an_error_that_cannot_be_named_gives_the_connection_back(
    pieces: tuple[bytes | Exception, ...],
) -> None:
    def refuse(error: ChatloomError) -> ChatloomError:
        raise LookupError("no name")

    answer, notes = followed(*pieces)
    body = body_of(answer)
    with pytest.raises(LookupError):
        ToyClient(Engine(Sync, Scripted(answer), named=refuse)).tell().collect()
    assert not body.is_held
    assert [type(ending.error) for ending in notes.endings] != [type(None)]


class Twice(AsyncStream[str, str]):
    """A stream that has a second answer behind the first."""

    following: Opening | None = None

    async def _fill(self) -> bool:
        while not await super()._fill():
            if self.following is None:
                return False
            following, self.following = self.following, None
            self._turn_to(following, Words())
        return True


@pytest.mark.parametrize("mode", [Sync, Async])
def test_a_stream_may_turn_to_another_answer(mode: type[Sync | Async]) -> None:
    outside = Scripted(arriving(ONCE, DONE), arriving(UPON, DONE), suspends=mode is Async)

    def opening() -> Opening:
        return Opening("GET /", lambda: outside.send(Request("GET", "/")), unnamed)

    async def told() -> list[str]:
        return [piece async for piece in stream]

    stream = Twice(opening(), Words())
    stream.following = opening()
    pieces = asyncio.run(told()) if mode is Async else list(stream.settled())
    assert pieces == ["once", "upon"]
