"""Checkpoints: made, listed, made anew, deleted; in both spellings; paid for once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from support.chatroutes import Member, Talk, refusal
from support.live import Live


@pytest.fixture
def talk(live: Live) -> Talk:
    talk = Member(live, "checkpoints").begin(model="loom/scribe")
    talk.say("One", "Two")
    return talk


@pytest.fixture
def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


def wanted(talk: Talk, at: int = 1, **fields: object) -> dict[str, object]:
    """A checkpoint of the main branch."""
    anchor = talk.messages()[at]["id"]
    return {"branchId": talk.main["id"], "anchorMessageId": anchor, **fields}


def made(talk: Talk, at: int = 1, **fields: object) -> Any:
    body = wanted(talk, at, **fields)
    return talk.member.data("POST", f"{talk.path}/checkpoints", body)["checkpoint"]


def listed(talk: Talk, query: str = "") -> list[Any]:
    found: list[Any] = talk.member.get(f"{talk.path}/checkpoints{query}")["checkpoints"]
    return found


def test_a_checkpoint_is_told_in_both_spellings(talk: Talk) -> None:
    answer = talk.member.call("POST", f"{talk.path}/checkpoints", wanted(talk))
    told = answer.json["data"]["checkpoint"]
    assert answer.status == 201
    for snake, camel in {
        "conversation_id": "conversationId",
        "branch_id": "branchId",
        "anchor_message_id": "anchorMessageId",
        "token_count": "tokenCount",
        "created_at": "createdAt",
    }.items():
        assert told[snake] == told[camel]
    assert told["conversation_id"] == talk.id
    assert told["branch_id"] == talk.main["id"]
    assert told["anchor_message_id"] == talk.messages()[1]["id"]
    assert told["summary"]
    assert told["token_count"] > 0
    assert answer.headers["x-chatloom-turn"]


def test_checkpoints_are_listed_of_a_branch_or_of_all(talk: Talk) -> None:
    branch = talk.fork(talk.messages()[1]["id"])
    first = made(talk)
    second = talk.member.data(
        "POST", f"{talk.path}/checkpoints", {**wanted(talk, 0), "branchId": branch["id"].upper()}
    )["checkpoint"]
    assert listed(talk) == [first, second]
    assert listed(talk, f"?branchId={branch['id']}") == [second]
    assert listed(talk, f"?branchId={talk.main['id'].upper()}") == [first]


def test_a_checkpoint_is_made_anew_with_an_empty_body(live: Live, talk: Talk) -> None:
    before = made(talk, model="loom/scribe?tokens=3")
    spent = live.counts()["ledger"]
    path = f"/checkpoints/{before['id']}/recreate"
    answer = talk.member.call("POST", path)
    same = answer.json["data"]["checkpoint"]
    assert (answer.status, same["id"], same["summary"]) == (200, before["id"], before["summary"])
    other = talk.member.data("POST", path, {"model": "loom/scribe?tokens=9"})["checkpoint"]
    assert other["summary"] != before["summary"]
    assert listed(talk) == [other]
    assert live.counts()["ledger"] == spent + 4


def test_a_deleted_checkpoint_is_gone(talk: Talk) -> None:
    path = f"/checkpoints/{made(talk)['id']}"
    assert talk.member.call("DELETE", path).json == {"success": True}
    assert talk.member.refused("DELETE", path) == (404, "not_found")
    assert talk.member.refused("POST", f"{path}/recreate") == (404, "not_found")
    assert listed(talk) == []


def test_a_repeat_makes_one_and_is_billed_once(
    live: Live, talk: Talk, named: dict[str, str]
) -> None:
    body, path, spent = wanted(talk), f"{talk.path}/checkpoints", live.counts()["ledger"]

    def ask(_: int) -> Any:
        return talk.member.call("POST", path, body, named)

    with ThreadPoolExecutor(6) as crowd:
        at_once = list(crowd.map(ask, range(6)))
    answers = [*at_once, ask(6), ask(7)]
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["data"]["checkpoint"]["id"] for answer in answers}) == 1
    assert answers[-1].body == answers[-2].body
    assert sum("idempotent-replayed" in answer.headers for answer in answers) == 7
    assert live.counts()["ledger"] == spent + 2
    assert len(listed(talk)) == 1
    other = {**body, "anchorMessageId": talk.messages()[3]["id"]}
    assert refusal(talk.member.call("POST", path, other, named)) == (422, "idempotency_key_reused")
    anew = f"/checkpoints/{listed(talk)[0]['id']}/recreate"
    keyed = {"Idempotency-Key": named["Idempotency-Key"] + "-2"}
    again = [talk.member.call("POST", anew, None, keyed) for _ in range(2)]
    assert again[0].body == again[1].body
    assert live.counts()["ledger"] == spent + 4


def test_what_a_checkpoint_costs_counts_for_its_branch_and_changes_no_tree(talk: Talk) -> None:
    before, messages = talk.main, talk.messages()
    made(talk)
    after = talk.main
    assert after["tokensOut"] > before["tokensOut"]
    assert after["headMessageId"] == before["headMessageId"]
    assert talk.messages() == messages
    assert talk.told["tokensOut"] == after["tokensOut"]


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("loom/scribe?cut=2", 502, "truncated"),
        ("loom/scribe?429=9", 429, "provider_rate_limited"),
        ("nobody/none", 404, "model_not_found"),
        ("loom/embed", 400, "provider_rejected"),
    ],
)
def test_a_failure_makes_none(talk: Talk, model: str, status: int, code: str) -> None:
    kept = made(talk)
    body = wanted(talk, model=model)
    assert talk.member.refused("POST", f"{talk.path}/checkpoints", body) == (status, code)
    anew = f"/checkpoints/{kept['id']}/recreate"
    assert talk.member.refused("POST", anew, {"model": model}) == (status, code)
    assert listed(talk) == [kept]


def test_an_anchor_must_be_on_the_branch(talk: Talk) -> None:
    branch = talk.fork(talk.messages()[1]["id"])
    body = {"branchId": branch["id"], "anchorMessageId": talk.messages()[3]["id"]}
    path = f"{talk.path}/checkpoints"
    assert talk.member.refused("POST", path, body) == (400, "invalid_request")
    deleted = wanted(talk, 3)
    talk.member.data("DELETE", f"/messages/{deleted['anchorMessageId']}")
    assert talk.member.refused("POST", path, deleted) == (404, "not_found")
