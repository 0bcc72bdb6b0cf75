"""Branches: forked from any message, changed, deleted, compared, counted."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from faults.provider import providing
from support.chatroutes import Member, Talk
from support.live import Live


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, "branches").begin()


def test_a_branch_reads_its_ancestors_up_to_the_fork_and_then_its_own(talk: Talk) -> None:
    ids = talk.say("One", "Two")
    texts = talk.texts()
    branch = talk.main
    for depth, id in enumerate(ids, 1):
        branch = talk.fork(id, f"From {depth}")
        talk.say(f"Aside {depth}", branch=branch)
        assert talk.texts(branch) == [*texts[:depth], *[f"Aside {depth}"] * 2]
        told = talk.branch(branch)
        assert (told["messageCount"], told["ownMessageCount"]) == (depth + 2, 2)
    assert talk.texts() == texts
    deeper = talk.fork(talk.messages(branch)[-1]["id"], "Deeper")
    talk.say("Below", branch=deeper)
    assert talk.texts(deeper) == [*talk.texts(branch), "Below", "Below"]
    assert deeper["parentBranchId"] == branch["id"]


def test_a_fork_says_where_it_is_from(talk: Talk) -> None:
    question, answer = talk.say("One")
    branch = talk.fork(question, "Why?", description="A doubt.\nOr two.", contextMode="MINIMAL")
    assert (branch["title"], branch["description"]) == ("Why?", "A doubt.\nOr two.")
    assert (branch["contextMode"], branch["isMain"], branch["isActive"]) == ("MINIMAL", False, True)
    assert branch["forkPointMessageId"] == branch["headMessageId"] == question
    assert branch["parentBranchId"] == talk.main["id"]
    assert branch["mergedAt"] is branch["mergedIntoBranchId"] is None
    assert talk.branch(branch) == branch
    created = talk.member.data(
        "POST", f"{talk.path}/branches", {"title": "There", "baseNodeId": answer}
    )["branch"]
    assert created["forkPointMessageId"] == answer


def test_a_branch_begins_at_the_current_head_where_none_is_named(talk: Talk) -> None:
    for contents in ([], ["One"], ["Two"]):
        talk.say(*contents)
        head = talk.main["headMessageId"]
        branch = talk.member.data("POST", f"{talk.path}/branches", {"title": "Now"})["branch"]
        assert branch["headMessageId"] == branch["forkPointMessageId"] == head
        talk.say("Aside", branch=branch)
        assert talk.texts(branch) == [*talk.texts(), "Aside", "Aside"]


def test_a_list_stands_at_the_top_and_under_data_a_page_at_a_time(talk: Talk) -> None:
    _, answer = talk.say("One")
    ids = [talk.main["id"], *(talk.fork(answer)["id"] for _ in range(4))]
    body = talk.member.call("GET", f"{talk.path}/branches").json
    assert body["branches"] == body["data"]["branches"]
    assert [one["id"] for one in body["branches"]] == ids
    pages = list(talk.member.pages(f"{talk.path}/branches", "branches", limit=2))
    assert [[one["id"] for one in page] for page in pages] == [ids[:2], ids[2:4], ids[4:]]


CHANGES: list[dict[str, Any]] = [
    {"title": "Other"},
    {"description": "For later"},
    {"contextMode": "PARTIAL"},
    {"isActive": False},
    {"title": "All", "description": "", "contextMode": "MINIMAL", "isActive": False},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_leaves_the_rest_as_it_is(talk: Talk, change: dict[str, Any]) -> None:
    before = talk.fork(talk.say("One")[1])
    after = talk.change(before, **change)
    assert after["updatedAt"] >= before["updatedAt"]
    assert after == {**before, **change, "updatedAt": after["updatedAt"]}
    assert talk.branch(before) == after


def test_the_main_branch_can_be_renamed_and_stays(talk: Talk) -> None:
    talk.say("One")
    main, path = talk.main, f"{talk.path}/branches/{talk.main['id']}"
    assert talk.change(main, title="Trunk", isActive=True)["title"] == "Trunk"
    assert talk.member.refused("DELETE", path) == (409, "main_branch")
    assert talk.member.refused("PATCH", path, {"isActive": False}) == (409, "main_branch")
    assert talk.main["isActive"]


def test_nothing_is_said_on_an_inactive_branch_before_it_is_active_again(talk: Talk) -> None:
    branch = talk.fork(talk.say("One")[1])
    talk.change(branch, isActive=False)
    body = {"content": "Two", "branchId": branch["id"]}
    answer = talk.member.call("POST", f"{talk.path}/messages", body)
    assert answer.headers["x-should-retry"] == "false"
    for path in ("messages", "messages/stream", f"branches/{branch['id']}/messages"):
        refused = talk.member.refused("POST", f"{talk.path}/{path}", body)
        assert refused == (409, "branch_inactive")
    assert talk.texts(branch) == ["One", "One"]
    talk.change(branch, isActive=True)
    talk.say("Two", branch=branch)
    assert talk.texts(branch) == ["One", "One", "Two", "Two"]


def test_a_deleted_branch_is_gone_and_its_children_keep_their_history(talk: Talk) -> None:
    parent = talk.fork(talk.say("One")[1], "Parent")
    two = talk.say("Two", branch=parent)
    child = talk.fork(two[1], "Child")
    three = talk.say("Three", branch=child)
    talk.say("Four", branch=parent)
    kept, hidden = talk.texts(child), talk.messages(parent)[-1]["id"]
    talk.delete(parent)
    assert [one["title"] for one in talk.branches()] == ["main", "Child"]
    assert talk.told["branchCount"] == 2
    assert talk.texts(child) == kept == ["One", "One", "Two", "Two", "Three", "Three"]
    again = talk.fork(two[1], "From the parent's")
    assert talk.texts(again) == kept[:4]
    member, path = talk.member, f"{talk.path}/branches/{parent['id']}"
    refused: list[tuple[str, str, object]] = [
        ("DELETE", path, None),
        ("PATCH", path, {"title": "Back"}),
        ("GET", f"{path}/messages", None),
        ("GET", f"{path}/diff", None),
        ("POST", f"{path}/messages", {"content": "Hello?"}),
        ("POST", f"{talk.path}/messages", {"content": "Hello?", "branchId": parent["id"]}),
        ("POST", f"{talk.path}/messages", {"content": "Hello?", "parentMessageId": hidden}),
        ("POST", f"{talk.path}/fork", {"forkPointMessageId": hidden, "title": "Back"}),
        ("DELETE", f"/messages/{hidden}", None),
        ("GET", f"{talk.path}/checkpoints?branchId={parent['id']}", None),
    ]
    for method, where, body in refused:
        assert member.refused(method, where, body) == (404, "not_found"), where
    talk.say("Five", branch=child)
    assert three[1] in {one["id"] for one in talk.messages(child)}
    assert member.get("/conversations/search?q=four")["hits"] == []


def test_a_message_goes_behind_the_one_it_names(talk: Talk) -> None:
    first, answer, *_ = talk.say("One", "Two")
    told = talk.send("Zwei", parentMessageId=answer)
    assert told["userMessage"]["parentMessageId"] == answer
    assert talk.texts() == ["One", "One", "Two", "Two"]
    sibling = {"id": told["message"]["branchId"]}
    assert talk.texts(sibling) == ["One", "One", "Zwei", "Zwei"]
    assert talk.branch(sibling)["forkPointMessageId"] == answer
    onwards = talk.send("Drei", parentMessageId=told["message"]["id"])
    assert onwards["message"]["branchId"] == sibling["id"]
    assert talk.send("Eins", parentMessageId=first)["message"]["branchId"] != sibling["id"]


def test_twenty_at_once_on_one_branch_are_all_kept(talk: Talk) -> None:
    before = talk.say("One")
    branch = talk.fork(before[1])
    told = [f"At once {number}" for number in range(20)]
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(partial(talk.send, branch=branch), told))
    assert [one["message"]["content"] for one in answers] == told
    on = [one["message"]["branchId"] for one in answers]
    assert branch["id"] in on
    for text, id in zip(told, on, strict=True):
        texts = talk.texts({"id": id})
        assert texts[:2] == ["One", "One"]
        assert texts.count(text) == 2
    assert talk.told["messageCount"] == 42
    assert {one["parentBranchId"] for one in talk.branches()[1:]} <= {
        talk.main["id"],
        branch["id"],
    }


def test_twenty_first_messages_at_once_are_all_kept(talk: Talk) -> None:
    told = [f"First {number}" for number in range(20)]
    with ThreadPoolExecutor(20) as crowd:
        answers = list(crowd.map(talk.send, told))
    tree = talk.member.get(f"{talk.path}/tree")
    assert tree["metadata"]["totalNodes"] == 40
    assert talk.main["id"] in {one["message"]["branchId"] for one in answers}
    for answer in answers:
        texts = talk.texts({"id": answer["message"]["branchId"]})
        assert answer["message"]["content"] in texts


def test_twenty_behind_one_named_message_are_twenty_siblings(talk: Talk) -> None:
    question, _ = talk.say("One")
    with ThreadPoolExecutor(20) as crowd:
        send = partial(talk.send, parentMessageId=question)
        told = list(crowd.map(send, map(str, range(20))))
    assert {one["userMessage"]["parentMessageId"] for one in told} == {question}
    assert talk.texts() == ["One", "One"]


def test_what_happens_at_once_to_a_branch_breaks_nothing(talk: Talk) -> None:
    branch = talk.fork(talk.say("One")[1])
    member, path = talk.member, f"{talk.path}/branches/{branch['id']}"
    deeds: list[tuple[str, str, object]] = [
        ("POST", f"{path}/messages", {"content": "Two"}),
        ("POST", f"{path}/merge", None),
        ("PATCH", path, {"title": "Renamed"}),
        ("DELETE", path, None),
        ("POST", f"{talk.path}/branches", {"title": "Beside"}),
        ("GET", f"{path}/diff", None),
    ]
    with ThreadPoolExecutor(18) as crowd:
        answers = list(crowd.map(member.call, *zip(*deeds * 3, strict=True)))
    assert {one.status for one in answers} <= {200, 201, 404, 409}
    tree = member.get(f"{talk.path}/tree")
    assert tree["metadata"]["totalBranches"] == len(talk.branches())


def test_two_branches_are_compared_from_where_they_part(talk: Talk) -> None:
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    own = talk.say("Zwei", "Drei", branch=branch)
    diff = talk.member.get(f"{talk.path}/branches/{branch['id']}/diff")
    assert (diff["commonMessageId"], diff["sharedMessageCount"]) == (ids[1], 2)
    assert [one["id"] for one in diff["branch"]["messages"]] == own
    assert [one["id"] for one in diff["against"]["messages"]] == ids[2:]
    assert diff["branch"]["branch"] == talk.branch(branch)
    assert diff["against"]["branch"] == talk.main
    other = talk.fork(own[1], "Deeper")
    deeper = f"{talk.path}/branches/{other['id']}/diff?against={talk.main['id'].upper()}&limit=1"
    diff = talk.member.get(deeper)
    assert (diff["branch"]["messageCount"], diff["against"]["messageCount"]) == (2, 2)
    assert [len(diff[side]["messages"]) for side in ("branch", "against")] == [1, 1]
    assert diff["branch"]["hasMore"]


def test_branches_that_share_nothing_are_compared_from_the_beginning(talk: Talk) -> None:
    empty = talk.member.data("POST", f"{talk.path}/branches", {"title": "Empty"})["branch"]
    talk.say("One")
    talk.say("Eins", branch=empty)
    diff = talk.member.get(f"{talk.path}/branches/{empty['id']}/diff")
    assert (diff["commonMessageId"], diff["sharedMessageCount"]) == (None, 0)
    assert (diff["branch"]["messageCount"], diff["against"]["messageCount"]) == (2, 2)


def test_the_main_branch_is_compared_with_one_that_is_named(talk: Talk) -> None:
    path = f"{talk.path}/branches/{talk.main['id']}/diff"
    assert talk.member.refused("GET", path) == (400, "invalid_request")
    same = talk.member.get(f"{path}?against={talk.main['id']}")
    assert same["branch"]["messages"] == same["against"]["messages"] == []


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server with a model that has a price: 5 tokens of answer to 7 of a question."""
    with providing() as provider:
        folder = tmp_path_factory.mktemp("priced")
        server = Live(folder / "own.db", "--providers", config=provider.config(model="5x0"))
        yield server
        server.stop()


def test_what_branches_share_is_counted_once(priced: Live) -> None:
    talk = Member(priced).begin(model="drip")
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    talk.say("Three", "Four", "Five", branch=branch)
    deeper = talk.fork(talk.messages(branch)[3]["id"], "Deeper")
    talk.say("Six", branch=deeper)
    turns = [1, 3, 2]
    told = talk.told
    costs = [int(one["cost"]["picodollars"]) for one in last_forked_first(told["branches"])]
    each = 7 * 1_000_000 + 5 * 2_000_000
    assert costs == [each * count for count in turns]
    assert int(told["cost"]["picodollars"]) == sum(costs)
    assert (told["tokensIn"], told["tokensOut"]) == (6 * 7, 6 * 5)
    assert [one["tokensOut"] for one in last_forked_first(told["branches"])] == [5, 15, 10]
    diff = talk.member.get(f"{talk.path}/branches/{branch['id']}/diff")
    assert (diff["branch"]["tokensIn"], diff["against"]["tokensIn"]) == (21, 7)
    assert int(diff["branch"]["cost"]["picodollars"]) == 3 * each


def last_forked_first(branches: list[Any]) -> list[Any]:
    """The last one forked, then the second, then the main one."""
    order = {"Deeper": 0, "Aside": 1, "main": 2}
    return sorted(branches, key=lambda one: order[one["title"]])
