"""Sessions over HTTP, in both clients and of every kind of server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.core.engine import Engine, Sync
from chatloom.core.http import Response
from chatloom.core.pages import Pages
from chatloom.core.raw import Raw
from chatserver_sdk import (
    ChatMessageRecord,
    ChatServerClient,
    ChatSessionDetailResponse,
    ChatSessionListResponse,
    ChatSessionSummary,
    MessageRole,
    NotFoundError,
    UnreadableAnswerError,
)
from chatserver_sdk.completions import ChatServer
from sdks.chatserver.both import outcome
from support.scripted import Scripted
from support.twins import Call, Reply

USER = "00000000-0000-0000-0000-000000000001"
ID = "0195d6f2-7c11-7000-8000-000000000001"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
YEAR_ONE = datetime.min.replace(tzinfo=UTC)

SESSION: dict[str, Any] = {
    "id": ID,
    "user_id": USER,
    "organization_id": "o1",
    "title": "Draft a project update email.",
    "model": "claude-3-haiku",
    "agent_type": "claude",
    "created_at": "2026-01-01T12:00:00Z",
    "updated_at": "2026-01-01T12:00:01.5+00:00",
    "last_message_at": "2026-01-01T12:00:02",
    "message_count": 4,
    "tokens_in": 10,
    "tokens_out": 5,
    "tokens_total": 15,
    "metadata": {"ticket": 7},
    "archived": True,
}
SUMMARY = ChatSessionSummary(
    id=ID,
    user_id=USER,
    organization_id="o1",
    title="Draft a project update email.",
    model="claude-3-haiku",
    agent_type="claude",
    created_at=NOON,
    updated_at=NOON + timedelta(seconds=1.5),
    last_message_at=NOON + timedelta(seconds=2),
    message_count=4,
    tokens_in=10,
    tokens_out=5,
    tokens_total=15,
    metadata={"ticket": 7},
    archived=True,
)
MESSAGE: dict[str, Any] = {
    "id": "m1",
    "session_id": ID,
    "message_index": 1,
    "role": "assistant",
    "content": "Dear all",
    "metadata": {"a": 1},
    "tokens": 3,
    "created_at": "2026-01-01T12:00:00Z",
    "updated_at": "2026-01-01T12:00:00Z",
}
RECORD = ChatMessageRecord(
    id="m1",
    session_id=ID,
    message_index=1,
    role=MessageRole.ASSISTANT,
    content="Dear all",
    metadata={"a": 1},
    tokens=3,
    created_at=NOON,
    updated_at=NOON,
)


def listed(*ids: str, has_more: bool = False, **more: Any) -> dict[str, Any]:
    sessions = [{"id": name, "user_id": USER} for name in ids]
    page = {"total": len(ids), "page": 1, "page_size": 20, "has_more": has_more}
    return {"sessions": sessions, **page, **more}


def summary(**changes: Any) -> ChatSessionSummary:
    told = {name: value for name, value in (SESSION | changes).items() if value is not ...}
    return ChatSessionSummary.from_dict(told)


LISTINGS: list[tuple[Call, str]] = [
    (lambda client: client.list_sessions("u"), "user_id=u&page=1&page_size=20"),
    (lambda client: client.list_sessions("u", 2, 5), "user_id=u&page=2&page_size=5"),
    (
        lambda client: client.list_sessions("a&b c", page=3, page_size=100),
        "user_id=a%26b%20c&page=3&page_size=100",
    ),
    (
        lambda client: client.list_sessions("u", archived=True),
        "user_id=u&page=1&page_size=20&archived=true",
    ),
    (
        lambda client: client.iter_sessions("u", 5, archived=True).collect(),
        "user_id=u&page=1&page_size=5&archived=true",
    ),
]


@pytest.mark.parametrize(("call", "query"), LISTINGS)
def test_sessions_are_asked_for_by_user_and_page(call: Call, query: str) -> None:
    assert outcome(call, listed()).targets == [f"GET /atoms/chat/sessions?{query}"]


def test_a_page_of_sessions_is_read() -> None:
    told = {"sessions": [SESSION], "total": 41, "page": 2, "page_size": 20, "has_more": True}
    answer = outcome(lambda client: client.list_sessions(USER, 2), told).answer
    assert answer == ChatSessionListResponse([SUMMARY], 41, 2, 20, True)


def test_there_may_be_no_sessions() -> None:
    answer = outcome(
        lambda client: client.list_sessions(USER), {"sessions": None, "more": 1}
    ).answer
    assert answer == ChatSessionListResponse([], extra={"more": 1})


@pytest.mark.parametrize(
    ("pages", "ids", "numbers"),
    [
        pytest.param([listed()], [], [1], id="none"),
        pytest.param([listed("a", "b")], ["a", "b"], [1], id="one page"),
        pytest.param(
            [listed("a", "b", has_more=True), listed("c")], ["a", "b", "c"], [1, 2], id="two pages"
        ),
        pytest.param(
            [listed("a", "b", has_more=True), listed("b", "c")],
            ["a", "b", "c"],
            [1, 2],
            id="one that was pushed onto the next page",
        ),
        pytest.param(
            [listed("a", has_more=True), listed("a", has_more=True), listed("b")],
            ["a", "b"],
            [1, 2, 3],
            id="a page of nothing new",
        ),
        pytest.param(
            [listed("a", has_more=True), listed(has_more=True)],
            ["a"],
            [1, 2],
            id="a server that never stops",
        ),
        pytest.param([listed("", "")], ["", ""], [1], id="sessions without ids"),
    ],
)
def test_all_sessions_are_gone_through(
    pages: list[Any], ids: list[str], numbers: list[int]
) -> None:
    done = outcome(lambda client: client.iter_sessions("u", page_size=2).collect(), *pages)
    assert [session.id for session in done.answer] == ids
    assert done.targets == [
        f"GET /atoms/chat/sessions?user_id=u&page={number}&page_size=2" for number in numbers
    ]


def test_going_through_sessions_raises_where_a_page_is_refused() -> None:
    done = outcome(
        lambda client: client.iter_sessions("u").collect(),
        listed("a", has_more=True),
        Reply(b'{"error": {"message": "gone"}}', b"404 Not Found"),
    )
    assert isinstance(done.answer, NotFoundError)


def test_pages_are_fetched_as_they_are_needed() -> None:
    pages = [
        Response(200, {}, b'{"sessions": [{"id": "a"}, {"id": "b"}], "has_more": true}'),
        Response(200, {}, b'{"sessions": [{"id": "c"}], "has_more": false}'),
    ]
    outside = Scripted(*pages)
    sessions = ChatServer(Engine(Sync, outside)).iter_sessions("u")
    assert outside.requests == []
    assert [next(sessions).id, next(sessions).id, len(outside.requests)] == ["a", "b", 1]
    assert [next(sessions).id, len(outside.requests)] == ["c", 2]


def test_a_session_is_read_with_its_messages() -> None:
    told = {"session": SESSION, "messages": [MESSAGE], "links": []}
    done = outcome(lambda client: client.get_session(ID, user_id=USER), told)
    assert done.targets == [f"GET /atoms/chat/sessions/{ID}?user_id={USER}"]
    assert done.answer == ChatSessionDetailResponse(SUMMARY, [RECORD], {"links": []})


def test_messages_that_do_not_name_their_session_are_of_the_one_asked_for() -> None:
    message = {name: value for name, value in MESSAGE.items() if name != "session_id"}
    told = {"session": SESSION | {"id": None}, "messages": [message]}
    answer = outcome(lambda client: client.get_session(ID, user_id=USER), told).answer
    assert answer.messages == [RECORD]


def test_a_detail_read_by_itself_names_its_session_to_its_messages() -> None:
    detail = ChatSessionDetailResponse.from_dict({"session": SESSION, "messages": [{"id": "m1"}]})
    assert detail.messages[0].session_id == ID


@pytest.mark.parametrize("messages", [None, [], ["x"]])
def test_a_session_may_be_without_messages(messages: Any) -> None:
    told = {"session": SESSION, "messages": messages}
    assert ChatSessionDetailResponse.from_dict(told).messages == []


@pytest.mark.parametrize(
    ("arguments", "body"),
    [
        ({"title": "t"}, {"title": "t"}),
        ({"title": ""}, {"title": ""}),
        ({"archived": True}, {"archived": True}),
        ({"archived": False}, {"archived": False}),
        ({"metadata": {"a": [1]}}, {"metadata": {"a": [1]}}),
        ({"metadata": {}}, {"metadata": {}}),
        (
            {"archived": True, "title": "t", "metadata": {"a": 1}},
            {"archived": True, "title": "t", "metadata": {"a": 1}},
        ),
        ({}, {}),
    ],
)
def test_a_change_says_only_what_is_given(arguments: Any, body: Any) -> None:
    done = outcome(
        lambda client: client.update_session(ID, user_id=USER, **arguments), {"session": SESSION}
    )
    assert done.targets == [f"PATCH /atoms/chat/sessions/{ID}?user_id={USER}"]
    assert (done.bodies, done.answer) == ([body], SUMMARY)


@pytest.mark.parametrize(
    ("arguments", "body"),
    [({}, {"archived": True}), ({"archived": False}, {"archived": False})],
)
def test_a_session_is_put_out_of_sight_and_back(arguments: Any, body: Any) -> None:
    done = outcome(
        lambda client: client.archive_session(ID, user_id=USER, **arguments), {"session": SESSION}
    )
    assert done.targets == [f"PATCH /atoms/chat/sessions/{ID}?user_id={USER}"]
    assert (done.bodies, done.answer) == ([body], SUMMARY)


def test_a_change_may_be_sent_again() -> None:
    outside = Scripted(Response(200, {}, b'{"session": {}}'))
    ChatServer(Engine(Sync, outside)).update_session(ID, user_id=USER, title="t")
    assert outside.requests[0].is_idempotent


ODD_IDS = [
    ("a/b", "a%2Fb"),
    ("../stats", "..%2Fstats"),
    ("a?b#c", "a%3Fb%23c"),
    ("a%2Fb", "a%252Fb"),
    ("é", "%C3%A9"),
]


@pytest.mark.parametrize(("session_id", "quoted"), ODD_IDS)
def test_an_id_stays_one_segment_of_the_path(session_id: str, quoted: str) -> None:
    told = {"session": SESSION}
    done = outcome(lambda client: client.get_session(session_id, user_id="u"), told)
    assert done.targets == [f"GET /atoms/chat/sessions/{quoted}?user_id=u"]
    done = outcome(lambda client: client.archive_session(session_id, user_id="u"), told)
    assert done.targets == [f"PATCH /atoms/chat/sessions/{quoted}?user_id=u"]


@pytest.mark.parametrize("session_id", ["", ".", ".."])
def test_what_can_be_no_id_is_not_asked_for(session_id: str) -> None:
    done = outcome(lambda client: client.get_session(session_id, user_id="u"))
    assert (type(done.answer), done.asked) == (ValueError, [])


def test_a_server_without_sessions_is_told_apart() -> None:
    missing = Reply(b"404 page not found\n", b"404 Not Found")
    error = outcome(lambda client: client.list_sessions("u"), missing).answer
    assert (type(error), error.status_code) == (NotFoundError, 404)
    assert "404 page not found" in error.message


CALLS: list[Call] = [
    lambda client: client.list_sessions("u"),
    lambda client: client.iter_sessions("u").collect(),
    lambda client: client.get_session("s", user_id="u"),
    lambda client: client.update_session("s", user_id="u"),
]


@pytest.mark.parametrize("body", [{}, {"error": "x"}, {"sessions": "x"}, {"session": None}, [], 5])
@pytest.mark.parametrize("call", CALLS, ids=["list", "iter", "get", "update"])
def test_an_answer_about_something_else_is_none(call: Call, body: Any) -> None:
    assert type(outcome(call, body).answer) is UnreadableAnswerError


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2026-01-01T12:00:00Z", NOON),
        ("2026-01-01T12:00:00", NOON),
        ("2026-01-01 12:00:00+00:00", NOON),
        ("2026-01-01T12:00:00.123456789Z", NOON + timedelta(microseconds=123456)),
        ("2026-01-01T14:00:00+02:00", NOON),
        ("yesterday", None),
        ("", None),
        (None, None),
        (1767268800, None),
        (["2026-01-01T12:00:00Z"], None),
        (..., None),
    ],
)
def test_a_time_is_read_or_none(said: Any, expected: datetime | None) -> None:
    assert summary(last_message_at=said).last_message_at == expected


def test_a_time_keeps_its_zone() -> None:
    told = summary(last_message_at="2026-01-01T14:00:00+02:00").last_message_at
    assert told is not None
    assert told.tzinfo == timezone(timedelta(hours=2))


@pytest.mark.parametrize(
    ("created", "updated", "expected"),
    [
        ("2026-01-01T12:00:00Z", None, (NOON, NOON)),
        ("?", "2026-01-01T12:00:00Z", (NOON, NOON)),
        (..., "?", (YEAR_ONE, YEAR_ONE)),
    ],
)
def test_a_session_always_has_its_two_times(
    created: Any, updated: Any, expected: tuple[datetime, datetime]
) -> None:
    told = summary(created_at=created, updated_at=updated)
    assert (told.created_at, told.updated_at) == expected


def test_an_older_name_for_the_organization_is_understood() -> None:
    told = summary(organization_id=..., org_id="o2")
    assert (told.organization_id, told.extra) == ("o2", {"org_id": "o2"})
    assert summary(org_id="o2").organization_id == "o1"


@pytest.mark.parametrize(("total", "expected"), [(..., 15), (None, 15), (99, 99)])
def test_a_total_that_is_missing_is_the_sum(total: Any, expected: int) -> None:
    assert summary(tokens_total=total).tokens_total == expected


def test_a_session_that_tells_next_to_nothing_is_one() -> None:
    assert ChatSessionSummary.from_dict({"id": 7, "user_id": "u"}) == ChatSessionSummary("7", "u")
    nulls: dict[str, Any] = dict.fromkeys(SESSION)
    assert ChatSessionSummary.from_dict(nulls) == ChatSessionSummary("", "")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"tokens": 3, "tokens_total": 9}, 3),
        ({"tokens": None, "tokens_total": 9}, 9),
        ({"tokens_total": 9}, 9),
        ({}, 0),
    ],
)
def test_tokens_of_a_message_are_found(said: Any, expected: int) -> None:
    assert ChatMessageRecord.from_dict(said).tokens == expected


def test_text_of_a_message_in_parts_is_joined() -> None:
    parts: Any = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    told = ChatMessageRecord.from_dict({"content": parts, "role": "model"}, session_id="s")
    assert (told.content, told.role, told.session_id) == ("ab", MessageRole.ASSISTANT, "s")


def test_what_the_document_does_not_name_is_kept() -> None:
    assert summary(pinned=True).extra == {"pinned": True}
    assert ChatMessageRecord.from_dict({**MESSAGE, "score": 1}).extra == {"score": 1}


def test_raw_answers_show_the_response_beside_the_session() -> None:
    answer = outcome(
        lambda client: client.with_raw_response.get_session(ID, user_id=USER), {"session": SESSION}
    ).answer
    assert (answer.parsed.session, answer.status_code) == (SUMMARY, 200)


def test_signatures_can_be_resolved_in_every_mode() -> None:
    with ChatServerClient() as client:
        raw = client.with_raw_response
        for calls in (client, raw):
            hints = get_type_hints(calls.iter_sessions)
            assert hints["return"] == Pages[ChatSessionSummary]
        assert get_type_hints(raw.list_sessions)["return"] == Raw[ChatSessionListResponse]


KEYS = st.sampled_from([*SESSION, *MESSAGE, "session", "sessions", "messages", "has_more"])
JSON = st.recursive(
    st.sampled_from([None, True, 5, 0.5, 10**30, "x", "2026-01-01T12:00:00Z"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(body=st.dictionaries(KEYS, JSON, max_size=5))
def test_no_object_is_beyond_reading(body: dict[str, Any]) -> None:
    assert isinstance(ChatSessionDetailResponse.from_dict(body), ChatSessionDetailResponse)
    assert isinstance(ChatSessionListResponse.from_dict(body), ChatSessionListResponse)
    assert isinstance(ChatSessionSummary.from_dict(body), ChatSessionSummary)
    assert isinstance(ChatMessageRecord.from_dict(body), ChatMessageRecord)
