"""Turns by their id: followed, read by many, cancelled, recovered; over HTTP."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from support.http import Events
from support.live import Live

SLOW = "loom/scribe?delay=10&tokens=60"
ENDLESS = "loom/scribe?stall=3&idle=60"
BROKEN = "loom/scribe?cut=4"
IMPATIENT = "cancel_unread_after = 0.5\n"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    server = Live(tmp_path_factory.mktemp("turns") / "chatloom.db", config=IMPATIENT)
    yield server
    assert server.stop() == 0


def turn_of(answer: Events) -> str:
    return answer.headers["x-chatloom-turn"]


def outcome(live: Live, turn_id: str) -> str | None:
    told = live.call("GET", f"/v1/turns/{turn_id}", key="any-key").json["outcome"]
    return None if told is None else str(told)


def until(condition: Callable[[], bool], seconds: float = 10) -> bool:
    limit = time.monotonic() + seconds
    while not condition() and time.monotonic() < limit:
        time.sleep(0.02)
    return condition()


@pytest.mark.parametrize("usage", [None, {"include_usage": True}])
def test_the_events_of_a_turn_are_told_again_from_any_of_them(
    live: Live, usage: dict[str, bool] | None
) -> None:
    whole = live.events("Hello!", stream_options=usage)
    assert live.follow(turn_of(whole)).raw == whole.raw
    ids = [int(block["id"]) for block in whole.blocks if "id" in block]
    for number, seen in enumerate(ids):
        rest = live.follow(turn_of(whole), after=seen)
        assert rest.blocks == whole.blocks[number + 1 :]
        assert live.follow(turn_of(whole), query=f"?after={seen}").raw == rest.raw


def test_a_plain_turn_can_be_followed_too(live: Live) -> None:
    plain = live.complete("Hello!")
    followed = live.follow(plain.headers["x-chatloom-turn"])
    assert (followed.text, followed.ended) == (plain.text, True)
    assert followed.headers["content-type"].startswith("text/event-stream")


def test_readers_of_a_running_turn_all_get_the_same_bytes(live: Live) -> None:
    with live.stream("Hello!", model=SLOW) as first, ThreadPoolExecutor(5) as crowd:
        turn_id = first.headers["x-chatloom-turn"]
        others = [crowd.submit(live.follow, turn_id) for _ in range(5)]
        told = first.read()
        assert all(other.result().raw == told for other in others)


@pytest.mark.parametrize("asked", [None, 2])
def test_a_broken_turn_is_told_again_without_a_clean_end(live: Live, asked: int | None) -> None:
    broken = live.events("Hello!", model=BROKEN)
    again = live.follow(turn_of(broken), after=asked)
    assert (again.ended, "[DONE]" in again.data) == (False, False)
    assert again.blocks[-1] == broken.blocks[-1]
    assert again.chunks[-1]["error"]["code"] == "truncated"


def test_a_turn_that_failed_before_its_first_word_is_not_to_be_followed_again(live: Live) -> None:
    refused = live.complete("Hello!", model="loom/scribe?429=1")
    followed = live.follow(refused.headers["x-chatloom-turn"])
    assert (refused.headers["x-should-retry"], followed.status) == ("true", 429)
    assert followed.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("after", ["99999", "-1", "x", "1.5", "9" * 400])
def test_an_event_that_was_never_told_is_refused(live: Live, after: str) -> None:
    turn_id = turn_of(live.events("Hello!"))
    refused = live.call("GET", f"/v1/turns/{turn_id}/events?after={after}", key="any-key")
    assert (refused.status, refused.error["code"]) == (400, "unknown_event")


@pytest.mark.parametrize(("method", "what"), [("GET", ""), ("GET", "/events"), ("POST", "/cancel")])
def test_a_turn_is_its_own_accounts_alone(live: Live, method: str, what: str) -> None:
    with live.stream("Hello!", model=SLOW) as running:
        for id in (running.headers["x-chatloom-turn"], turn_of(live.events("Hello!"))):
            assert live.call(method, f"/v1/turns/{id}{what}", key="other").status == 404
        assert running.read().endswith(b"data: [DONE]\n\n")
    for id in ("nonsense", "0" * 36, "%2e%2e"):
        assert live.call(method, f"/v1/turns/{id}{what}", key="any-key").status == 404


def test_the_events_of_a_turn_have_no_head_of_their_own(live: Live) -> None:
    turn_id = turn_of(live.events("Hello!"))
    assert live.call("HEAD", f"/v1/turns/{turn_id}/events", key="any-key").status == 405
    assert live.call("HEAD", f"/v1/turns/{turn_id}", key="any-key").status == 200


def test_cancelling_settles_a_turn_with_what_was_said(live: Live) -> None:
    with live.stream("Hello!", model=ENDLESS) as running:
        turn_id = running.headers["x-chatloom-turn"]
        first, again = (
            live.call("POST", f"/v1/turns/{turn_id}/cancel", key="any-key") for _ in range(2)
        )
        told = running.fp.read() if running.fp else b""
    assert first.json == again.json
    assert first.json["outcome"] == "cancelled"
    assert first.json["text"]
    assert b'"code":"cancelled"' in told
    assert b"[DONE]" not in told


def test_cancelling_what_has_ended_changes_nothing(live: Live) -> None:
    turn_id = turn_of(live.events("Hello!"))
    answer = live.call("POST", f"/v1/turns/{turn_id}/cancel", key="any-key")
    assert (answer.status, answer.json["outcome"]) == (200, "complete")


def test_a_turn_that_nobody_reads_is_cancelled(live: Live) -> None:
    with live.stream("Hello!", model=ENDLESS) as leaving:
        turn_id = leaving.headers["x-chatloom-turn"]
        assert outcome(live, turn_id) is None
    assert until(lambda: outcome(live, turn_id) == "cancelled")
    problem = live.call("GET", f"/v1/turns/{turn_id}", key="any-key").json["problem"]
    assert problem == "nobody has read it for 0.5 seconds"


def test_a_plain_request_whose_caller_leaves_is_not_read_any_more(live: Live) -> None:
    before = {id for (id,) in live.rows("SELECT id FROM turn")}
    body = b'{"model":"loom/scribe?stall=0","messages":[{"role":"user","content":"Hi"}]}'
    head = f"content-length: {len(body)}\r\nauthorization: Bearer any-key\r\n".encode()
    live.send_and_leave(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + head + b"\r\n" + body
    )
    assert until(lambda: len(live.rows("SELECT id FROM turn")) > len(before))
    (turn_id,) = {id for (id,) in live.rows("SELECT id FROM turn")} - before
    assert until(lambda: outcome(live, turn_id) == "cancelled")


def test_a_turn_is_not_cancelled_while_somebody_comes_back_to_it(live: Live) -> None:
    model = "loom/scribe?delay=20&tokens=80"
    with live.stream("Hello!", model=model) as leaving:
        turn_id = leaving.headers["x-chatloom-turn"]
    time.sleep(0.3)
    back = live.follow(turn_id)
    assert back.ended
    assert outcome(live, turn_id) in {"complete", "length"}


def test_what_a_killed_server_left_open_is_settled_at_its_next_start(tmp_path: Path) -> None:
    before = Live(tmp_path / "chatloom.db")
    with before.stream("Tell me.", model="loom/scribe?delay=10") as running:
        turn_id = running.headers["x-chatloom-turn"]
        seen = running.read1(4000) + running.read1(4000)
        before.kill()
    after = Live(tmp_path / "chatloom.db")
    turn = after.call("GET", f"/v1/turns/{turn_id}", key="any-key").json
    again = after.follow(turn_id)
    assert turn["outcome"] == "truncated"
    assert turn["usage"]["estimated"]
    assert again.raw.startswith(seen)
    assert (again.text, again.ended) == (turn["text"], False)
    assert after.rows("SELECT count(*) FROM journal") == [(0,)]
    assert after.rows("SELECT count(*) FROM balance WHERE reserved <> 0") == [(0,)]
    after.stop()


def test_a_turn_that_cannot_be_read_any_more_does_not_keep_the_server_from_starting(
    tmp_path: Path,
) -> None:
    before = Live(tmp_path / "chatloom.db")
    with before.stream("Tell me.", model=ENDLESS) as running:
        turn_id = running.headers["x-chatloom-turn"]
        before.kill()
    with closing(sqlite3.connect(before.database)) as database:
        database.execute("UPDATE turn SET asked = x'00' WHERE id = ?", (turn_id,))
        database.commit()
    after = Live(tmp_path / "chatloom.db")
    turn = after.call("GET", f"/v1/turns/{turn_id}", key="any-key").json
    assert (turn["outcome"], turn["text"], turn["usage"]) == ("truncated", "", None)
    assert "is given up" in after.log
    after.stop()


@pytest.mark.parametrize("stream", [b"false", b"true"])
def test_a_client_that_has_nothing_more_to_say_is_still_answered(live: Live, stream: bytes) -> None:
    body = (
        b'{"model":"loom/scribe?delay=5&tokens=20","stream":%s,'
        b'"messages":[{"role":"user","content":"Hi"}]}' % stream
    )
    head = f"content-length: {len(body)}\r\nauthorization: Bearer any-key\r\n\r\n".encode()
    request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n" + head + body
    with socket.create_connection((live.host, live.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        told = b"".join(iter(lambda: connection.recv(65536), b""))
    assert told.startswith(b"HTTP/1.1 200")
    assert b'"completion_tokens":20' in told
