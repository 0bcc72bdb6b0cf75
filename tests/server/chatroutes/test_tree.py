"""Trees: every node once, where it belongs, however many pages they come in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from support.chatroutes import Member, Talk
from support.live import Live


@pytest.fixture
def talk(live: Live) -> Talk:
    return Member(live, "tree").begin()


@pytest.fixture
def grown(talk: Talk) -> Talk:
    """Three branches, one of them forked from another."""
    ids = talk.say("One", "Two")
    branch = talk.fork(ids[1], "Aside")
    aside = talk.say("Zwei", "Drei", branch=branch)
    deeper = talk.fork(aside[1], "Deeper")
    talk.say("Trois", branch=deeper)
    return talk


def nodes(tree: Any) -> Iterator[Any]:
    """The messages below a node."""
    for child in tree["children"]:
        yield child
        yield from nodes(child)


def branches(found: list[Any]) -> Iterator[Any]:
    for one in found:
        yield one
        yield from branches(one["children"])


def pages(talk: Talk, limit: int) -> Iterator[Any]:
    """A tree, page by page."""
    more = ""
    while True:
        page = talk.member.get(f"{talk.path}/tree?limit={limit}{more}")
        yield page
        if not page["hasNext"]:
            return
        more = f"&cursor={page['nextCursor']}"


def test_a_tree_holds_all_shapes_that_clients_read(grown: Talk) -> None:
    told = grown.member.get(f"{grown.path}/tree")
    main, aside, deeper = grown.branches()
    assert told["conversation"]["title"] == "A talk"
    assert told["conversation"]["model"] == "loom/echo"
    assert told["metadata"] == {"totalNodes": 10, "totalBranches": 3, "maxDepth": 6}
    assert told["mainBranch"] == main
    (top,) = told["branches"]
    (below,) = top["children"]
    (lowest,) = below["children"]
    for nested, branch in ((top, main), (below, aside), (lowest, deeper)):
        own = {name: nested[name] for name in branch}
        assert own == branch
        assert nested["branch"] == {**branch, "_count": {"messages": branch["messageCount"]}}


def test_a_node_stands_under_its_parent_and_says_what_it_is(grown: Talk) -> None:
    tree = grown.member.get(f"{grown.path}/tree")["tree"]
    assert (tree["id"], tree["role"]) == (grown.id, "system")
    messages = {one["id"]: one for branch in grown.branches() for one in grown.messages(branch)}
    names = {one["id"]: one for one in grown.branches()}
    found = list(nodes(tree))
    assert sorted(one["id"] for one in found) == sorted(messages)
    for node in found:
        message = messages[node["id"]]
        for name in ("role", "content", "contentHash", "createdAt", "parentMessageId"):
            assert node[name] == message[name]
        branch = names[message["branchId"]]
        assert node["branchInfo"] == {
            "id": branch["id"],
            "title": branch["title"],
            "isMain": branch["isMain"],
        }
        for child in node["children"]:
            assert child["parentMessageId"] == node["id"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 1000])
def test_pages_put_together_hold_everything_once(grown: Talk, limit: int) -> None:
    known: dict[str, str | None] = {}
    names: list[str] = []
    for page in pages(grown, limit):
        some = list(nodes(page["tree"]))
        assert len(some) <= limit
        for node in some:
            assert node["id"] not in known
            assert node["parentMessageId"] is None or node["parentMessageId"] in known
            known[node["id"]] = node["parentMessageId"]
        names += [one["id"] for one in branches(page["branches"])]
        assert page["mainBranch"]["isMain"]
        assert page["metadata"]["totalNodes"] == 10
    assert len(known) == 10
    assert names == [one["id"] for one in grown.branches()]


def test_pages_miss_nothing_while_the_tree_grows(grown: Talk) -> None:
    before = {one["id"] for one in nodes(grown.member.get(f"{grown.path}/tree")["tree"])}
    seen: list[str] = []
    for number, page in enumerate(pages(grown, 3)):
        seen += [one["id"] for one in nodes(page["tree"])]
        if number < 2:
            grown.say(f"Later {number}")
    assert before <= set(seen)
    assert len(set(seen)) == len(seen) == 14


def test_a_long_talk_is_nested_no_deeper_than_parsers_take(talk: Talk) -> None:
    talk.say(*(f"Message {number}" for number in range(60)))
    tree = talk.member.get(f"{talk.path}/tree")
    assert tree["metadata"]["maxDepth"] == 120
    assert [len(list(nodes({"children": [one]}))) for one in tree["tree"]["children"]] == [100, 20]
    first, second = tree["tree"]["children"]
    assert first["parentMessageId"] is None
    assert second["parentMessageId"] in {one["id"] for one in nodes(tree["tree"])}


def test_the_tree_of_nothing_is_its_root(talk: Talk) -> None:
    told = talk.member.get(f"{talk.path}/tree")
    assert told["tree"]["children"] == []
    assert told["metadata"] == {"totalNodes": 0, "totalBranches": 1, "maxDepth": 0}
    assert [one["isMain"] for one in told["branches"]] == [True]


def test_a_talk_whose_first_answer_is_still_written_can_be_read(live: Live) -> None:
    with live.stream("Hello!", key="tree", model="loom/scribe?stall=5&idle=60") as response:
        turn = str(response.getheader("x-chatloom-turn"))
        id = live.call("GET", f"/v1/turns/{turn}", key="tree").json["conversation_id"]
        talk = Talk(Member(live, "tree"), id)
        tree = talk.member.get(f"{talk.path}/tree")
        assert [one["id"] for one in tree["branches"]] == [tree["mainBranch"]["id"]]
        assert talk.told["branches"] == talk.branches() == [tree["mainBranch"]]
        assert talk.messages() == talk.messages(talk.main) == tree["tree"]["children"] == []
        assert talk.fork(talk.say("Meanwhile")[0])["forkPointMessageId"]
        live.call("POST", f"/v1/turns/{turn}/cancel", {}, key="tree")
    main, fork, sibling = talk.branches()
    assert [len(talk.messages(one)) for one in (main, fork, sibling)] == [2, 1, 2]
    assert talk.texts(sibling)[0] == "Hello!"


def test_a_merge_node_says_what_it_brings_in(grown: Talk) -> None:
    _, aside, _ = grown.branches()
    node = grown.merge(aside)["merge"]
    told = {one["id"]: one for one in nodes(grown.member.get(f"{grown.path}/tree")["tree"])}
    assert told[node["messageId"]]["mergedMessageIds"] == node["messageIds"]
    assert told[node["messageIds"][0]]["mergedMessageIds"] == []


def test_what_is_left_of_a_deleted_message_counts(grown: Talk) -> None:
    grown.member.data("DELETE", f"/messages/{grown.messages()[0]['id']}")
    told = grown.member.get(f"{grown.path}/tree")
    assert told["metadata"]["totalNodes"] == len(list(nodes(told["tree"]))) == 10
    assert told["conversation"]["messageCount"] == 9


def test_of_a_deleted_branch_only_what_others_stand_on_is_told(grown: Talk) -> None:
    _, aside, deeper = grown.branches()
    own = [one["id"] for one in grown.messages(aside)]
    grown.delete(aside)
    told = grown.member.get(f"{grown.path}/tree")
    found = {one["id"] for one in nodes(told["tree"])}
    assert set(own[:4]) <= found
    assert not set(own[4:]) & found
    assert [one["title"] for one in branches(told["branches"])] == ["main", "Deeper"]
    assert told["metadata"]["totalBranches"] == 2
    assert told["metadata"]["totalNodes"] == len(found)
    assert deeper["id"] in {one["id"] for one in branches(told["branches"])}
