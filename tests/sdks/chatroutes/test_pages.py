"""Lists and trees that a server tells in pages."""

from __future__ import annotations

import json
import random
import sys
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatroutes.trees import grafted, page, walked, whole
from sdks.chatroutes.both import enveloped, outcome
from support.twins import Call


def ids(found: Any) -> list[str]:
    return [one["id"] for one in found]


def some(name: str, *names: str, after: str | None = None) -> dict[str, Any]:
    """A page of a list that goes on at the cursor *after*."""
    items = [{"id": one, "content": ""} for one in names]
    return enveloped(**{name: items}, hasNext=after is not None, nextCursor=after)


WALKS: list[tuple[Call, str, str]] = [
    (lambda client: client.messages.list("c"), "messages", "/conversations/c/messages"),
    (lambda client: client.messages.iter("c").collect(), "messages", "/conversations/c/messages"),
    (
        lambda client: client.branches.get_messages("c", "b"),
        "messages",
        "/conversations/c/branches/b/messages",
    ),
    (lambda client: client.branches.list("c"), "branches", "/conversations/c/branches"),
]


@pytest.mark.parametrize(("call", "name", "path"), WALKS)
def test_a_list_is_whole_however_many_pages_it_has(call: Call, name: str, path: str) -> None:
    pages = some(name, "1", "2", after="x"), some(name, after="y"), some(name, "3")
    happened = outcome(call, *pages)
    assert ids(happened.answer) == ["1", "2", "3"]
    assert happened.targets == [f"GET {path}", f"GET {path}?cursor=x", f"GET {path}?cursor=y"]


@pytest.mark.parametrize(("call", "name", "path"), WALKS)
def test_a_cursor_that_comes_again_is_the_end(call: Call, name: str, path: str) -> None:
    pages = some(name, "1", after="x"), some(name, "2", after="y"), some(name, "3", after="x")
    assert ids(outcome(call, *pages).answer) == ["1", "2", "3"]


def test_a_cursor_at_the_top_is_found_and_one_without_more_is_none() -> None:
    def call(client: Any) -> Any:
        return client.messages.list("c", "b")

    first: dict[str, Any] = {"messages": [{"id": "1"}], "nextCursor": "x"}
    last: dict[str, Any] = {"messages": [{"id": "2"}], "nextCursor": "y", "hasNext": False}
    happened = outcome(call, first, last)
    path = "GET /conversations/c/messages?branchId=b"
    assert happened.targets == [path, f"{path}&cursor=x"]
    assert ids(happened.answer) == ["1", "2"]


def numbered(page: int, *names: str, more: bool = True) -> dict[str, Any]:
    return {"conversations": [{"id": one} for one in names], "page": page, "hasNext": more}


def test_conversations_are_gone_through_each_once() -> None:
    def call(client: Any) -> Any:
        return client.conversations.iter(2, filter="owned").collect()

    pages = numbered(1, "1", "2"), numbered(2, "2", "3"), numbered(3, "4", more=False)
    happened = outcome(call, *pages)
    assert ids(happened.answer) == ["1", "2", "3", "4"]
    assert happened.targets == [
        f"GET /conversations?page={number}&limit=2&filter=owned" for number in (1, 2, 3)
    ]


@pytest.mark.parametrize("second", [numbered(1, "1", "2"), numbered(2)])
def test_a_server_that_knows_no_pages_is_not_asked_for_ever(second: Any) -> None:
    def call(client: Any) -> Any:
        return client.conversations.iter().collect()

    happened = outcome(call, numbered(1, "1", "2"), second)
    assert (ids(happened.answer), len(happened.targets)) == (["1", "2"], 2)


def test_a_search_is_gone_through_to_its_end() -> None:
    def call(client: Any) -> Any:
        return client.conversations.iter_search("w", conversation_id="c", page_size=2).collect()

    first = enveloped(hits=[{"messageId": "1"}], hasNext=True, nextCursor="x")
    happened = outcome(call, first, enveloped(hits=[{"messageId": "2"}], hasNext=False))
    path = "GET /conversations/search?q=w&conversationId=c&limit=2"
    assert happened.targets == [path, f"{path}&cursor=x"]
    assert [hit["messageId"] for hit in happened.answer] == ["1", "2"]


# Trees


def node(id: str, *children: dict[str, Any], under: str | None = None) -> dict[str, Any]:
    told = {"id": id, "role": "user", "content": id, "children": list(children)}
    return told if under is None else {**told, "parentMessageId": under}


def branch(id: str, *children: dict[str, Any], under: str | None = None) -> dict[str, Any]:
    own = {"id": id, "title": id, "isMain": id == "main", "parentBranchId": under}
    return {**own, "branch": own, "children": list(children)}


def tree(*nodes: Any, branches: list[Any], after: str | None = None) -> dict[str, Any]:
    return enveloped(
        conversation={"id": "c", "title": "T"},
        tree=node("c", *nodes),
        metadata={"totalNodes": 5, "totalBranches": 3, "maxDepth": 4},
        mainBranch=branch("main")["branch"],
        branches=branches,
        hasNext=after is not None,
        nextCursor=after,
    )


def shape(told: Any) -> Any:
    """The ids of a tree, nested as it is."""
    return [(one["id"], shape(one["children"])) for one in told]


GET_TREE: Call = lambda client: client.conversations.get_tree("c")  # noqa: E731 - reads best here


def test_a_tree_is_one_however_many_pages_it_has() -> None:
    first = tree(
        node("1", node("2")),
        branches=[branch("main", branch("a", under="main")), branch("other")],
        after="x",
    )
    second = tree(node("3", node("4"), under="2"), branches=[branch("b", under="a")], after="y")
    third = tree(node("6", under="5"), node("5", under="1"), branches=[branch("main2")])
    happened = outcome(GET_TREE, first, second, third)
    path = "GET /conversations/c/tree"
    assert happened.targets == [path, f"{path}?cursor=x", f"{path}?cursor=y"]
    answer = happened.answer
    assert answer["tree"]["id"] == "c"
    assert shape(answer["tree"]["children"]) == [
        ("1", [("2", [("3", [("4", [])])]), ("5", [("6", [])])])
    ]
    assert shape(answer["branches"]) == [
        ("main", [("a", [("b", [])])]),
        ("other", []),
        ("main2", []),
    ]
    assert answer["branches"][0]["children"][0]["branch"]["title"] == "a"
    assert answer["metadata"] == {"totalNodes": 5, "totalBranches": 3, "maxDepth": 4}
    assert (answer["conversation"]["title"], answer["mainBranch"]["id"]) == ("T", "main")
    assert not {"hasNext", "nextCursor"} & answer.keys()


def test_the_tree_of_messages_alone_is_understood() -> None:
    told = enveloped(conversation={"id": "c"}, tree=node("1", node("2"), node("3", node("4"))))
    answer = outcome(GET_TREE, told).answer
    assert answer["tree"]["id"] == "1"
    assert shape(answer["tree"]["children"]) == [("2", []), ("3", [("4", [])])]
    assert answer["branches"] == []
    assert answer["metadata"] == {"totalNodes": 3, "totalBranches": 0, "maxDepth": 2}
    assert "mainBranch" not in answer


def test_the_tree_of_branches_alone_is_understood() -> None:
    inner = {"branch": {"title": "side", "isActive": True, "_count": {"messages": 1}}}
    main = {"title": "Main", "isActive": True, "isMain": True, "_count": {"messages": 4}}
    told = enveloped(
        conversation={"title": "T", "model": "gpt-5"},
        branches=[{"branch": main, "children": [{**inner, "children": []}]}],
    )
    answer = outcome(GET_TREE, told).answer
    (first,) = answer["branches"]
    assert (first["title"], first["branch"]["_count"]) == ("Main", {"messages": 4})
    assert first["children"][0]["title"] == "side"
    assert answer["conversation"] == {"id": "c", "title": "T", "model": "gpt-5"}
    assert (answer["tree"]["content"], answer["tree"]["children"]) == ("T", [])
    assert answer["mainBranch"]["title"] == "Main"
    assert answer["metadata"] == {"totalNodes": 0, "totalBranches": 2, "maxDepth": 0}


def test_the_flat_branches_of_another_client_are_understood() -> None:
    flat = {"id": "b", "conversationId": "c", "title": "B"}
    answer = outcome(GET_TREE, enveloped(conversation={"id": "c"}, branches=[flat])).answer
    assert answer["branches"] == [{**flat, "branch": flat, "children": []}]


@pytest.mark.parametrize("told", [{}, {"data": None}, {"data": {"tree": None, "branches": None}}])
def test_a_tree_of_nothing_is_an_empty_one(told: Any) -> None:
    answer = outcome(GET_TREE, told).answer
    assert (answer["conversation"]["id"], answer["tree"]["children"]) == ("c", [])


def test_what_names_itself_as_its_ancestor_stays_at_the_top() -> None:
    tops: list[Any] = [node("1", node("2"), under="4"), node("3", node("4"), under="2")]
    assert shape(grafted(tops, "parentMessageId")) == [("3", [("4", [("1", [("2", [])])])])]
    alone: list[Any] = [node("1", node("2"), under="2")]
    assert shape(grafted(alone, "parentMessageId")) == [("1", [("2", [])])]


def test_a_conversation_may_be_deeper_than_the_stack() -> None:
    depth, at_once = 50_000, 50
    pages: list[bytes] = []
    for start in range(0, depth, 1000):
        tops: list[Any] = []
        for number in range(start, start + 1000, at_once):
            top = node(str(number + at_once - 1))
            for lower in range(number + at_once - 2, number - 1, -1):
                top = node(str(lower), top)
            tops.append({**top, "parentMessageId": str(number - 1)})
        pages.append(json.dumps(tree(*tops, branches=[])).encode())
    assert depth > sys.getrecursionlimit()
    answer = whole([page(one).items[0] for one in pages], "c")
    found = list(walked(cast("Any", answer["tree"]["children"])))
    assert [one["id"] for one, _ in found] == [str(number) for number in range(depth)]
    assert found[-1][1] == depth


@settings(max_examples=200)
@given(st.integers(0, 40), st.randoms(use_true_random=False))
def test_a_tree_cut_anywhere_is_put_together_again(size: int, chance: random.Random) -> None:
    parents = [chance.randrange(-1, number) if number else -1 for number in range(size)]
    nodes = [
        node(str(number), under=str(parents[number]) if parents[number] >= 0 else None)
        for number in range(size)
    ]
    tops: list[Any] = []
    for number, own in enumerate(nodes):
        is_cut = parents[number] < 0 or chance.random() < 0.4
        (tops if is_cut else nodes[parents[number]]["children"]).append(own)
    chance.shuffle(tops)
    left = grafted(tops, "parentMessageId")
    assert sorted(str(one["id"]) for one in left) == sorted(
        str(number) for number in range(size) if parents[number] < 0
    )
    for own, _ in walked(left):
        for child in cast("Any", own["children"]):
            assert child["parentMessageId"] == own["id"]
    assert sum(1 for _ in walked(left)) == size
