"""Cassettes, by what is in them and what comes out of them again."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import pytest

from chatloom.core.errors import ChatloomError, SettingsError, StreamError, TimedOut, TransportError
from chatloom.core.http import Request, Response, Timeouts
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside, guard
from chatloom.policies.retry import Retry
from chatloom.transports.recorded import Cassette, NotRecorded, recorded, recording
from chatloom.transports.recorded.tape import Exchange, written
from chatserver_sdk import AsyncChatServerClient, ChatServerClient
from support.live import Live
from support.scripted import Scripted, arriving
from transports.modes import Mode
from transports.scripted import CHUNKED, Peer, Talk, free_port, saying, serving

NOWHERE = "http://127.0.0.1:9"
GET = Request("GET", "/v1/x")
Answer = Response | Exception


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "talks" / "first.json"


def post(value: object, **options: Any) -> Request:
    return Request("POST", "/v1/x", body=json.dumps(value).encode(), **options)


def record(path: Path, *exchanges: tuple[Request, Answer], **options: Any) -> Any:
    """Record what a scripted world answers; give the file."""
    outside = recorded(Scripted(*(answer for _, answer in exchanges)), Cassette(path, **options))
    for request, _ in exchanges:
        with suppress(TransportError):
            run_inline(whole(outside, request))
    return json.loads(path.read_text())


async def whole(outside: Outside, request: Request) -> Response:
    response = await outside.send(request)
    await response.read()
    return response


async def read_all(response: Response) -> list[bytes]:
    """The pieces of a body, as they come; a `TransportError` has its class and words among them."""
    assert response.arriving is not None
    pieces: list[bytes] = []
    try:
        while piece := await response.arriving.read():
            pieces.append(piece)
    except TransportError as error:
        pieces.append(f"{type(error).__name__}: {error}".encode())
    await response.arriving.close()
    return pieces


def replay(path: Path, *requests: Request, match: Literal["strict", "lenient"] = "strict") -> bytes:
    """The last answer's body."""
    outside = recorded(Scripted(), Cassette(path, "replay", match))
    answers = [run_inline(whole(outside, request)) for request in requests]
    return answers[-1].body


# What is recorded and replayed.


@pytest.mark.parametrize(
    "talk",
    [
        saying(b"HTTP/1.1 201 Created\r\ncontent-type: a/b\r\ncontent-length: 2\r\n\r\nhi"),
        saying(b'HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{"a":1}'),
        saying(b"HTTP/1.1 404 No\r\ncontent-length: 4\r\n\r\n\xff\xfe\0\n"),
        saying(b"HTTP/1.1 204 No Content\r\n\r\n"),
        saying(CHUNKED, b"2\r\n\xc3\xa9\r\n", b"1\r\n!\r\n0\r\n\r\n"),
    ],
    ids=["text", "json", "bytes", "nothing", "chunks"],
)
def test_an_answer_comes_again_without_a_server(
    mode: Mode, get: Request, path: Path, talk: Talk
) -> None:
    with serving(talk) as server:
        first = mode.ask(recorded(mode.make(server.url), Cassette(path)), get)
    second = mode.ask(recorded(mode.make(NOWHERE), Cassette(path)), get)
    assert (first.status, first.body) == (second.status, second.body)
    assert first.headers.get("content-type") == second.headers.get("content-type")


def test_pieces_come_again_as_they_came(mode: Mode, path: Path) -> None:
    seen = threading.Event()

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"4\r\n\xc3\xa9a\xc3\r\n")
        seen.wait(10)
        peer.say(b"2\r\n\xa9b\r\n0\r\n\r\n")

    async def watch(outside: Outside) -> list[bytes]:
        response = await outside.send(Request("GET", "/", streamed=True))
        assert response.arriving is not None
        first = await response.arriving.read()
        seen.set()
        return [first, *await read_all(response)]

    with serving(talk) as server:
        first = mode.use(recorded(mode.make(server.url), Cassette(path)), watch)
    assert mode.use(recorded(mode.make(NOWHERE), Cassette(path)), watch) == first
    assert first == [b"\xc3\xa9a\xc3", b"\xa9b"]


def hold(peer: Peer) -> None:
    peer.asked()
    peer.hold()


def cut(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"5\r\nwhole\r\n", b"5\r\nsho")


def stall(peer: Peer) -> None:
    peer.asked()
    peer.say(CHUNKED, b"5\r\nwhole\r\n")
    peer.hold()


@pytest.mark.parametrize("talk", [saying(), hold, cut, stall], ids=["lost", "hold", "cut", "stall"])
def test_a_failure_comes_again_as_the_same(
    mode: Mode, get: Request, path: Path, talk: Talk
) -> None:
    impatient = Request("GET", "/", streamed=get.streamed, timeouts=Timeouts(idle=0.2))

    async def fail(outside: Outside) -> list[bytes]:
        try:
            response = await outside.send(impatient)
        except TransportError as error:
            return [f"{type(error).__name__}: {error}".encode()]
        return await read_all(response)

    with serving(talk) as server:
        first = mode.use(recorded(mode.make(server.url), Cassette(path)), fail)
    assert mode.use(recorded(mode.make(NOWHERE), Cassette(path)), fail) == first
    assert first[-1].startswith((b"TransportError: ", b"TimedOut: "))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_that_fails_comes_again_as_such(mode: Mode, path: Path, scheme: str) -> None:
    """Refused, or too slow to shake hands."""
    request = Request("GET", "/", timeouts=Timeouts(connect=0.2))
    with serving(Peer.hold) as server:
        port = free_port() if scheme == "http" else server.port
        outside = recorded(mode.make(f"{scheme}://127.0.0.1:{port}"), Cassette(path))
        with pytest.raises(TransportError) as first:
            mode.ask(outside, request)
    with pytest.raises(TransportError) as second:
        mode.ask(recorded(mode.make(NOWHERE), Cassette(path)), request)
    assert type(first.value) is type(second.value) is not TransportError
    assert str(first.value) == str(second.value)


def test_a_stream_left_early_is_known_as_far_as_it_was_read(mode: Mode, path: Path) -> None:
    async def leave(outside: Outside) -> None:
        response = await outside.send(Request("GET", "/", streamed=True))
        assert response.arriving is not None
        assert await response.arriving.read() == b"hi"
        await response.arriving.close()

    async def read_on(outside: Outside) -> None:
        response = await outside.send(Request("GET", "/", streamed=True))
        with pytest.raises(NotRecorded, match="only as far"):
            await read_all(response)

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(CHUNKED, b"2\r\nhi\r\n")
        peer.hold()

    with serving(talk) as server:
        mode.use(recorded(mode.make(server.url), Cassette(path)), leave)
    assert json.loads(path.read_text())["exchanges"][0]["response"]["left"] is True
    mode.use(recorded(mode.make(NOWHERE), Cassette(path)), leave)
    mode.use(recorded(mode.make(NOWHERE), Cassette(path)), read_on)


def test_a_stream_that_is_dropped_is_left(path: Path) -> None:
    outside = recorded(Scripted(arriving(b"hi", b"there")), Cassette(path))
    response = run_inline(outside.send(Request("GET", "/", streamed=True)))
    assert response.arriving is not None
    run_inline(response.arriving.read())
    response.arriving.abandon()
    response = json.loads(path.read_text())["exchanges"][0]["response"]
    assert (response["pieces"], response["left"]) == (["hi"], True)


@pytest.mark.parametrize("streamed", [True, False])
def test_an_answer_may_be_wanted_otherwise_than_it_was_recorded(path: Path, streamed: bool) -> None:
    pieces = arriving(b"a", b"b") if streamed else Response(200, body=b"ab")
    record(path, (Request("GET", "/", streamed=streamed), pieces))
    assert replay(path, Request("GET", "/", streamed=not streamed)) == b"ab"


def test_a_recording_world_is_told_of_nothing_that_was_never_sent(mode: Mode, path: Path) -> None:
    bad = Request("GET", "/", headers=(("x", "a\nb"),))
    with serving(Peer.answer_all) as server:
        outside = recorded(mode.make(server.url), Cassette(path))

        async def ask(outside: Outside) -> None:
            with pytest.raises(SettingsError):
                await outside.send(bad)
            await outside.send(GET)

        mode.use(outside, ask)
    assert len(json.loads(path.read_text())["exchanges"]) == 1


def test_a_closed_client_says_so_in_replay_too(path: Path) -> None:
    record(path, (GET, Response(200)))
    outside = recorded(Scripted(), Cassette(path))
    run_inline(outside.close())
    with pytest.raises(SettingsError, match="closed"):
        run_inline(outside.send(GET))


# Who may ask for what.


SAID = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "n": 1}


@pytest.mark.parametrize(
    "same",
    [
        post(SAID),
        Request("POST", "/v1/x", body=json.dumps(SAID, indent=2).encode()),
        post(dict(reversed(SAID.items()))),
        post({**SAID, "n": 1.0}),
        post(SAID, headers=(("idempotency-key", "other"), ("date", "today"))),
        post(SAID, headers=(("x-stainless-retry-count", "1"),), attempt=2),
    ],
    ids=["same", "spaced", "another order", "1.0 is 1", "headers", "attempts"],
)
def test_the_same_request_is_the_same_by_value(path: Path, same: Request) -> None:
    record(path, (post(SAID, headers=(("idempotency-key", "one"),)), Response(200, body=b"yes")))
    assert replay(path, same) == b"yes"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Request("GET", "/v1/x"), 'recorded "POST /v1/x", asked "GET /v1/x"'),
        (Request("POST", "/v1/y"), 'recorded "POST /v1/x", asked "POST /v1/y"'),
        (post(SAID, query=(("a", "1"),)), 'query: recorded "", asked "a=1"'),
        (post({**SAID, "n": True}), "body.n: recorded 1, asked true"),
        (post({**SAID, "n": "1"}), 'body.n: recorded 1, asked "1"'),
        (post({**SAID, "seed": 7}), "body.seed: recorded nothing, asked 7"),
        (post({"model": "m", "n": 1}), 'body.messages: recorded [{"role":"user"'),
        (
            post({**SAID, "messages": [{"role": "user", "content": "Ho"}]}),
            'body.messages[0].content: recorded "Hi", asked "Ho"',
        ),
        (post({**SAID, "messages": []}), "body.messages: recorded ["),
        (Request("POST", "/v1/x", body=b"Hi"), "body: recorded {"),
    ],
)
def test_another_request_is_told_what_differs(path: Path, asked: Request, told: str) -> None:
    record(path, (post(SAID), Response(200)))
    with pytest.raises(NotRecorded, match=r"first\.json: exchange 1 of 1 is another") as caught:
        replay(path, asked)
    assert told in str(caught.value)
    assert caught.value.asked == str(asked)
    assert caught.value.recorded == "POST /v1/x"
    assert told in "".join(caught.value.differences)


def test_a_long_text_is_shown_from_where_it_differs(path: Path) -> None:
    record(path, (post("same " * 100 + "here"), Response(200)))
    with pytest.raises(NotRecorded, match=r"here.*there") as caught:
        replay(path, post("same " * 100 + "there"))
    assert len(str(caught.value)) < 400


def test_a_request_out_of_turn_is_told_its_turn(path: Path) -> None:
    record(path, (GET, Response(200)), (post(1), Response(200)), (post(2), Response(200)))
    with pytest.raises(NotRecorded, match="what was asked is exchange 3"):
        replay(path, post(2))


def test_nothing_comes_behind_the_last_exchange(path: Path) -> None:
    record(path, (GET, Response(200)))
    with pytest.raises(NotRecorded, match="all that is in it was asked for"):
        replay(path, GET, GET)


def test_the_order_of_a_query_does_not_count(path: Path) -> None:
    record(path, (Request("GET", "/", (("a", "1"), ("b", "2"))), Response(200, body=b"yes")))
    assert replay(path, Request("GET", "/", (("b", "2"), ("a", "1")))) == b"yes"


def test_what_was_not_asked_for_can_be_found_out(path: Path) -> None:
    record(path, (GET, Response(200)), (post(1), Response(200)))
    cassette = Cassette(path)
    outside = recorded(Scripted(), cassette)
    assert cassette.unused == ["GET /v1/x", "POST /v1/x"]
    run_inline(outside.send(GET))
    assert cassette.unused == ["POST /v1/x"]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ([post(2)], b"two"),
        ([post(2), post(1)], b"one"),
        ([post(1), post(1), post(1)], b"one"),
        ([post({"n": 2, "more": 1})], b"three"),
        ([GET], b"first"),
        ([GET, GET], b"second"),
        ([GET, GET, GET, GET], b"second"),
    ],
)
def test_a_lenient_cassette_gives_the_nearest(
    path: Path, asked: Sequence[Request], expected: bytes
) -> None:
    record(
        path,
        (GET, Response(200, body=b"first")),
        (post(1), Response(200, body=b"one")),
        (post(2), Response(200, body=b"two")),
        (post({"n": 2}), Response(200, body=b"three")),
        (GET, Response(200, body=b"second")),
    )
    assert replay(path, *asked, match="lenient") == expected


def test_a_lenient_cassette_knows_other_addresses_apart(path: Path) -> None:
    record(path, (GET, Response(200)))
    with pytest.raises(NotRecorded, match="it has no answer to that"):
        replay(path, Request("GET", "/v1/y"), match="lenient")


def test_what_was_not_recorded_is_not_tried_again(path: Path) -> None:
    record(path, (GET, Response(200)))
    world = Scripted()
    outside = guard(recorded(world, Cassette(path)), [Retry()])
    with pytest.raises(NotRecorded):
        run_inline(outside.send(Request("GET", "/v1/y")))
    assert not world.slept


def test_retries_are_replayed_without_waiting(mode: Mode, path: Path) -> None:
    record(
        path,
        (GET, TimedOut("GET /v1/x timed out")),
        (GET, Response(429, {"retry-after": "60"})),
        (GET, Response(200, body=b"at last")),
    )
    outside = recorded(mode.make(NOWHERE), Cassette(path))
    began, said = time.monotonic(), outside.now()
    assert mode.ask(guard(outside, [Retry()]), GET).body == b"at last"
    assert outside.now() - said > 60
    assert time.monotonic() - began < 30


# Several at once.


def test_threads_share_a_cassette(path: Path) -> None:
    requests = [post(number) for number in range(20)]

    def echo(outside: Outside) -> list[bytes]:
        def ask(request: Request) -> bytes:
            return run_inline(whole(outside, request)).body

        with ThreadPoolExecutor(8) as pool:
            return [*pool.map(ask, requests)]

    class Echo(Scripted):
        def answer(self, request: Request) -> Response:
            return Response(200, body=request.body)

    first = echo(recorded(Echo(), Cassette(path)))
    cassette = Cassette(path, match="lenient")
    assert echo(recorded(Scripted(), cassette)) == first == [request.body for request in requests]
    assert not cassette.unused


def test_tasks_are_recorded_in_the_order_in_which_they_asked(path: Path) -> None:
    class Slow(Scripted):
        async def send(self, request: Request) -> Response:
            await asyncio.sleep(0.01 * (3 - int(request.body)))
            return Response(200, body=request.body)

    async def ask(outside: Outside) -> list[bytes]:
        answers = await asyncio.gather(*(outside.send(post(number)) for number in range(3)))
        return [answer.body for answer in answers]

    first = asyncio.run(ask(recorded(Slow(), Cassette(path))))
    assert asyncio.run(ask(recorded(Scripted(), Cassette(path)))) == first


# Secrets.


CANARY = 'Canary-0/1+2="3\\4 5'
KEY = (("authorization", f"Bearer {CANARY.replace(' ', '')}"),)
SPELLINGS: list[Callable[[str], str]] = [
    str,
    json.dumps,
    lambda text: json.dumps(json.dumps(text)),
    lambda text: json.dumps(text).replace("/", "\\/"),
    lambda text: "".join(f"\\u{ord(character):04X}" for character in text),
    quote,
    lambda text: quote(text, safe=""),
    lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text)),
]


def leaks(text: str, secret: str) -> bool:
    """Whether *secret* can be read out of *text*, however it is spelled."""
    read = text
    for _ in range(4):
        read = re.sub(r"%([0-9A-Fa-f]{2})", lambda found: chr(int(found[1], 16)), read)
        read = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), read)
        read = re.sub(r'\\(["\\/])', r"\1", read)
        if secret in text or secret in read or secret.replace("\\", "") in read.replace("\\", ""):
            return True
    return False


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_key_is_nowhere_in_the_file(path: Path, spelled: Callable[[str], str]) -> None:
    secret = KEY[0][1].removeprefix("Bearer ")
    text = f"say {spelled(secret)} again".encode()
    assert leaks(text.decode(), secret)
    half = text.index(b"anary") + 3 if b"anary" in text else len(text) // 2
    record(
        path,
        (
            Request("POST", "/x", (("q", secret),), KEY, text),
            arriving(text[:half], text[half:], location=text.decode()),
        ),
        (Request("GET", "/" + quote(secret), (), KEY), TransportError(f"lost {secret}")),
        (Request("GET", "/", (), KEY, streamed=True), arriving(text[:half], text[half:])),
    )
    assert not leaks(path.read_text(), secret)
    assert "anary" not in path.read_text()


def test_text_around_a_secret_stays_as_it_is(path: Path) -> None:
    secret = "loom-key-123456"
    headers = (("x-api-key", secret),)
    pieces = arriving(b"my key is loom-", b"key-", b"123456, you", b" know")
    tape = record(path, (Request("GET", "/", headers=headers, streamed=True), pieces))
    response = tape["exchanges"][0]["response"]
    assert response["pieces"] == ["my key is SCRUBBED", ", you", " know"]


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", "Bearer canary-1"),
        ("authorization", "Basic dXNlcjpjYW5hcnktMQ=="),
        ("proxy-authorization", "Basic dXNlcjpjYW5hcnktMQ=="),
        ("x-api-key", "canary-1"),
        ("api-key", "canary-1"),
        ("x-auth-token", "canary-1"),
        ("cookie", "theme=dark; session=canary-1"),
    ],
)
@pytest.mark.parametrize("kept", [(), ("authorization", "x-api-key", "set-cookie", "cookie")])
def test_credentials_are_not_recorded(
    path: Path, header: tuple[str, str], kept: tuple[str, ...]
) -> None:
    answer = Response(200, {"set-cookie": "id=canary-2; Path=/, b=canary-3"}, b"canary-2 canary-3")
    request = Request("POST", "/", headers=(header,), body=b"I am canary-1.")
    record(path, (request, answer), headers=kept)
    assert "canary" not in path.read_text()
    assert header[1] not in path.read_text()


WRITTEN: list[Callable[[str], str]] = [
    lambda name: json.dumps({name: "canary", "x": {"y": [{name: 'ca"nary'}]}}),
    lambda name: json.dumps({name: "canary"}, indent=2),
    lambda name: json.dumps({"arguments": json.dumps({name: 'ca\\n"ary-canary'})}),
    lambda name: f"data: {json.dumps({name: 'canary'})}\n\ndata: [DONE]\n\n",
    lambda name: f"see https://x.example/y?a=b&{name}=canary&c=d",
    lambda name: f"{name}=canary&c=d",
]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password",
        "user_password",
        "passphrase",
        "secret",
        "client_secret",
        "clientSecret",
        "token",
        "access_token",
        "refreshToken",
        "id-token",
        "auth_token",
        "api_key",
        "apiKey",
        "api-key",
        "private_key",
        "signing_secret",
        "otp",
        "jwt",
        "credentials",
    ],
)
@pytest.mark.parametrize(
    "written",
    WRITTEN,
    ids=["json", "spaced", "json in json", "event", "address", "form"],
)
def test_what_is_named_like_a_secret_is_scrubbed(
    path: Path, name: str, written: Callable[[str], str]
) -> None:
    text = written(name).replace("canary", "canary-1234").replace('ca\\"', 'canary-1\\"')
    body = text.encode()
    tape = record(path, (Request("POST", "/", body=body), Response(200, body=body)))
    assert "canary" not in path.read_text()
    for side in ("request", "response"):
        assert "SCRUBBED" in json.dumps(tape["exchanges"][0][side]["body"])


def test_parameters_named_like_a_secret_are_scrubbed(path: Path) -> None:
    query = (("api_key", "canary"), ("key", "canary-0123456789"), ("page", "2"), ("key", "theme"))
    record(path, (Request("GET", "/x?token=canary-12&a=b", query), Response(200)))
    assert "canary" not in path.read_text()
    asked = json.loads(path.read_text())["exchanges"][0]["request"]
    assert asked["path"] == "/x?token=SCRUBBED&a=b"
    assert asked["query"][2:] == [["page", "2"], ["key", "theme"]]


HARMLESS: list[object] = [
    {"max_tokens": 5, "usage": {"total_tokens": 7}},
    {"key": "favourite colour", "value": "blue"},
    {"logprobs": [{"token": " authentication", "logprob": -0.1, "bytes": []}]},
    {"token": " word"},
    {"next_page_token": "abcdefgh1234", "pageToken": "abcdefgh1234"},
    {"password": None, "secret": True, "token": ""},
    {"content": "Bearer authentication uses a token, and the password is a secret."},
    {"url": "https://host:8080/a@b?monkey=1", "compass": "north"},
    {"session": {"instructions": "Be a river."}, "possession": "a boat", "session_n": 1},
    {"properties": {"password": {"type": "string", "description": "What only you know"}}},
    {"token": ["a word", 5, {"a": 7}], "tokens": ["abcdefgh1234"]},
]


@pytest.mark.parametrize("harmless", HARMLESS)
def test_what_is_no_secret_stays(path: Path, harmless: object) -> None:
    tape = record(path, (post(harmless), Response(200, body=json.dumps(harmless).encode())))
    assert tape["exchanges"][0]["request"]["body"]["json"] == harmless
    assert tape["exchanges"][0]["response"]["body"]["json"] == harmless


@pytest.mark.parametrize(
    "secret",
    [
        "Bearer abcdefgh12345678",
        "sk-abcdefgh12345678abcd",
        "loom_0123456789abcdefghijklmnop",
        "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "postgres://me:hunter2@host/db",
    ],
)
def test_what_looks_like_a_secret_is_scrubbed(path: Path, secret: str) -> None:
    record(path, (post({"content": f"({secret})"}), Response(200)))
    assert secret not in path.read_text()
    assert "SCRUBBED" in path.read_text()


def test_further_secrets_can_be_named(path: Path) -> None:
    further = ["Müller & Söhne", re.compile(r"ACC-\d+")]
    body = '{"to": "M\\u00fcller & Söhne é", "account": "ACC-123456"}'.encode()
    tape = record(path, (Request("POST", "/", body=body), Response(200)), secrets=further)
    asked = tape["exchanges"][0]["request"]["body"]["json"]
    assert asked == {"to": "SCRUBBED é", "account": "SCRUBBED"}


def test_a_key_known_only_later_is_scrubbed_from_what_came_before(path: Path) -> None:
    key = "canary-0123"
    record(
        path,
        (post({"name": "me"}), Response(200, body=json.dumps({"result": key}).encode())),
        (Request("GET", "/", headers=(("authorization", f"Bearer {key}"),)), Response(200)),
    )
    assert "canary" not in path.read_text()


def test_another_key_replays_the_same(path: Path) -> None:
    def ask(key: str) -> Request:
        return post({"auth_token": key, "note": f"of {key}"}, headers=(("x-api-key", key),))

    record(path, (ask("first-key-1"), Response(200, body=b"yes")))
    assert replay(path, ask("another-key-2")) == b"yes"


def test_a_scrubbed_token_fits_where_it_is_used_again(path: Path) -> None:
    """A client that was replayed its login goes on with what stands for the token."""

    def talk(outside: Outside) -> bytes:
        token = json.loads(run_inline(whole(outside, post({"user": "me"}))).body)["token"]
        again = post({"text": f"by {token}"}, headers=(("authorization", f"Bearer {token}"),))
        return run_inline(whole(outside, again)).body

    login = Response(200, body=b'{"token": "canary-token-1"}')
    world = Scripted(login, Response(200, body=b"welcome"))
    assert talk(recorded(world, Cassette(path))) == b"welcome"
    assert talk(recorded(Scripted(), Cassette(path))) == b"welcome"
    assert "canary" not in path.read_text()


def test_an_error_of_replay_tells_no_secret(path: Path) -> None:
    record(path, (post({"password": "canary"}), Response(200)))
    with pytest.raises(NotRecorded) as caught:
        replay(path, post({"x": "of canary-key-1"}, headers=(("x-api-key", "canary-key-1"),)))
    assert "canary" not in str(caught.value) + repr(caught.value.differences)


@pytest.mark.parametrize("key", ["abc1", "abc1234", "opensesame", "wort"])
@pytest.mark.parametrize("header", ["authorization", "x-api-key", "x-acme-session", "x-pwd"])
def test_a_short_credential_of_the_client_is_scrubbed_too(
    path: Path, header: str, key: str
) -> None:
    shown = f"Bearer {key}" if header == "authorization" else key
    answer = Response(401, body=json.dumps({"error": f"key {key} refused"}).encode())
    tape = record(path, (Request("GET", "/", headers=((header, shown),)), answer))
    body = tape["exchanges"][0]["response"]["body"]
    assert body["json"] == {"error": "key SCRUBBED refused"}


@pytest.mark.parametrize("value", ["true", "null", "abc"])
def test_a_header_of_a_literal_spoils_no_json(path: Path, value: str) -> None:
    said = {"a": True, "b": None, "c": "abcd"}
    answer = Response(200, body=json.dumps(said).encode())
    tape = record(path, (Request("GET", "/", headers=(("x-key", value),)), answer))
    assert tape["exchanges"][0]["response"]["body"]["json"] == said


HOLDING: list[dict[str, Any]] = [
    {"password": ["canary", 'ca"nary', {"x": [["canary"]]}], "canaries": "stay"},
    {"secret": {"v": "canary", "type": "text", "w": {"password": "canary"}}, "a": "b"},
    {"token": {"value": "canary-12345"}, "a": ["canaries"]},
    {"credentials": [{"a": {}, "b": [], "c": "canary"}], "more": [1, "canaries"]},
    {"pwd": "canary", "user_pwd": ["canary"]},
    {"session": "canary-12345", "acme_session": "canary-54321"},
]


def nested(held: object) -> str:
    return json.dumps({"a": json.dumps(held)})


@pytest.mark.parametrize("held", HOLDING)
@pytest.mark.parametrize("dumped", [json.dumps, nested])
def test_all_texts_beneath_a_field_named_like_a_secret_are_scrubbed(
    path: Path, dumped: Callable[[object], str], held: dict[str, Any]
) -> None:
    body = dumped(held).encode()
    tape = record(path, (Request("POST", "/", body=body), Response(200, body=body)))
    asked = tape["exchanges"][0]["request"]["body"]["json"]
    kept = asked if asked.keys() == held.keys() else json.loads(asked["a"])
    assert "canary" not in path.read_text()
    assert kept.keys() == held.keys()


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_what_came_before_is_scrubbed_however_it_was_spelled(
    path: Path, spelled: Callable[[str], str]
) -> None:
    """Finished exchanges are looked through quickly, and that may not miss one."""
    secret = KEY[0][1].removeprefix("Bearer ")
    for before in ("", "%", "\\", "\\u00", "%e"):
        text = f"say {before}{spelled(secret)} again".encode()
        record(
            path,
            (Request("POST", "/", body=text), Response(200, body=text)),
            (Request("GET", "/", headers=KEY), Response(200)),
            mode="record",
        )
        assert "anary" not in path.read_text()
        assert not leaks(path.read_text(), secret)


# The file.


def numbered(count: int, size: int) -> list[tuple[Request, Answer]]:
    """Exchanges that carry a fresh secret each."""
    return [
        (
            post(number),
            Response(200, body=b'{"token": "fresh-%06d", "text": "%s"}' % (number, text)),
        )
        for number, text in enumerate([b"x" * size] * count)
    ]


def test_an_exchange_is_encoded_once_whatever_becomes_known_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[Exchange] = []

    def count(exchange: Exchange) -> bytes:
        encoded.append(exchange)
        return written(exchange)

    monkeypatch.setattr(recording, "written", count)
    tape = record(path, *numbered(20, 10))
    assert len(encoded) == len(tape["exchanges"]) == 20


def test_a_large_file_is_not_written_anew_with_each_exchange(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    write = Path.write_bytes

    def count(path: Path, data: bytes) -> int:
        sizes.append(len(data))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", count)
    monkeypatch.setattr(recording, "monotonic", lambda: 0.0, raising=False)
    record(path, *[(GET, Response(200, body=b"x" * 100_000))] * 60)
    assert len(json.loads(path.read_text())["exchanges"]) == 60
    assert sum(sizes) < 3 * path.stat().st_size


def test_a_large_file_is_written_after_a_pause(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(recording, "monotonic", lambda: now[0])
    exchanges = numbered(3, 1_000_000)
    outside = recorded(Scripted(*(answer for _, answer in exchanges)), Cassette(path))
    found: list[int] = []
    for later in (0.0, 0.9, 0.2):
        now[0] += later
        run_inline(outside.send(GET))
        found.append(len(json.loads(path.read_text())["exchanges"]))
    assert found == [1, 1, 3]


@pytest.mark.parametrize("ends", ["closed", "dropped"])
def test_nothing_is_left_unwritten_by_a_client_that_is_over(
    path: Path, monkeypatch: pytest.MonkeyPatch, ends: str
) -> None:
    monkeypatch.setattr(recording, "monotonic", lambda: 0.0)
    exchanges = numbered(3, 1_000_000)
    outside = recorded(Scripted(*(answer for _, answer in exchanges)), Cassette(path))
    for request, _ in exchanges:
        run_inline(outside.send(request))
    if ends == "closed":
        run_inline(outside.close())
    else:
        del outside
    assert len(Cassette(path).unused) == 3


def test_who_closes_waits_for_a_thread_that_is_writing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, goes_on = threading.Event(), threading.Event()
    replace = recording._replace  # pyright: ignore[reportPrivateUsage]

    def slowly(path: Path, text: bytes) -> None:
        writes.set()
        assert goes_on.wait(10)
        replace(path, text)

    outside = recorded(Scripted(Response(200, {}, b"1"), Response(200, {}, b"2")), Cassette(path))
    monkeypatch.setattr(recording, "_replace", slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(run_inline, outside.send(GET))
        assert writes.wait(10)
        run_inline(outside.send(GET))  # its answer is left to the thread that writes
        closing = threads.submit(run_inline, outside.close())
        assert not closing.done()
        goes_on.set()
        closing.result(10)
        written_down = json.loads(path.read_text())["exchanges"]
        first.result(10)
    assert len(written_down) == 2


def test_a_file_is_readable(path: Path) -> None:
    record(
        path,
        (post({"text": "é"}, headers=(("accept", "*/*"),)), Response(200, {"date": "x"}, b"{}")),
        (Request("GET", "/", streamed=True), arriving(b"data: 1\n\n", b"data: 2\n\n")),
        (GET, TimedOut("GET /v1/x timed out")),
    )
    assert path.read_text() == TAPE


TAPE = """\
{
  "version": 1,
  "exchanges": [
    {
      "request": {
        "method": "POST",
        "path": "/v1/x",
        "headers": {
          "accept": "*/*"
        },
        "body": {
          "json": {
            "text": "é"
          }
        }
      },
      "response": {
        "status": 200,
        "body": {
          "json": {}
        }
      }
    },
    {
      "request": {
        "method": "GET",
        "path": "/"
      },
      "response": {
        "status": 200,
        "pieces": [
          "data: 1\\n\\n",
          "data: 2\\n\\n"
        ]
      }
    },
    {
      "request": {
        "method": "GET",
        "path": "/v1/x"
      },
      "failure": {
        "kind": "TimedOut",
        "message": "GET /v1/x timed out"
      }
    }
  ]
}
"""


def test_recording_again_changes_nothing_that_has_not_changed(mode: Mode, path: Path) -> None:
    def talk(peer: Peer) -> None:
        for number in range(3):
            peer.asked()
            peer.answer(b'{"a": "b"}', b"date: %d" % number, b"x-trace: %d" % time.monotonic_ns())

    texts: list[str] = []
    for attempt in range(2):
        key = f"key-of-attempt-{attempt}"
        request = post(SAID, headers=(("x-api-key", key), ("idempotency-key", key)))
        with serving(talk) as server:
            mode.ask(recorded(mode.make(server.url), Cassette(path, "record")), request, GET)
        texts.append(path.read_text())
    assert texts[0] == texts[1]


def test_every_exchange_is_written_at_once(path: Path) -> None:
    outside = recorded(Scripted(*[Response(200)] * 3), Cassette(path))
    for number in range(1, 4):
        run_inline(outside.send(GET))
        assert len(json.loads(path.read_text())["exchanges"]) == number
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_a_stream_that_has_begun_is_in_the_file(path: Path) -> None:
    outside = recorded(Scripted(arriving(b"hi"), Response(200)), Cassette(path))
    response = run_inline(outside.send(Request("GET", "/", streamed=True)))
    assert response.arriving is not None
    run_inline(response.arriving.read())
    run_inline(outside.send(GET))
    first = json.loads(path.read_text())["exchanges"][0]["response"]
    assert (first["pieces"], first["left"]) == (["hi"], True)


def test_a_file_is_recorded_by_one_cassette_at_once(path: Path) -> None:
    world = Scripted(*[Response(200)] * 2)
    first, second = Cassette(path), Cassette(path.parent / "." / path.name)
    used = recorded(world, first)
    run_inline(used.send(GET))
    with pytest.raises(SettingsError, match=r"first\.json is being recorded already"):
        recorded(world, second)
    again = recorded(world, first)
    run_inline(used.close())
    with pytest.raises(SettingsError, match="already"):
        recorded(world, second)
    run_inline(again.send(GET))
    assert len(json.loads(path.read_text())["exchanges"]) == 2


@pytest.mark.parametrize("ends", ["closed", "dropped"])
def test_the_next_may_record_when_the_first_one_is_over(path: Path, ends: str) -> None:
    first = Cassette(path, "record")
    used = recorded(Scripted(Response(200)), first)
    run_inline(used.send(GET))
    if ends == "closed":
        run_inline(used.close())
    else:
        del used
    record(path, (post(1), Response(200)), mode="record")
    with pytest.raises(SettingsError, match="recorded anew since"):
        recorded(Scripted(), first)
    assert Cassette(path).unused == ["POST /v1/x"]


def test_a_stream_of_a_recording_that_is_over_overwrites_nothing(path: Path) -> None:
    used = recorded(Scripted(arriving(b"hi", b"there")), Cassette(path, "record"))
    response = run_inline(used.send(Request("GET", "/", streamed=True)))
    run_inline(used.close())
    record(path, (post(1), Response(200)), mode="record")
    assert response.arriving is not None
    response.arriving.abandon()
    assert Cassette(path).unused == ["POST /v1/x"]


def test_a_file_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outside = recorded(Scripted(Response(200)), Cassette(tmp_path / "file" / "talk.json"))
    with pytest.raises(SettingsError, match=r"talk\.json cannot be written"):
        run_inline(outside.send(GET))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "damaged"),
        ("[]", "damaged"),
        ('{"version": 1, "exchanges": [', "damaged"),
        ('{"version": 1}', "damaged"),
        ('{"version": 1, "exchanges": [{"request": {"method": "GET", "path": "/"}}]}', "either"),
        (TAPE.replace('"status"', '"stauts"'), "damaged"),
        (TAPE.replace("200", '"200"'), "damaged"),
        ('{"version": 2, "new": true}', "version 2"),
        ("\xff", "damaged"),
    ],
)
def test_a_file_nobody_understands_is_an_error_of_setting_up(
    path: Path, text: str, words: str
) -> None:
    path.parent.mkdir()
    path.write_text(text, "latin-1")
    with pytest.raises(SettingsError, match=words):
        Cassette(path)


def test_there_must_be_a_file_to_replay(path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        Cassette(path, "replay")


@pytest.mark.parametrize("option", [{"mode": "again"}, {"match": "loosely"}])
def test_an_option_nobody_knows_is_an_error(path: Path, option: Any) -> None:
    with pytest.raises(SettingsError, match="must be"):
        Cassette(path, **option)


def test_a_mode_is_chosen_by_whether_there_is_a_file(path: Path) -> None:
    assert not Cassette(path).is_replaying
    record(path, (GET, Response(200)))
    assert Cassette(path).is_replaying
    assert not Cassette(path, "record").is_replaying
    assert repr(Cassette(path)) == "<Cassette first.json, replaying>"


# Through a client.


KEY_OF_CLIENT = "canary-of-the-client"


def talk_blocking(url: str, cassette: Cassette) -> list[object]:
    with ChatServerClient(KEY_OF_CLIENT, url, cassette=cassette) as client:
        answer = client.create_completion("loom/scribe", [f"Say {KEY_OF_CLIENT}, please."])
        stream = client.create_completion("loom/scribe", ["And more?"], stream=True)
        said: list[object] = [answer.choices[0].message.content, "".join(stream)]
        for model in ("loom/scribe?cut=5", "nobody/nothing"):
            try:
                said.append("".join(client.create_completion(model, ["And more?"], stream=True)))
            except ChatloomError as error:
                said.append((type(error), str(error), error.status_code, error.request_id))
        return said


async def talk_async(url: str, cassette: Cassette) -> list[object]:
    async with AsyncChatServerClient(KEY_OF_CLIENT, url, cassette=cassette) as client:
        answer = await client.create_completion("loom/scribe", [f"Say {KEY_OF_CLIENT}, please."])
        stream = client.create_completion("loom/scribe", ["And more?"], stream=True)
        said: list[object] = [
            answer.choices[0].message.content,
            "".join([text async for text in stream]),
        ]
        for model in ("loom/scribe?cut=5", "nobody/nothing"):
            try:
                stream = client.create_completion(model, ["And more?"], stream=True)
                said.append("".join([text async for text in stream]))
            except ChatloomError as error:
                said.append((type(error), str(error), error.status_code, error.request_id))
        return said


Talking = Callable[[str, Cassette], "list[object] | Coroutine[None, None, list[object]]"]


def said_in(talk: Talking, url: str, cassette: Cassette) -> list[object]:
    talking = talk(url, cassette)
    return talking if isinstance(talking, list) else asyncio.run(talking)


@pytest.mark.parametrize("first", [talk_blocking, talk_async], ids=["blocking", "async"])
@pytest.mark.parametrize("second", [talk_blocking, talk_async], ids=["blocking", "async"])
def test_a_client_hears_the_same_again(
    live: Live, path: Path, first: Talking, second: Talking
) -> None:
    heard = said_in(first, live.url, Cassette(path))
    assert isinstance(heard[2], tuple)
    cassette = Cassette(path)
    assert said_in(second, NOWHERE, cassette) == [_scrubbed(part) for part in heard]
    assert not cassette.unused
    assert "canary" not in path.read_text()


def _scrubbed(part: object) -> object:
    return part.replace(KEY_OF_CLIENT, "SCRUBBED") if isinstance(part, str) else part


def test_a_stream_is_left_where_its_reader_saw_no_end_of_the_answer(live: Live, path: Path) -> None:
    talk_blocking(live.url, Cassette(path))
    streams = [exchange["response"] for exchange in json.loads(path.read_text())["exchanges"]]
    assert [stream.get("left", False) for stream in streams] == [False, False, True, False]


def test_a_client_tells_what_was_not_recorded(live: Live, path: Path) -> None:
    with ChatServerClient("key", live.url, cassette=Cassette(path)) as client:
        client.create_completion("loom/echo", ["Hi"])
    with (
        ChatServerClient("key", NOWHERE, cassette=Cassette(path)) as client,
        pytest.raises(NotRecorded, match='recorded "Hi", asked "Ho"') as caught,
    ):
        client.create_completion("loom/echo", ["Ho"])
    assert str(caught.value).count("POST") == 1


def test_a_client_tells_what_was_not_read_to_its_end(path: Path) -> None:
    request = Request("POST", "/v1/chat/completions", streamed=True)
    record(path, (request, arriving(b"data: {")))
    path.write_text(path.read_text().replace('"pieces"', '"left": true, "pieces"'))
    cassette = Cassette(path, match="lenient")
    with ChatServerClient("key", NOWHERE, cassette=cassette) as client:
        stream = client.create_completion("loom/echo", ["Hi"], stream=True)
        with pytest.raises(StreamError) as caught:
            list(stream)
    assert isinstance(caught.value.__cause__, NotRecorded)
    assert str(caught.value).count("POST") == 1


def test_clients_record_into_one_cassette_only(live: Live, path: Path) -> None:
    with (
        ChatServerClient("key", live.url, cassette=Cassette(path)),
        pytest.raises(SettingsError, match="one Cassette to all clients"),
    ):
        ChatServerClient("key", live.url, cassette=Cassette(path))
    with ChatServerClient("key", live.url, cassette=Cassette(path)) as client:
        client.list_models()
