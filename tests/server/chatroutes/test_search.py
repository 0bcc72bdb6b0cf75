"""Searching in one's own conversations, whatever is looked for."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from support.chatroutes import CONVERSATIONS, Member
from support.live import Live


@pytest.fixture
def member(live: Live, request: pytest.FixtureRequest) -> Member:
    """Somebody who has said nothing yet."""
    return Member(live, f"search-{request.node.name}"[:100])


def found(member: Member, words: str, **query: object) -> list[str]:
    """What is found, as it was said."""
    more = "".join(f"&{name}={value}" for name, value in query.items())
    hits = member.get(f"{CONVERSATIONS}/search?q={quote(words)}{more}")["hits"]
    return [hit["snippet"] for hit in hits]


QUERIES: list[tuple[str, bool]] = [
    ("falcon", True),
    ("FALCON", True),
    ("grosse", False),
    ("große", True),
    ("cafe", True),
    ("falcon northern", True),
    ("falcon penguin", False),
    ('"northern falcon"', True),
    ('"falcon northern"', False),
    ("falc*", True),
    ("falc", False),
    ("don't", True),
    ("C++", True),
    ("x-ray", True),
    ("text:falcon", False),
    ("falcon OR penguin", False),
    ("NOT penguin", False),
    ("falcon)", True),
    ('"falcon', True),
    ("fal\0con", False),
    ("falcon \0", True),
    ("'; DROP TABLE message; --", False),
    ("NEAR(falcon)", False),
    ("falcon AND", False),
    ("^falcon", True),
    ("falcon*****", True),
    ("日本語", True),
    ("_", False),
    ("a" * 900, False),
]


@pytest.mark.parametrize(("words", "finds"), QUERIES, ids=lambda value: repr(value)[:30])
def test_words_are_found_and_mean_nothing_else(member: Member, words: str, finds: bool) -> None:
    said = "The northern falcon's große café: don't X-ray C++ 日本語"
    member.begin(model="loom/scribe?tokens=1").say(said)
    assert found(member, words) == ([said] if finds else [])


def test_a_hit_says_where_it_is(member: Member) -> None:
    talk = member.begin("On birds")
    _, answer = talk.say("Hello!")
    branch = talk.fork(answer)
    told = talk.send("A falcon " + "and so on " * 30, branch)
    hits = member.get(f"{CONVERSATIONS}/search?q=falcon")["hits"]
    assert [hit["messageId"] for hit in hits] == [told["message"]["id"], told["userMessage"]["id"]]
    hit = hits[0]
    assert (hit["conversationId"], hit["conversationTitle"]) == (talk.id, "On birds")
    assert (hit["branchId"], hit["role"]) == (branch["id"], "assistant")
    assert hit["createdAt"] == told["message"]["createdAt"]
    assert hit["snippet"].startswith("A falcon and so on")
    assert hit["snippet"].endswith("…")


def test_a_snippet_is_what_stands_around_the_word(member: Member) -> None:
    member.begin().say("ß" * 200 + " falcon " + "İ" * 200)
    for snippet in found(member, "FALCON"):
        assert snippet == "…" + "ß" * 79 + " falcon " + "İ" * 79 + "…"


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_hold_every_hit_once(member: Member, limit: int) -> None:
    ids: list[str] = []
    for _ in range(3):
        ids += member.begin().say("A falcon")
    path = f"{CONVERSATIONS}/search"
    pages = list(member.pages(path, "hits", q="falcon", limit=limit))
    assert [hit["messageId"] for page in pages for hit in page] == ids[::-1]


def test_a_search_can_be_limited_to_a_conversation(member: Member) -> None:
    first, second = member.begin(), member.begin()
    first.say("A falcon")
    second.say("Another falcon")
    assert found(member, "falcon", conversationId=first.id.upper()) == ["A falcon"] * 2


def test_nobody_finds_what_others_said(live: Live, member: Member) -> None:
    member.begin().say("A falcon")
    assert found(Member(live, "somebody-else"), "falcon") == []


def test_words_between_characters_that_nobody_sees_are_found(member: Member) -> None:
    member.begin(model="loom/scribe?tokens=1").say("a\0falcon\x01there")
    assert len(found(member, "falcon")) == len(found(member, "there")) == 1


def test_what_was_said_over_other_wires_is_found(live: Live, member: Member) -> None:
    live.complete("A falcon, elsewhere", key=member.key)
    live.events("A falcon, streamed", key=member.key)
    told = found(member, "falcon")
    assert {"A falcon, elsewhere", "A falcon, streamed"} <= set(told)


def test_what_is_deleted_is_found_no_more(member: Member) -> None:
    talk = member.begin(model="loom/scribe?tokens=1")
    question, answer = talk.say("A falcon")
    branch = talk.fork(answer)
    talk.say("A falcon aside", branch=branch)
    assert found(member, "falcon") == ["A falcon aside", "A falcon"]
    talk.delete(branch)
    assert found(member, "falcon") == ["A falcon"]
    member.data("DELETE", f"/messages/{question}")
    assert found(member, "falcon") == []
