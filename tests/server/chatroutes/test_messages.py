"""Messages: answered, listed page by page, said otherwise, deleted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from support.chatroutes import Member, Talk, refusal
from support.live import Live

Get = Callable[[Any], Any]


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, "messages").begin()


def test_an_answer_is_told_under_every_name(talk: Talk) -> None:
    told = talk.send("Hello!")
    question, answer = told["userMessage"], told["assistantMessage"]
    assert told["message"] == answer
    assert (question["role"], question["content"]) == ("user", "Hello!")
    assert (answer["role"], answer["content"]) == ("assistant", "Hello!")
    assert answer["parentMessageId"] == question["id"]
    assert question["parentMessageId"] is None
    assert told["model"] == answer["metadata"]["model"] == "loom/echo"
    usage = told["usage"]
    assert usage["totalTokens"] == usage["promptTokens"] + usage["completionTokens"]
    assert answer["tokenCount"] == answer["tokens"] == usage["completionTokens"]


def test_an_answer_says_how_it_came_about(talk: Talk) -> None:
    answer = talk.send("Hello!", temperature=0.5, maxTokens=50)["message"]
    about = answer["metadata"]
    assert (about["temperature"], about["maxTokens"]) == (0.5, 50)
    assert (about["finishReason"], about["outcome"]) == ("stop", "complete")
    assert about["protocol"] == "chatroutes"
    assert about["responseTime"] >= 0
    assert (about["cost"], about["costExact"]["usd"]) == (0, "0.0")
    turn = talk.member.server.call("GET", f"/v1/turns/{about['turnId']}", key="messages").json
    assert (turn["message_id"], turn["text"]) == (answer["id"], "Hello!")


def test_an_answer_is_listed_as_it_was_told(talk: Talk) -> None:
    told = talk.send("Hello!")
    question, answer = talk.messages()
    assert answer == told["message"]
    assert question == told["userMessage"]


def test_an_answer_that_was_cut_by_its_length_says_so(talk: Talk) -> None:
    about = talk.send("Hello you all!", maxTokens=1)["message"]["metadata"]
    assert (about["finishReason"], about["outcome"]) == ("length", "length")


def test_the_hash_covers_words_and_parents_and_no_ids(talk: Talk) -> None:
    other = talk.member.begin("The same")
    first, second = talk.say("One", "Two"), other.say("One", "Two")
    hashes = [[one["contentHash"] for one in each.messages()] for each in (talk, other)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes[0])) == 4
    assert not set(first) & set(second)
    other.say("Three")
    talk.say("Drei")
    assert talk.messages()[-1]["contentHash"] != other.messages()[-1]["contentHash"]


def test_a_hash_can_be_reckoned_by_anybody(talk: Talk) -> None:
    talk.say("Grüße 👋")
    question, answer = talk.messages()

    def hashed(role: str, text: str, *parents: str) -> str:
        form = [1, role, {"content": text}, list(parents)]
        told = json.dumps(form, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    assert question["contentHash"] == hashed("user", "Grüße 👋")
    assert answer["contentHash"] == hashed("assistant", "Grüße 👋", question["contentHash"])


WORDS = {
    "NUL": "a\0b",
    "control characters": "\x01\x02\r\n\t\x7f\x85",
    "a script": "<script>alert(1)</script>",
    "right to left": "\u202eabc\u200f",
    "emoji": "👩‍👩‍👧‍👦" * 3,
    "blank": " \n ",
    "a frame": 'data: {"type":"complete"}\n\ndata: [DONE]\n\n',
    "long": "word " * 20_000,
}


@pytest.mark.parametrize("content", WORDS.values(), ids=WORDS)
def test_what_is_said_comes_back_as_it_was(talk: Talk, content: str) -> None:
    talk.send(content)
    assert talk.texts() == [content, content]
    events = talk.member.stream(f"{talk.path}/messages/stream", {"content": content})
    assert "".join(one["content"] for one in events.chunks[:-1]) == content
    assert events.chunks[-1]["message"]["content"] == content


ORDERS = {"asc": 1, "desc": -1}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("limit", [1, 3, 4, 7])
def test_pages_hold_every_message_once(talk: Talk, order: str, limit: int) -> None:
    talk.say("One", "Two")
    branch = talk.fork(talk.messages()[-1]["id"])
    talk.say("Three", branch=branch)
    for one in (None, branch):
        expected = [message["id"] for message in talk.messages(one)][:: ORDERS[order]]
        query: dict[str, object] = {"order": order, "limit": limit}
        if one is not None:
            query["branchId"] = one["id"]
        pages = list(talk.member.pages(f"{talk.path}/messages", "messages", **query))
        assert [message["id"] for page in pages for message in page] == expected
        assert all(len(page) == limit for page in pages[:-1])
        assert pages[-1]


@pytest.mark.parametrize("order", ORDERS)
def test_pages_miss_nothing_while_the_branch_grows(talk: Talk, order: str) -> None:
    before = talk.say("One", "Two", "Three")
    seen: list[str] = []
    for page in talk.member.pages(f"{talk.path}/messages", "messages", order=order, limit=2):
        seen += [message["id"] for message in page]
        if len(seen) <= 4:
            talk.say(f"Behind {len(seen)}")
    now = [message["id"] for message in talk.messages()]
    assert len(now) == 10
    assert seen == (now if order == "asc" else before[::-1])


def test_pages_pass_over_what_is_deleted_on_the_way(talk: Talk) -> None:
    ids = talk.say("One", "Two", "Three")
    pages = talk.member.pages(f"{talk.path}/messages", "messages", limit=2)
    seen = [message["id"] for message in next(pages)]
    for id in (ids[1], ids[2]):
        talk.member.data("DELETE", f"/messages/{id}")
    seen += [message["id"] for page in pages for message in page]
    assert seen == [ids[0], ids[1], ids[3], ids[4], ids[5]]


def test_a_list_stands_at_the_top_and_under_data(talk: Talk) -> None:
    talk.say("One")
    main = talk.main["id"]
    for path in ("messages", f"branches/{main}/messages"):
        body = talk.member.call("GET", f"{talk.path}/{path}").json
        assert body["messages"] == body["data"]["messages"] == talk.messages()
        assert body["nextCursor"] is body["data"]["nextCursor"] is None


def test_a_message_said_otherwise_leaves_its_old_path_as_a_branch(talk: Talk) -> None:
    ids = talk.say("One", "Two")
    told = talk.member.data("PATCH", f"/messages/{ids[2]}", {"content": "Deux"})
    said, kept = told["message"], told["keptBranch"]
    assert (said["content"], said["role"], said["branchId"]) == ("Deux", "user", talk.main["id"])
    assert said["parentMessageId"] == ids[1]
    assert talk.texts() == ["One", "One", "Deux"]
    assert talk.texts(kept) == ["One", "One", "Two", "Two"]
    assert (kept["parentBranchId"], kept["forkPointMessageId"]) == (talk.main["id"], ids[1])
    assert [one["id"] for one in talk.messages(kept)] == ids
    talk.say("Trois")
    assert talk.texts() == ["One", "One", "Deux", "Trois", "Trois"]


def test_the_first_message_can_be_said_otherwise(talk: Talk) -> None:
    first, _ = talk.say("One")
    told = talk.member.data("PATCH", f"/messages/{first}", {"content": "Eins"})
    assert talk.texts() == ["Eins"]
    assert talk.texts(told["keptBranch"]) == ["One", "One"]


def test_a_deleted_message_keeps_its_place_and_its_hash(talk: Talk) -> None:
    ids = talk.say("One", "Two")
    before = talk.member.get(f"{talk.path}/tree")["tree"]["children"][0]["children"][0]
    assert talk.member.call("DELETE", f"/messages/{ids[1]}").json == {"success": True}
    assert talk.texts() == ["One", "Two", "Two"]
    assert talk.told["messageCount"] == 3
    after = talk.member.get(f"{talk.path}/tree")["tree"]["children"][0]["children"][0]
    assert (after["id"], after["contentHash"]) == (before["id"], before["contentHash"])
    assert (after["isDeleted"], after["content"]) == (True, "")
    assert [one["content"] for one in after["children"]] == ["Two"]


def test_a_deleted_message_can_neither_be_found_nor_changed_nor_gone_on_from(talk: Talk) -> None:
    question, answer = talk.say("Unrepeatable")
    for id in (question, answer):
        talk.member.data("DELETE", f"/messages/{id}")
    member = talk.member
    assert member.get("/conversations/search?q=unrepeatable")["hits"] == []
    refused: list[tuple[str, str, object]] = [
        ("DELETE", f"/messages/{answer}", None),
        ("PATCH", f"/messages/{answer}", {"content": "Again"}),
        ("POST", f"{talk.path}/fork", {"forkPointMessageId": answer, "title": "A"}),
        ("POST", f"{talk.path}/branches", {"baseNodeId": answer, "title": "A"}),
        ("POST", f"{talk.path}/messages", {"content": "And?", "parentMessageId": question}),
    ]
    for method, path, body in refused:
        assert member.refused(method, path, body) == (404, "not_found"), path
    talk.say("Onwards")
    assert talk.texts() == ["Onwards", "Onwards"]


def test_a_branch_whose_head_is_deleted_can_be_forked_where_it_is(talk: Talk) -> None:
    _, answer = talk.say("One")
    talk.member.data("DELETE", f"/messages/{answer}")
    branch = talk.member.data("POST", f"{talk.path}/branches", {"title": "From here"})["branch"]
    assert branch["headMessageId"] == answer
    talk.say("Two", branch=branch)
    assert talk.texts(branch) == ["One", "Two", "Two"]


def test_deleted_words_are_nowhere_any_more(live: Live, talk: Talk) -> None:
    word = f"secret{talk.id[-12:]}"
    headers = {"Idempotency-Key": talk.id}
    body = {"content": f"The {word}."}
    path = f"{talk.path}/messages"
    told = talk.member.call("POST", path, body, headers).json["data"]
    talk.member.get(f"/conversations/search?q={word}")
    assert word in repr(live.dump())
    for name in ("userMessage", "message"):
        talk.member.data("DELETE", f"/messages/{told[name]['id']}")
    assert word not in repr(live.dump())
    assert refusal(talk.member.call("POST", path, body, headers)) == (410, "replay_expired")


@pytest.fixture(scope="module")
def long(live: Live) -> Talk:
    """A talk of 2,502 messages."""
    roles = ("user", "assistant")
    history = [{"role": roles[n % 2], "content": f"Message {n}"} for n in range(2501)]
    place = live.complete(history, key="messages", model="loom/echo", user="long").json["metadata"]
    return Talk(Member(live, "messages"), place["conversation_id"])


@pytest.mark.parametrize("order", ORDERS)
def test_a_long_history_comes_in_pages(long: Talk, order: str) -> None:
    pages = list(long.member.pages(f"{long.path}/messages", "messages", order=order, limit=1000))
    texts = [message["content"] for page in pages for message in page]
    assert [len(page) for page in pages] == [1000, 1000, 502]
    expected = [*(f"Message {n}" for n in range(2501)), "Message 2500"]
    assert texts == expected[:: ORDERS[order]]


def test_who_knows_no_pages_is_told_all_of_a_long_history(long: Talk) -> None:
    told = long.told
    assert (len(told["messages"]), told["hasMoreMessages"]) == (2502, False)
    assert told["messages"] == long.messages()


def test_the_last_messages_of_a_long_history_are_told_first(long: Talk) -> None:
    last = long.member.get(f"{long.path}/messages?order=desc&limit=2")
    assert [one["content"] for one in last["messages"]] == ["Message 2500"] * 2
