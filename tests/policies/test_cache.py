"""What is answered again, and what is not."""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from threading import Thread

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.engine import Async, Engine, Sync
from chatloom.core.errors import SettingsError, StreamError, TransportError
from chatloom.core.http import JSON, Ending, Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside, guard
from chatloom.core.streams import Stream
from chatloom.policies.cache import Cache, MemoryStore
from chatloom.policies.identify import Identify
from support.scripted import NOON, Answer, Body, Scripted, arriving
from support.toy import AsyncToyClient, ToyClient

GET = Request("GET", "/v1/models")
OTHER_GET = Request("GET", "/v1/chats")
POST = Request("POST", "/v1/chats", body=b"{}")


class Counting(Scripted):
    """Answers by script, and when that is over with the number of the request."""

    def answer(self, request: Request) -> Answer:
        if self._script:
            return super().answer(request)
        number = str(len(self.requests)).encode()
        if request.streamed:
            return Response(200, arriving=Body(b"data: " + number + b"\n\n", DONE))
        return Response(200, {"x-number": number.decode()}, number)


DONE = b"event: done\ndata:\n\n"


@pytest.fixture(params=[False, True], ids=["blocking", "async"])
def suspends(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def asking(*, streamed: bool = False, **fields: JSON) -> Request:
    """Ask for a completion at temperature 0, unless *fields* say otherwise."""
    body = msgspec.json.encode({"model": "m", "temperature": 0, **fields})
    return Request("POST", "/v1/chat/completions", body=body, streamed=streamed)


class Client:
    """Sends requests through a cache, in a mode."""

    def __init__(
        self,
        *script: Answer,
        cache: Cache | None = None,
        scope: bytes = b"mine",
        suspends: bool = False,
    ) -> None:
        self.cache = cache or Cache(completions=True)
        self.world = Counting(*script, suspends=suspends)
        self._outside = guard(self.world, [Identify(), self.cache.within(scope)])
        self._suspends = suspends

    def send(self, request: Request) -> Response:
        sent = self._outside.send(request)
        return asyncio.run(sent) if self._suspends else run_inline(sent)

    def bodies(self, *requests: Request) -> list[bytes]:
        return [self.send(request).body for request in requests]


def test_a_get_is_answered_again(suspends: bool) -> None:
    client = Client(suspends=suspends)
    first, again = client.send(GET), client.send(GET)
    assert (first.attempts, again.attempts) == (1, 0)
    assert (again.status, again.headers, again.body) == (200, {"x-number": "1"}, b"1")
    assert len(client.world.requests) == 1


def test_what_was_kept_expires() -> None:
    client = Client(cache=Cache(ttl=60))
    client.send(GET)
    client.world.slept.append(59.9)
    assert client.send(GET).body == b"1"
    client.world.slept.append(0.1)
    assert client.send(GET).body == b"2"


@pytest.mark.parametrize(
    "answer",
    [
        Response(404, body=b"none"),
        Response(302),
        Response(206, body=b"part"),
        Response(204),
        Response(200, body=b'{"error": {"message": "busy"}}'),
        Response(200, body=b'{"data": [1, 2'),
        TransportError("lost"),
    ],
    ids=str,
)
@pytest.mark.parametrize("request_", [GET, asking()], ids=str)
def test_only_whole_successes_are_kept(answer: Answer, request_: Request) -> None:
    client = Client(answer)
    with suppress(TransportError):
        client.send(request_)
    assert client.send(request_).body == b"2"


@pytest.mark.parametrize(
    "body", [b"", b"plain", b"[]", b'"text"', b'{"error": null}', b'{"data": []}', b"\xff"]
)
def test_a_success_of_any_kind_is_kept(body: bytes) -> None:
    client = Client(Response(200, body=body))
    assert client.bodies(GET, GET) == [body, body]


def test_cookies_are_not_kept() -> None:
    client = Client(Response(200, {"set-cookie": "a=b", "x-request-id": "r1"}))
    assert client.send(GET).headers == {"set-cookie": "a=b", "x-request-id": "r1"}
    assert client.send(GET).headers == {"x-request-id": "r1"}


def with_headers(request: Request, **headers: str) -> Request:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return msgspec.structs.replace(request, headers=named)


ASKED = asking(messages=["hi"])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GET, Request("GET", "/v1/model")),
        (GET, Request("GET", "/v1/models", (("a", "1"),))),
        (Request("GET", "/", (("a", "1"),)), Request("GET", "/", (("a", "2"),))),
        (GET, with_headers(GET, accept="text/plain")),
        (with_headers(GET, x_own="a"), with_headers(GET, x_own="b")),
        (GET, Request("GET", "/v1/models", body=b"{}")),
        (ASKED, asking(messages=["ho"])),
        (ASKED, asking(messages=["hi"], seed=1)),
        (ASKED, with_headers(ASKED, accept="text/plain")),
        (ASKED, msgspec.structs.replace(ASKED, path="/v1/completions")),
    ],
)
def test_what_differs_is_kept_apart(one: Request, other: Request) -> None:
    assert Client().bodies(one, other, one, other) == [b"1", b"2", b"1", b"2"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (GET, with_headers(GET, user_agent="another", x_request_id="r2")),
        (GET, with_headers(GET, traceparent="00-1-2-01")),
        (GET, msgspec.structs.replace(GET, deadline=2000.0, max_retries=5)),
        (
            with_headers(GET, accept="*/*", x_own="a"),
            with_headers(GET, x_own="a", accept="*/*"),
        ),
        (ASKED, with_headers(ASKED, idempotency_key="k2")),
        (ASKED, msgspec.structs.replace(ASKED, body=ASKED.body.replace(b",", b" , "))),
        (
            Request("POST", "/", body=b'{"a": {"c": 1, "b": 2}, "temperature": 0.0}'),
            Request("POST", "/", body=b'{"temperature": 0.0, "a": {"b": 2, "c": 1}}'),
        ),
        (
            Request("POST", "/", body=b'{"args": {"temperature": 0, "model": "m"}}'),
            Request("POST", "/", body=b'{"args": {"model": "m", "temperature": 0}}'),
        ),
    ],
)
def test_what_differs_only_by_the_call_is_the_same(one: Request, other: Request) -> None:
    assert Client().bodies(one, other) == [b"1", b"1"]


@pytest.mark.parametrize(
    "request_",
    [
        asking(temperature=0.1),
        asking(temperature=False),
        asking(temperature="0"),
        asking(temperature=None),
        asking(session_id="s1"),
        asking(metadata={"conversation_id": "c1"}),
        asking(args={"model": "m"}),
        asking(args={"temperature": 0, "metadata": {"conversation_id": "c1"}}),
        Request("POST", "/", body=b'{"model": "m"}'),
        Request("POST", "/", body=b'["temperature", 0]'),
        Request("POST", "/", body=b'{"temperature": 0'),
        Request("PUT", "/", body=b'{"model": "m"}'),
        Request("HEAD", "/"),
        Request("DELETE", "/"),
    ],
)
def test_other_requests_are_sent_each_time(request_: Request) -> None:
    assert Client().bodies(request_, request_) == [b"1", b"2"]


def test_completions_are_kept_where_asked_for_only() -> None:
    assert Client(cache=Cache()).bodies(ASKED, ASKED) == [b"1", b"2"]
    assert Client(cache=Cache(completions=True)).bodies(ASKED, ASKED) == [b"1", b"1"]


def test_a_metadata_that_names_no_place_hinders_nothing() -> None:
    request = asking(metadata={"colour": "red"})
    assert Client().bodies(request, request) == [b"1", b"1"]


def test_a_stream_of_a_get_is_not_kept() -> None:
    client = Client()
    for _ in range(2):
        response = client.send(Request("GET", "/", streamed=True))
        assert (response.attempts, response.followers) == (1, ())


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_may_have_changed_is_asked_again(method: str, suspends: bool) -> None:
    client = Client(suspends=suspends)
    change = Request(method, "/v1/chats")
    assert client.bodies(GET, OTHER_GET, change, GET, OTHER_GET, GET) == [
        b"1",
        b"2",
        b"3",
        b"4",
        b"5",
        b"4",
    ]


@pytest.mark.parametrize("failure", [Response(500), TransportError("lost"), KeyError("ours")])
def test_a_change_that_failed_may_have_happened(failure: Answer) -> None:
    client = Client(Response(200, body=b"1"), failure)
    client.send(GET)
    with suppress(TransportError, KeyError):
        client.send(POST)
    assert client.send(GET).body == b"3"


def test_a_completion_changes_what_gets_tell_and_a_kept_one_does_not() -> None:
    client = Client()
    assert client.bodies(GET, ASKED, GET, ASKED, GET) == [b"1", b"2", b"3", b"2", b"3"]


def test_an_answer_from_before_a_change_is_not_kept_after_it() -> None:
    class Crossing(Counting):
        """A change happens while a GET is on its way."""

        async def send(self, request: Request) -> Response:
            response = await super().send(request)
            if len(self.requests) == 1:
                await client.send(POST)
            return response

    world = Crossing()
    client = guard(world, [Cache().within(b"mine")])
    assert run_inline(client.send(GET)).body == b"1"
    assert run_inline(client.send(GET)).body == b"3"


@pytest.mark.parametrize("shared", [True, False], ids=["one cache", "two caches of one store"])
@pytest.mark.parametrize("fails", [False, True], ids=["done", "lost"])
def test_an_answer_from_amid_a_change_is_not_kept_after_it(shared: bool, fails: bool) -> None:
    class Crossing(Counting):
        """A GET is answered while a change is on its way."""

        async def send(self, request: Request) -> Response:
            if request is POST:
                assert (await reader.send(GET)).body == b"2"
                if fails:
                    raise KeyError
            return await super().send(request)

    world, cache, store = Crossing(), Cache(), MemoryStore()
    reader = guard(world, [(cache if shared else Cache(store)).within(b"mine")])
    writer = guard(world, [(cache if shared else Cache(store)).within(b"mine")])
    run_inline(reader.send(GET))
    with suppress(KeyError):
        run_inline(writer.send(POST))
    late = run_inline((writer if fails else reader).send(GET))
    assert late.body == (b"3" if fails else b"4")


def test_a_streamed_change_ends_with_its_stream() -> None:
    client = Client(cache=Cache())
    story = ToyClient(Engine(Sync, client.world, [client.cache.within(b"mine")])).tell()
    assert client.bodies(GET, GET) == [b"2", b"2"]
    story.collect()
    assert client.bodies(GET, GET) == [b"3", b"3"]


def test_scopes_see_nothing_of_each_other() -> None:
    cache = Cache(completions=True)
    mine, yours = Client(cache=cache), Client(cache=cache, scope=b"yours")
    yours.send(POST)
    assert mine.bodies(GET, ASKED, GET) == [b"1", b"2", b"3"]
    assert yours.bodies(GET, ASKED) == [b"2", b"3"]
    yours.send(POST)
    assert mine.bodies(GET) == [b"3"]


def test_clients_of_one_scope_share_what_is_kept() -> None:
    cache = Cache()
    one, other = Client(cache=cache), Client(cache=cache)
    one.send(GET)
    assert other.send(GET).attempts == 0
    other.send(POST)
    assert one.send(GET).body == b"2"


def test_caches_of_one_store_share_what_is_kept_and_what_has_changed() -> None:
    store = MemoryStore()
    one, other = Client(cache=Cache(store)), Client(cache=Cache(store))
    one.send(GET)
    assert other.send(GET).attempts == 0
    other.send(POST)
    assert one.send(GET).body == b"2"


@pytest.mark.parametrize(
    ("word", "bodies"), [("no-cache", [b"1", b"2", b"2"]), ("no-store", [b"1", b"2", b"1"])]
)
@pytest.mark.parametrize("request_", [GET, OTHER_GET])
def test_a_call_may_ask_past_the_cache(request_: Request, word: str, bodies: list[bytes]) -> None:
    past = with_headers(request_, cache_control=word)
    assert Client().bodies(request_, past, request_) == bodies


STORY = (b"data: once\n\n", b"data: upon\n\n", DONE)


class Told(ToyClient):
    """The toy, whose story is a completion at temperature 0."""

    def __init__(self, world: Outside, cache: Cache) -> None:
        super().__init__(Engine(Sync, world, [_Cold(), cache.within(b"mine")]))


class _Cold:
    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        return await outside.send(msgspec.structs.replace(request, body=b'{"temperature":0}'))


def test_a_whole_stream_is_replayed() -> None:
    world, cache = Scripted(arriving(*STORY, x_request_id="r1")), Cache(completions=True)
    with Told(world, cache).tell() as story:
        assert list(story) == ["once", "upon"]
    with Told(world, cache).tell() as story:
        assert story.headers == {"x-request-id": "r1"}
        assert list(story) == ["once", "upon"]
    assert Told(world, cache).tell().collect() == "once upon"


def test_a_whole_stream_is_replayed_to_tasks() -> None:
    async def read() -> list[str]:
        policies = [_Cold(), cache.within(b"mine")]
        return [word async for word in AsyncToyClient(Engine(Async, world, policies)).tell()]

    world, cache = Scripted(arriving(*STORY), suspends=True), Cache(completions=True)
    assert [asyncio.run(read()) for _ in range(3)] == [["once", "upon"]] * 3


def test_a_replayed_stream_comes_in_the_same_pieces() -> None:
    client = Client(Response(200, arriving=Body(*STORY)))
    first = client.send(asking(streamed=True))
    assert first.arriving is not None
    while run_inline(first.arriving.read()):
        pass
    for follower in first.followers:
        follower.over(Ending(complete=True))
    again = client.send(asking(streamed=True))
    assert (again.attempts, again.followers) == (0, ())
    assert again.arriving is not None
    pieces = [run_inline(again.arriving.read()) for _ in range(5)]
    assert pieces == [*STORY, b"", b""]
    run_inline(again.arriving.close())
    again.arriving.abandon()


@pytest.mark.parametrize(
    "pieces",
    [STORY[:2], (STORY[0], b"event: error\ndata: oh\n\n"), (STORY[0], TransportError("reset"))],
)
def test_a_stream_that_broke_off_is_not_kept(pieces: tuple[bytes | Exception, ...]) -> None:
    world, cache = Scripted(arriving(*pieces), arriving(*STORY)), Cache(completions=True)
    with pytest.raises(StreamError):
        Told(world, cache).tell().collect()
    assert Told(world, cache).tell().collect() == "once upon"


@pytest.mark.parametrize("words", [0, 1, 2])
def test_a_stream_left_early_is_not_kept(words: int) -> None:
    world, cache = Scripted(arriving(*STORY), arriving(*STORY)), Cache(completions=True)
    with Told(world, cache).tell() as story:
        for _ in range(words):
            next(story)
    assert Told(world, cache).tell().collect() == "once upon"
    assert len(world.requests) == 2


def test_a_stream_that_was_resumed_is_not_kept() -> None:
    client = Client()
    first = client.send(asking(streamed=True))
    for follower in first.followers:
        follower.over(Ending(complete=True, resumed=True))
    client.send(asking(streamed=True))
    assert len(client.world.requests) == 2


def test_a_recorded_stream_gives_its_connection_back() -> None:
    body = Body(*STORY)
    Told(Scripted(Response(200, arriving=body)), Cache(completions=True)).tell().collect()
    assert (body.finished, body.closed, body.abandoned) == (1, 0, 0)
    dropped = Body(*STORY)
    story = Told(Scripted(Response(200, arriving=dropped)), Cache(completions=True)).tell()
    del story
    assert dropped.abandoned == 1


def test_a_streamed_and_a_plain_request_are_kept_apart() -> None:
    client = Client()
    client.send(asking())
    assert client.send(asking(streamed=True)).arriving is not None


@pytest.mark.parametrize(
    "asked", ["no-store", "No-Cache", "max-age=0, no-cache", "no-cache,no-store"]
)
def test_a_caller_may_ask_past_the_cache(asked: str) -> None:
    client = Client()
    past = GET.with_header("cache-control", asked)
    assert client.bodies(past, past) == [b"1", b"2"]


@pytest.mark.parametrize("rubbish", [b"", b"rubbish", b"\x92\xc0\xc0"])
def test_what_a_store_has_spoilt_is_asked_again(rubbish: bytes) -> None:
    class Spoilt(MemoryStore):
        def get(self, key: str, now: float) -> bytes | None:
            return rubbish

    assert Client(cache=Cache(Spoilt())).bodies(GET, GET) == [b"1", b"2"]


def test_a_store_that_forgets_everything_only_costs_time() -> None:
    class Forgetful(MemoryStore):
        def get(self, key: str, now: float) -> bytes | None:
            return None

    assert Client(cache=Cache(Forgetful())).bodies(GET, POST, GET) == [b"1", b"2", b"3"]


def test_secrets_are_not_in_keys() -> None:
    class Seen(MemoryStore):
        keys = ""

        def put(self, key: str, value: bytes, expires: float, now: float) -> None:
            self.keys += key

    store = Seen()
    Client(cache=Cache(store), scope=b"canary").send(with_headers(GET, x_own="canary"))
    assert len(store.keys) == 128
    assert set(store.keys) <= set("0123456789abcdef")


@pytest.mark.parametrize("ttl", [0, -1, math.nan])
def test_a_cache_that_keeps_nothing_is_refused(ttl: float) -> None:
    with pytest.raises(SettingsError, match="ttl must be more than 0"):
        Cache(ttl=ttl)


def test_threads_may_share_a_cache() -> None:
    client = Client()
    threads = [Thread(target=client.bodies, args=[GET, POST, ASKED] * 10) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.send(ASKED).attempts == 0


def test_a_stream_collected_amid_a_store_is_kept_after_it() -> None:
    class Locked(MemoryStore):
        """A store that comes upon garbage while it holds a lock."""

        is_held = False

        def get(self, key: str, now: float) -> bytes | None:
            self.is_held = True
            garbage.clear()
            self.is_held = False
            return super().get(key, now)

        def put(self, key: str, value: bytes, expires: float, now: float) -> None:
            assert not self.is_held, "a dead lock"
            super().put(key, value, expires, now)

    garbage: list[Stream[str, str]] = []
    cache = Cache(Locked(), completions=True)
    garbage.append(Told(Scripted(arriving(b"".join(STORY))), cache).tell())
    next(garbage[0])  # all has arrived, and a piece is left to take
    Client(cache=cache).send(GET)
    assert Told(Scripted(), cache).tell().collect() == "once upon"


class TestMemoryStore:
    def test_what_is_put_is_found_until_it_expires(self) -> None:
        store = MemoryStore()
        store.put("a", b"1", NOON + 5, NOON)
        assert store.get("a", NOON + 4.9) == b"1"
        assert store.get("a", NOON + 5) is None
        assert store.get("a", NOON) is None  # gone
        assert store.get("b", NOON) is None

    def test_what_is_put_again_takes_the_others_place(self) -> None:
        store = MemoryStore(max_bytes=4)
        for value in (b"123", b"12", b"1234"):
            store.put("a", value, math.inf, 0)
            assert store.get("a", 1e300) == value

    def test_those_not_asked_for_longest_make_way(self) -> None:
        store = MemoryStore(max_entries=2)
        for key in "ab":
            store.put(key, b"", 9, 0)
        store.get("a", 0)
        store.put("c", b"", 9, 0)
        assert [store.get(key, 0) for key in "abc"] == [b"", None, b""]

    def test_what_is_too_large_is_not_kept(self) -> None:
        store = MemoryStore(max_bytes=4)
        store.put("small", b"1234", 9, 0)
        store.put("large", b"12345", 9, 0)
        assert store.get("large", 0) is None
        assert store.get("small", 0) == b"1234"

    def test_a_value_too_large_leaves_no_older_one(self) -> None:
        store = MemoryStore(max_bytes=4)
        store.put("a", b"1", 9, 0)
        store.put("a", b"12345", 9, 0)
        assert store.get("a", 0) is None

    @given(
        puts=st.lists(st.tuples(st.sampled_from("abcdef"), st.binary(max_size=9))),
        max_entries=st.integers(1, 4),
        max_bytes=st.integers(1, 20),
    )
    def test_no_bound_is_ever_passed(
        self, puts: list[tuple[str, bytes]], max_entries: int, max_bytes: int
    ) -> None:
        store = MemoryStore(max_entries=max_entries, max_bytes=max_bytes)
        for key, value in puts:
            store.put(key, value, 9, 0)
            kept = [found for key in "abcdef" if (found := store.get(key, 0)) is not None]
            assert len(kept) <= max_entries
            assert sum(map(len, kept)) <= max_bytes
            if len(value) <= max_bytes:
                assert store.get(key, 0) == value

    @pytest.mark.parametrize("bounds", [{"max_entries": 0}, {"max_bytes": 0}, {"max_bytes": -1}])
    def test_a_store_without_room_is_refused(self, bounds: dict[str, int]) -> None:
        with pytest.raises(SettingsError, match="a cache needs room"):
            MemoryStore(**bounds)
