"""``chatloom explain``."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from support.commands import Shell
from support.keys import new_key
from support.live import Live

SLOW = "loom/scribe?delay=50&tokens=1000"


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve("--grace", "0", dev=False)


@pytest.fixture(scope="module")
def key(server: Live) -> Any:
    return new_key(server, "[red]asker", budget="0.5", unread="run")


@pytest.fixture
def shell(server: Live) -> Shell:
    return Shell(server.database.parent)


@pytest.fixture(scope="module")
def turn(server: Live, key: Any) -> str:
    """A settled turn that goes on in a conversation, with all there is to explain."""
    first = server.complete("Hello!", key=key["secret"], user="anna")
    said = {"role": "assistant", "content": first.text}
    talk = [{"role": "user", "content": "Hello!"}, said, {"role": "user", "content": "[/b] more"}]
    asked = {"Idempotency-Key": "once", "X-Request-Id": "mine"}
    answer = server.events(talk, key=key["secret"], headers=asked, user="anna", temperature=0.5)
    return answer.headers["x-chatloom-turn"]


def test_no_line_of_a_table_ends_in_blanks(shell: Shell, turn: str) -> None:
    for command in (["explain", turn], ["keys", "list"], ["models", "--dev"]):
        lines = shell(*command).out.split("\n")
        assert len(lines) > 2
        assert [line for line in lines if line != line.rstrip()] == []


def test_everything_is_told_of_a_settled_turn(shell: Shell, key: Any, turn: str) -> None:
    told = shell("explain", turn, "--json").json
    assert (told["id"], told["outcome"], told["running"]) == (turn, "complete", True)
    assert told["asked"] == [], "what it was asked is in the tree"
    assert "unreadable" not in shell("explain", turn).out
    assert told["asker"] == {
        "account_id": key["account_id"],
        "account": "[red]asker",
        "key_id": key["id"],
        "key": "[red]asker",
        "key_hint": key["hint"],
        "descends_from": [],
        "end_user": "anna",
        "organization": None,
        "request_id": "mine",
        "protocol": "chatserver",
        "told_as": told["asker"]["told_as"],
    }
    assert told["way"]["model"] == "loom/scribe"
    assert (told["unread"], told["idempotency_key"]) == ("run", True)
    assert told["request"]["parameters"] == {"temperature": 0.5}
    assert [one["number"] for one in told["attempts"]] == [1]
    timing = told["timing"]
    assert timing["started_at"] <= timing["first_token_at"] <= timing["ended_at"]


def test_an_embedding_belongs_to_no_talk(server: Live, shell: Shell, key: Any) -> None:
    wanted = {"name": "below", "organization": "north"}
    below = server.call("POST", "/v1/keys", wanted, key=key["secret"]).json
    body = {"model": "loom/embed", "input": "Hello!"}
    answer = server.call("POST", "/v1/embeddings", body, key=below["secret"])
    told = shell("explain", answer.headers["x-chatloom-turn"])
    assert told.code == 0
    for said in (
        "none: it is no part of a talk",
        key["id"],
        "organization north",
        "(band standard)",
    ):
        assert said in told.out


def test_the_cost_is_the_sum_of_its_parts(shell: Shell, turn: str) -> None:
    charge = shell("explain", turn, "--json").json["charge"]
    for item in charge["items"]:
        each = item["per_million"]["picodollars"] // 10**6
        assert item["amount"]["picodollars"] == item["tokens"] * each
    cost = sum(item["amount"]["picodollars"] for item in charge["items"])
    assert charge["cost"]["picodollars"] == cost > 0
    assert [(one["kind"], one["amount"]) for one in charge["ledger"]] == [
        ("reserve", charge["reserved"]),
        ("settle", charge["cost"]),
    ]
    used = charge["usage"]
    assert [used["prompt_tokens"], used["completion_tokens"]] == [
        item["tokens"] for item in charge["items"]
    ]
    (budget,) = charge["budgets"]
    assert budget["amount"]["usd"] == "0.5"
    assert 0 < budget["left"]["picodollars"] < budget["amount"]["picodollars"]


def test_the_place_is_where_the_tree_has_grown(
    server: Live, shell: Shell, key: Any, turn: str
) -> None:
    place = shell("explain", turn, "--json").json["place"]
    path = f"/v1/conversations/{place['conversation_id']}"
    messages = server.call("GET", path, key=key["secret"]).json["messages"]
    assert [(one["id"], one["hash"]) for one in place["grown"]] == [
        (one["id"], one["hash"]) for one in messages[2:]
    ]
    assert (place["parent_id"], place["parent_hash"]) == (messages[1]["id"], messages[1]["hash"])
    assert (place["message_id"], place["branches"]) == (messages[3]["id"], ["main"])
    assert place["grown"][0]["first_words"] == "[/b] more"


def test_people_are_told_in_words(shell: Shell, key: Any, turn: str) -> None:
    run = shell("explain", turn)
    assert (run.code, run.err) == (0, "")
    for words in (
        turn,
        "complete",
        "[red]asker",
        "end user anna",
        "loom/scribe → loom",
        "key: $0.50, of which",
        "runs on when nobody reads it",
        "by the idempotency key it came with",
        "[/b] more",
    ):
        assert words in run.out
    assert key["secret"] not in run.out


def test_a_turn_has_several_names(shell: Shell, turn: str) -> None:
    completion = "chatcmpl-" + turn.replace("-", "")
    for name in (completion, turn[:-1], completion[:-3], turn.upper(), turn.replace("-", "")):
        assert shell("explain", name, "--json").json["id"] == turn


def test_a_running_turn_is_told_as_running(server: Live, shell: Shell, key: Any) -> None:
    with server.stream("Hello!", model=SLOW, key=key["secret"]) as response:
        turn = response.getheader("X-Chatloom-Turn", "")
        response.readline()
        told = shell("explain", turn, "--json").json
        said = shell("explain", turn).out
        server.call("POST", f"/v1/turns/{turn}/cancel", key=key["secret"])
    assert (told["outcome"], told["running"], told["charge"]["cost"]) == (None, True, None)
    assert told["asked"] == [{"role": "user", "first_words": "Hello!"}]
    assert told["journalled"] > 0
    assert "running" in said
    after = shell("explain", turn, "--json").json
    assert (after["outcome"], after["charge"]["usage"]["estimated"]) == ("cancelled", True)


def test_a_turn_that_failed_says_why_and_costs_nothing(
    server: Live, shell: Shell, key: Any
) -> None:
    answer = server.complete("Hello!", model="loom/scribe?cut=0", key=key["secret"])
    told = shell("explain", answer.error["turn"], "--json").json
    assert told["outcome"] == "truncated"
    assert told["problem"] == answer.error["message"]
    assert [one["problem"] for one in told["attempts"]] == [told["problem"]]
    assert told["charge"]["usage"] is None
    assert [one["kind"] for one in told["charge"]["ledger"]] == ["reserve", "release"]
    assert "unknown, and not charged" in shell("explain", told["id"]).out


@pytest.mark.parametrize("name", ["nothing", "", "00000000", "chatcmpl-", "-", "%", "0" * 40])
def test_what_is_no_turn_is_said(shell: Shell, turn: str, name: str) -> None:
    run = shell("explain", "--", name)
    assert (run.code, run.out) == (1, "")
    assert "there is no turn" in run.err


def test_turns_that_share_a_beginning_are_named(shell: Shell, turn: str) -> None:
    run = shell("explain", turn[:2])
    assert (run.code, run.out) == (1, "")
    assert turn in [line.strip() for line in run.err.split("\n")]


def test_a_crashs_turn_is_told_as_open(shell: Shell, tmp_path: Any) -> None:
    killed = Live(tmp_path / "dev.db")
    with killed.stream("Hello!", model=SLOW) as response:
        turn = response.getheader("X-Chatloom-Turn", "")
        response.readline()
        killed.kill()
    told = shell("explain", turn, "--db", str(killed.database), "--json").json
    assert (told["outcome"], told["running"]) == (None, False)
    assert "a crash left it" in shell("explain", turn, "--db", str(killed.database)).out
    Live(killed.database).stop()
    told = shell("explain", turn, "--db", str(killed.database), "--json").json
    said = shell("explain", turn, "--db", str(killed.database)).out
    assert (told["outcome"], told["attempts"]) == ("truncated", [])
    assert "truncated by a crash" in said
    assert "unknown: the server stopped" in said
    assert "when the next server started" in said


@pytest.mark.parametrize("column", ["usage", "request", "asked"])
def test_what_is_damaged_leaves_the_rest_readable(tmp_path: Any, column: str) -> None:
    shell, live = Shell(tmp_path), Live(tmp_path / "own.db")
    turn = live.complete("Hello!").headers["x-chatloom-turn"]
    live.stop()
    with closing(sqlite3.connect(shell.database)) as connection, connection:
        connection.execute(f"UPDATE turn SET {column} = x'7b'")
    told = shell("explain", turn, "--json")
    assert (told.code, told.json["place"]["grown"][0]["first_words"]) == (0, "Hello!")
    assert shell("explain", turn).code == 0
