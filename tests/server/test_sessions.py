"""Sessions: continued by whoever names them, listed, read, archived; nobody else's."""

from __future__ import annotations

import json
from itertools import count
from typing import Any
from urllib.parse import quote

import pytest

from chatloom.server.ids import new_id
from support.http import Answer
from support.live import Live

NUMBERS = count()


@pytest.fixture
def key() -> str:
    """An account of one's own at the shared dev server."""
    return f"sessions-{next(NUMBERS)}"


class Talker:
    """One end user of one account."""

    def __init__(self, live: Live, key: str, user: str = "anna") -> None:
        self.live, self.key, self.user = live, key, user

    def say(self, content: object, session: str | None = None, **fields: Any) -> Answer:
        metadata = {"session_id": session, **fields.pop("metadata", {})}
        told = {name: value for name, value in metadata.items() if value is not None}
        return self.live.complete(content, key=self.key, user=self.user, metadata=told, **fields)

    def begin(self, content: object = "Hello!", **fields: Any) -> str:
        return str(self.say(content, **fields).json["system_fingerprint"])

    def list(self, query: str = "") -> Any:
        path = f"/atoms/chat/sessions?user_id={self.user}{query}"
        answer = self.live.call("GET", path, key=self.key)
        assert answer.status == 200, answer.body
        return answer.json

    def read(self, session: str, user: str | None = None) -> Answer:
        path = f"/atoms/chat/sessions/{session}?user_id={user or self.user}"
        return self.live.call("GET", path, key=self.key)

    def change(self, session: str, body: object, user: str | None = None) -> Answer:
        path = f"/atoms/chat/sessions/{session}?user_id={user or self.user}"
        return self.live.call("PATCH", path, body, key=self.key)


@pytest.fixture
def anna(live: Live, key: str) -> Talker:
    return Talker(live, key)


def test_a_session_goes_on_plain_and_streamed(live: Live, anna: Talker) -> None:
    first = anna.say("Draft an e-mail.\nA short one.")
    session = first.json["system_fingerprint"]
    streamed = live.events(
        "Add risks.", key=anna.key, user="anna", metadata={"session_id": session}
    )
    last = anna.say("Shorter.", session.upper())
    answers = [first.text, streamed.text, last.text]
    detail = anna.read(session).json
    told = [(one["role"], one["content"]) for one in detail["messages"]]
    asked = ["Draft an e-mail.\nA short one.", "Add risks.", "Shorter."]
    assert told == [
        pair
        for question, answer in zip(asked, answers, strict=True)
        for pair in (("user", question), ("assistant", answer))
    ]
    assert [one["message_index"] for one in detail["messages"]] == list(range(6))
    assert {one["session_id"] for one in detail["messages"]} == {session}
    assert detail["session"] == anna.list()["sessions"][0]


def test_a_session_counts_what_was_said(anna: Talker) -> None:
    answers = [anna.say("First line \nsecond")]
    session = answers[0].json["system_fingerprint"]
    answers.append(anna.say("More?", session))
    (listed,) = anna.list()["sessions"]
    usages = [answer.json["usage"] for answer in answers]
    assert listed["title"] == "First line"
    assert (listed["message_count"], listed["user_id"]) == (4, "anna")
    assert listed["tokens_in"] == sum(one["prompt_tokens"] for one in usages)
    assert listed["tokens_out"] == sum(one["completion_tokens"] for one in usages)
    assert listed["tokens_total"] == listed["tokens_in"] + listed["tokens_out"]
    assert listed["created_at"] <= listed["last_message_at"] == listed["updated_at"]
    assert (listed["model"], listed["archived"]) == ("loom/scribe", False)
    tokens = [one["tokens"] for one in anna.read(session).json["messages"]]
    assert tokens == [None, usages[0]["completion_tokens"], None, usages[1]["completion_tokens"]]


def test_a_title_is_at_most_eighty_characters_of_the_first_line(anna: Talker) -> None:
    anna.begin("\n  \n" + "ä" * 100 + "\nmore")
    assert anna.list()["sessions"][0]["title"] == "ä" * 80


def test_what_begins_without_words_is_called_by_the_first_there_are(anna: Talker) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    session = anna.begin([{"role": "user", "content": [image]}])
    assert anna.list()["sessions"][0]["title"] is None
    anna.say("What is it?", session)
    anna.say("And this?", session)
    assert anna.list()["sessions"][0]["title"] == "What is it?"


def test_the_last_used_session_comes_first_page_by_page(anna: Talker) -> None:
    sessions = [anna.begin(f"Talk {number}") for number in range(5)]
    anna.say("And on?", sessions[1])
    order = [sessions[1], sessions[4], sessions[3], sessions[2], sessions[0]]
    pages = [anna.list(f"&page={page}&page_size=2") for page in (1, 2, 3, 4)]
    assert [one["id"] for page in pages for one in page["sessions"]] == order
    assert [page["has_more"] for page in pages] == [True, True, False, False]
    assert {(page["total"], page["page_size"]) for page in pages} == {(5, 2)}
    assert [page["page"] for page in pages] == [1, 2, 3, 4]


def test_what_names_no_user_is_listed_for_nobody(live: Live, anna: Talker) -> None:
    live.complete("Hello!", key=anna.key)
    assert anna.list() == {
        "sessions": [],
        "total": 0,
        "page": 1,
        "page_size": 20,
        "has_more": False,
    }


def test_a_session_belongs_to_the_first_user_who_goes_on_with_it(live: Live, anna: Talker) -> None:
    answer = live.complete("Hello!", key=anna.key)
    session = answer.json["system_fingerprint"]
    assert anna.say("And on?", session).status == 200
    assert [one["id"] for one in anna.list()["sessions"]] == [session]
    bob = Talker(live, anna.key, "bob")
    assert (bob.say("Mine?", session).status, bob.read(session).status) == (404, 404)


def test_sessions_are_archived_and_taken_back(anna: Talker) -> None:
    kept, put_away = anna.begin("Kept"), anna.begin("Put away")
    changed = anna.change(put_away, {"archived": True})
    assert (changed.status, changed.json["session"]["archived"]) == (200, True)
    assert [one["id"] for one in anna.list()["sessions"]] == [kept]
    assert [one["id"] for one in anna.list("&archived=true")["sessions"]] == [put_away]
    assert anna.read(put_away).json["session"]["archived"] is True
    anna.change(put_away, {"archived": False})
    assert {one["id"] for one in anna.list()["sessions"]} == {kept, put_away}


def test_a_session_is_named_anew_and_keeps_what_is_not_said(anna: Talker) -> None:
    session = anna.begin("Old", metadata={"team": "north"})
    changed = anna.change(session, {"title": "New"}).json["session"]
    assert (changed["title"], changed["metadata"]["team"]) == ("New", "north")
    assert anna.change(session, {"metadata": {"a": [1]}}).json["session"]["metadata"] == {"a": [1]}
    anna.say("More?", session)
    assert anna.list()["sessions"][0]["title"] == "New"


def test_a_change_holds_that_comes_before_the_first_answer_is_whole(
    live: Live, anna: Talker
) -> None:
    slow, told = "loom/scribe?delay=20&tokens=20", {"team": "north"}
    with live.stream("Begin.", key=anna.key, user="anna", model=slow, metadata=told) as response:
        chunk = next(line for line in iter(response.readline, b"") if line.startswith(b"data: "))
        session = json.loads(chunk[6:])["system_fingerprint"]
        changed = anna.change(session, {"title": "Mine", "archived": True}).json["session"]
        assert (changed["title"], changed["archived"]) == ("Mine", True)
        assert changed["message_count"] == 0, "its answer is still on its way"
        response.read()
    anna.say("And on?", session)
    assert anna.list()["total"] == 0
    (listed,) = anna.list("&archived=true")["sessions"]
    assert (listed["id"], listed["title"], listed["message_count"]) == (session, "Mine", 4)
    assert listed["metadata"]["team"] == "north"
    assert [one["content"] for one in anna.read(session).json["messages"]][::2] == [
        "Begin.",
        "And on?",
    ]


@pytest.mark.parametrize(
    "body",
    [{"title": ""}, {"title": "x" * 201}, {"archived": "yes"}, {"name": 1}, [], {"metadata": 3}],
)
def test_a_senseless_change_changes_nothing(anna: Talker, body: object) -> None:
    session = anna.begin()
    before = anna.read(session).json
    refused = anna.change(session, body)
    assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")
    assert anna.read(session).json == before


def test_others_find_no_session(live: Live, anna: Talker) -> None:
    session = anna.begin()
    stranger = Talker(live, "somebody else", "anna")
    answers = [anna.read(session, "bob"), anna.change(session, {"archived": True}, "bob")]
    answers += [stranger.read(session), stranger.change(session, {"archived": True})]
    answers += [anna.read(new_id()), anna.read("no-id"), anna.read("%20")]
    assert {answer.status for answer in answers} == {404}
    assert {answer.error["message"] for answer in answers} == {"chat session not found"}
    assert {answer.json["detail"] for answer in answers} == {"chat session not found"}
    assert anna.read(session).json["session"]["archived"] is False


USERS = ["ä😀", "a/b?c#d&page=0", "+ %2B", "' OR 1=1 --", "a\x00b", "x" * 256]


@pytest.mark.parametrize("user", USERS)
def test_a_user_may_be_called_anything(live: Live, key: str, user: str) -> None:
    session = live.complete("Hello!", key=key, user=user).json["system_fingerprint"]
    whose = Talker(live, key, quote(user, safe=""))
    (listed,) = whose.list()["sessions"]
    assert (listed["id"], listed["user_id"]) == (session, user)
    assert whose.read(session).json["session"] == listed


def test_of_a_query_that_says_something_twice_the_last_word_counts(anna: Talker) -> None:
    anna.begin()
    assert anna.list("&user_id=bob")["total"] == 0
    assert anna.list("&user_id=bob&user_id=anna&more=%F0%9F%98%80&odd=%FF")["total"] == 1


PAGES = [
    *(
        "",
        "user_id=",
        f"user_id={'a' * 257}",
        f"user_id={'a' * 50_000}",
        "user_id=a&archived=perhaps",
    ),
    *(f"user_id=a&page={page}" for page in ("0", "-1", "two", "1.5", "9999999999")),
    *(f"user_id=a&page_size={size}" for size in ("0", "101")),
]


@pytest.mark.parametrize("query", PAGES)
def test_a_page_out_of_range_is_refused(live: Live, anna: Talker, query: str) -> None:
    answer = live.call("GET", f"/atoms/chat/sessions?{query}", key=anna.key)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert answer.error["param"] in {"user_id", "page", "page_size", "archived"}


def test_metadata_is_kept_but_for_places_and_what_is_nobody_elses(anna: Talker) -> None:
    servers = {"mine": {"headers": {"Authorization": "Bearer secret"}}}
    told = {"agent_type": "claude", "organization_id": "north", "team": {"a": [1, None]}}
    hidden = {"mcp_servers": servers, "variables": {"x": 1}}
    anna.begin(
        metadata={**told, **hidden, "allowed_tools": ["search"], "setting_sources": ["user"]}
    )
    (session,) = anna.list()["sessions"]
    assert (session["agent_type"], session["organization_id"]) == ("claude", "north")
    assert session["metadata"]["team"] == {"a": [1, None]}
    assert not {"mcp_servers", "variables", "session_id"} & set(session["metadata"])


def test_a_message_tells_its_tool_calls_and_parts(anna: Talker) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{}"}}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    talk = [
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "found"},
    ]
    messages = anna.read(anna.begin(talk)).json["messages"]
    assert [one["content"] for one in messages[:3]] == ["Look.", "", "found"]
    assert messages[0]["metadata"]["parts"][1] == image
    assert messages[1]["metadata"]["tool_calls"] == [call]
    assert messages[2]["metadata"]["tool_call_id"] == "c1"


def test_what_was_said_before_it_broke_off_is_there(anna: Talker) -> None:
    session = anna.begin()
    broken = anna.say("And on?", session, model="loom/scribe?cut=5")
    assert broken.status == 502
    messages = anna.read(session).json["messages"]
    assert messages[-1]["content"] == broken.error["partial"] != ""


def test_a_client_that_repeats_the_whole_talk_stays_in_its_session(anna: Talker) -> None:
    first = anna.say("Hello!")
    talk = [
        {"role": "user", "content": "Hello!"},
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "And on?"},
    ]
    second = anna.say(talk)
    assert second.json["system_fingerprint"] == first.json["system_fingerprint"]
    assert anna.list()["total"] == 1
    contents = [
        one["content"] for one in anna.read(second.json["system_fingerprint"]).json["messages"]
    ]
    assert contents == ["Hello!", first.text, "And on?", second.text]


def test_what_opens_a_tool_server_is_not_kept(live: Live, anna: Talker) -> None:
    servers = {
        "one": {"url": "https://tools.example", "headers": {"Authorization": "Bearer canary"}},
        "two": {"command": "x", "env": {"TOKEN": ["canary"]}, "authorization_token": "canary"},
    }
    turn = anna.say("Hello!", metadata={"mcp_servers": servers}).headers["x-chatloom-turn"]
    ((request,),) = live.rows("SELECT request FROM turn WHERE id = ?", turn)
    assert b"canary" not in request
    assert b"https://tools.example" in request


def test_an_empty_place_is_none(anna: Talker) -> None:
    assert anna.say("Hello!", metadata={"conversation_id": "", "branch_id": ""}).status == 200
