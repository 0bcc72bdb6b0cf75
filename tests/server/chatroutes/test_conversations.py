"""Conversations: begun, listed, read, changed, deleted; both forms of a list in one body."""

from __future__ import annotations

from typing import Any

import pytest

from support.chatroutes import CONVERSATIONS, Member
from support.live import Live


@pytest.fixture
def member(live: Live, request: pytest.FixtureRequest) -> Member:
    """Somebody who has nothing yet."""
    return Member(live, f"conversations-{request.node.name}"[:100])


def test_a_conversation_is_begun_with_nothing_in_it(member: Member) -> None:
    answer = member.call("POST", CONVERSATIONS, {"title": "Plans", "model": "loom/echo"})
    told = answer.json["data"]["conversation"]
    assert answer.status == 201
    assert (told["title"], told["model"]) == ("Plans", "loom/echo")
    assert (told["messageCount"], told["branchCount"]) == (0, 1)
    assert told["userId"]
    assert told["createdAt"] == told["updatedAt"]
    assert "messages" not in told


def test_a_conversation_names_the_documents_model_where_none_is_named(member: Member) -> None:
    told = member.data("POST", CONVERSATIONS, {"title": "Plans"})["conversation"]
    assert told["model"] == "gpt-5"


def test_it_is_read_with_its_messages_and_branches(member: Member) -> None:
    talk = member.begin()
    _, answer = talk.say("One")
    talk.say("Two", branch=talk.fork(answer, "Aside"))
    told = talk.told
    assert [one["content"] for one in told["messages"]] == ["One", "One"]
    assert [one["title"] for one in told["branches"]] == ["main", "Aside"]
    assert (told["messageCount"], told["branchCount"]) == (4, 2)
    assert not told["hasMoreMessages"]
    assert not told["hasMoreBranches"]


def test_what_is_said_once_holds_for_every_request(member: Member) -> None:
    talk = member.begin(temperature=0.3, maxTokens=40, systemPrompt="Be brief.")
    first = talk.send("One")["message"]["metadata"]
    other = talk.send("Two", temperature=1.5, maxTokens=7, model="loom/scribe")["message"][
        "metadata"
    ]
    assert (first["temperature"], first["maxTokens"]) == (0.3, 40)
    assert (other["temperature"], other["maxTokens"]) == (1.5, 7)
    assert (first["model"], other["model"]) == ("loom/echo", "loom/scribe")
    told = talk.told
    assert (told["temperature"], told["maxTokens"]) == (0.3, 40)
    assert told["systemPrompt"] == "Be brief."


def test_a_list_stands_at_the_top_and_under_data(member: Member) -> None:
    member.begin("Older")
    member.begin("Newer")
    body = member.call("GET", CONVERSATIONS).json
    assert set(body) == {"success", "data", *body["data"]}
    assert body["data"] == {name: body[name] for name in body["data"]}
    assert [one["title"] for one in body["conversations"]] == ["Newer", "Older"]
    assert (body["total"], body["page"], body["limit"], body["hasNext"]) == (2, 1, 10, False)


def test_pages_hold_every_conversation_once(member: Member) -> None:
    ids = [member.begin(f"Talk {number}").id for number in range(5)]
    pages = [member.get(f"{CONVERSATIONS}?page={page}&limit=2") for page in (1, 2, 3, 4)]
    assert [one["id"] for page in pages for one in page["conversations"]] == ids[::-1]
    assert [page["hasNext"] for page in pages] == [True, True, False, False]
    assert {page["total"] for page in pages} == {5}


def test_the_last_used_comes_first(member: Member) -> None:
    older, newer = member.begin("Older"), member.begin("Newer")
    older.say("Hello!")
    listed = member.get(CONVERSATIONS)["conversations"]
    assert [one["id"] for one in listed] == [older.id, newer.id]


@pytest.mark.parametrize(("filter_", "count"), [("all", 1), ("owned", 1), ("shared", 0)])
def test_nothing_is_shared_yet(member: Member, filter_: str, count: int) -> None:
    member.begin()
    page = member.get(f"{CONVERSATIONS}?filter={filter_}")
    assert (len(page["conversations"]), page["total"]) == (count, count)


CHANGES: list[dict[str, Any]] = [
    {"title": "Otherwise"},
    {"model": "loom/scribe"},
    {"systemPrompt": "Be kind."},
    {"temperature": 1.0, "maxTokens": 5},
    {"metadata": {"a": [1, {"b": None}]}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_leaves_the_rest_as_it_is(member: Member, change: dict[str, Any]) -> None:
    talk = member.begin(systemPrompt="Be brief.", metadata={"kept": True})
    before = talk.told
    told = member.data("PATCH", talk.path, change)["conversation"]
    after = talk.told
    assert {name: told[name] for name in change} == change
    assert {name: after[name] for name in before if name != "updatedAt"} == {
        **{name: before[name] for name in before if name != "updatedAt"},
        **change,
    }


@pytest.mark.parametrize("body", [None, {}, {"title": None}, {"unknown": 1}], ids=str)
def test_a_change_of_nothing_changes_nothing(live: Live, member: Member, body: object) -> None:
    talk = member.begin()
    branch = talk.main
    before = live.dump()
    told = member.data("PATCH", talk.path, body)["conversation"]
    same = member.data("PATCH", f"{talk.path}/branches/{branch['id']}", body)["branch"]
    assert (told["id"], same) == (talk.id, branch)
    assert live.dump() == before


def test_a_deleted_conversation_is_gone_everywhere(member: Member) -> None:
    talk = member.begin()
    question, answer = talk.say("Find me")
    branch = talk.fork(answer)
    assert member.call("DELETE", talk.path).json == {"success": True}
    assert member.get(CONVERSATIONS)["total"] == 0
    assert member.get(f"{CONVERSATIONS}/search?q=find")["hits"] == []
    gone: list[tuple[str, str, object]] = [
        ("GET", talk.path, None),
        ("DELETE", talk.path, None),
        ("PATCH", talk.path, {"title": "Back"}),
        ("GET", f"{talk.path}/tree", None),
        ("GET", f"{talk.path}/messages", None),
        ("POST", f"{talk.path}/messages", {"content": "Hello?"}),
        ("POST", f"{talk.path}/messages/stream", {"content": "Hello?"}),
        ("PATCH", f"/messages/{question}", {"content": "Hello?"}),
        ("DELETE", f"/messages/{question}", None),
        ("GET", f"{talk.path}/branches/{branch['id']}/messages", None),
        ("POST", f"{talk.path}/fork", {"forkPointMessageId": answer, "title": "Back"}),
    ]
    for method, path, body in gone:
        assert member.refused(method, path, body) == (404, "not_found"), path


def test_identifiers_may_come_in_capitals(member: Member) -> None:
    talk = member.begin()
    _, answer = talk.say("One")
    branch = talk.fork(answer.upper())
    assert member.get(talk.path.replace(talk.id, talk.id.upper()))["conversation"]["id"] == talk.id
    told = talk.send("Two", branchId=branch["id"].upper(), parentMessageId=answer.upper())
    assert told["message"]["branchId"] == branch["id"]
