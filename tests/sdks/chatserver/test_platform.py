"""Platform administration over HTTP, in both clients and of every kind of server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatserver_sdk import (
    AdminResponse,
    AuditEntry,
    AuditLogResponse,
    ForbiddenError,
    InternalServerError,
    PlatformStats,
    SystemHealth,
    UnreadableAnswerError,
)
from chatserver_sdk.models.platform import admins_from_dict
from sdks.chatserver.both import outcome
from support.twins import Call, Reply

PLATFORM = "/api/v1/platform"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

STATS: dict[str, Any] = {
    "total_users": 1,
    "active_users": 2,
    "total_organizations": 3,
    "total_requests": 4,
    "requests_today": 5,
    "total_tokens": 6,
    "tokens_today": 7,
    "total_mcp_servers": 8,
    "system_health": {
        "status": "healthy",
        "circuit_breaker_status": {"claude": "closed"},
        "active_agents": ["claude"],
        "uptime": 9,
    },
}
OLDER_STATS = {"total_platform_admins": 1, "total_audit_entries": 2, "recent_admin_actions": 3}

ADMIN: dict[str, Any] = {
    "id": "a1",
    "email": "ada@example.com",
    "name": "Ada",
    "created_at": "2026-01-01T12:00:00Z",
    "created_by": "root@example.com",
}
OLDER_ADMIN: dict[str, Any] = {
    "id": "a1",
    "workos_id": "w1",
    "email": "ada@example.com",
    "name": "",
    "is_active": True,
    "added_at": "2026-01-01T12:00:00Z",
    "added_by": "root@example.com",
    "created_at": "2026-01-02T12:00:00Z",
    "updated_at": "2026-01-03T12:00:00Z",
}

ENTRY: dict[str, Any] = {
    "id": "e1",
    "timestamp": "2026-01-01T12:00:00Z",
    "user_id": "u1",
    "org_id": "o1",
    "action": "key.created",
    "resource": "api_key",
    "resource_id": "k1",
    "metadata": {"name": "ci"},
}
OLDER_ENTRY: dict[str, Any] = {
    "id": 7,
    "action": "add_admin",
    "target_org_id": "o1",
    "target_user_id": "u2",
    "details": {"email": "ada@example.com"},
    "ip_address": "127.0.0.1",
    "created_at": "2026-01-01T12:00:00.123456789Z",
    "admin_email": "root@example.com",
    "admin_name": "Root",
}


def entry(**changes: Any) -> AuditEntry:
    told = {name: value for name, value in (ENTRY | changes).items() if value is not ...}
    return AuditEntry.from_dict(told)


def log(*ids: str, **more: Any) -> dict[str, Any]:
    entries = [ENTRY | {"id": name} for name in ids]
    return {"entries": entries, "count": len(ids), "limit": 2, "offset": 0, **more}


def test_the_figures_are_read() -> None:
    done = outcome(lambda client: client.get_platform_stats(), STATS | {"region": "eu"})
    assert done.targets == [f"GET {PLATFORM}/stats"]
    health = SystemHealth("healthy", {"claude": "closed"}, ["claude"], {"uptime": 9})
    assert done.answer == PlatformStats(1, 2, 3, 4, 5, 6, 7, 8, health, {"region": "eu"})


def test_an_older_servers_figures_are_zeros_with_its_own_beside_them() -> None:
    answer = outcome(lambda client: client.get_platform_stats(), OLDER_STATS).answer
    assert answer == PlatformStats(extra=dict(OLDER_STATS))
    assert (answer.total_users, answer.system_health) == (0, SystemHealth())


def test_administrators_are_listed() -> None:
    done = outcome(lambda client: client.list_admins(), {"admins": [ADMIN], "count": 1})
    assert done.targets == [f"GET {PLATFORM}/admins"]
    assert done.answer == {"admins": [ADMIN], "count": 1}


def test_an_older_servers_administrators_are_listed_with_all_they_have() -> None:
    answer = outcome(lambda client: client.list_admins(), {"admins": [OLDER_ADMIN]}).answer
    told = OLDER_ADMIN | {"created_by": "root@example.com"}
    assert answer == {"admins": [told], "count": 1}


def test_an_administrator_has_at_least_what_the_type_says() -> None:
    assert admins_from_dict({"admins": [{"added_at": "then", "level": 1}, "x"], "next": None}) == {
        "admins": [
            {
                "id": "",
                "email": "",
                "name": None,
                "created_at": "then",
                "created_by": None,
                "added_at": "then",
                "level": 1,
            }
        ],
        "count": 1,
        "next": None,
    }


def test_there_may_be_no_administrators() -> None:
    answer = outcome(lambda client: client.list_admins(), {"admins": None, "count": 0}).answer
    assert answer == {"admins": [], "count": 0}


ADDITIONS: list[tuple[Call, object]] = [
    (
        lambda client: client.add_admin("w1", "a@b.c"),
        {"workos_id": "w1", "email": "a@b.c"},
    ),
    (
        lambda client: client.add_admin(workos_id="w1", email="a@b.c", name="Ada"),
        {"workos_id": "w1", "email": "a@b.c", "name": "Ada"},
    ),
]


@pytest.mark.parametrize(("call", "body"), ADDITIONS)
def test_an_administrator_is_added(call: Call, body: Any) -> None:
    created = Reply(b'{"status": "success", "email": "a@b.c", "id": 1}', b"201 Created")
    done = outcome(call, created)
    assert (done.targets, done.bodies) == ([f"POST {PLATFORM}/admins"], [body])
    assert done.answer == AdminResponse("success", "a@b.c", {"id": 1})


@pytest.mark.parametrize(
    ("email", "quoted"),
    [
        ("ada@example.com", "ada%40example.com"),
        ("ada+ops@example.com", "ada%2Bops%40example.com"),
        ("a/../b@example.com", "a%2F..%2Fb%40example.com"),
        ("100%@example.com", "100%25%40example.com"),
        ("a%2Bb@example.com", "a%252Bb%40example.com"),
        ("a?b#c@example.com", "a%3Fb%23c%40example.com"),
        ("ä b@example.com", "%C3%A4%20b%40example.com"),
    ],
)
def test_an_administrator_is_removed_by_the_whole_address(email: str, quoted: str) -> None:
    told = {"status": "success", "email": email}
    done = outcome(lambda client: client.remove_admin(email), told)
    assert done.targets == [f"DELETE {PLATFORM}/admins/{quoted}"]
    assert (done.asked[0].body, done.answer) == (b"", AdminResponse("success", email))


@pytest.mark.parametrize("email", ["", ".", ".."])
def test_what_can_be_no_address_is_not_removed(email: str) -> None:
    done = outcome(lambda client: client.remove_admin(email))
    assert (type(done.answer), done.asked) == (ValueError, [])


def test_an_unknown_address_is_an_error_of_an_older_server() -> None:
    failed = Reply(b"failed to remove admin\n", b"500 Internal Server Error")
    error = outcome(lambda client: client.remove_admin("a@b.c"), failed).answer
    assert (type(error), error.message) == (InternalServerError, "failed to remove admin")


CALLS: list[Call] = [
    lambda client: client.get_platform_stats(),
    lambda client: client.list_admins(),
    lambda client: client.add_admin("w", "a@b.c"),
    lambda client: client.remove_admin("a@b.c"),
    lambda client: client.get_audit_log(),
    lambda client: client.iter_audit_log().collect(),
]


@pytest.mark.parametrize("call", CALLS, ids=["stats", "list", "add", "remove", "log", "iter"])
def test_who_is_no_administrator_may_not(call: Call) -> None:
    body = b'{"error": {"message": "admins only", "code": "forbidden"}}'
    error = outcome(call, Reply(body, b"403 Forbidden")).answer
    assert (type(error), error.message) == (ForbiddenError, "admins only")


READINGS: list[tuple[Call, str]] = [
    (lambda client: client.get_audit_log(), "limit=50&offset=0"),
    (lambda client: client.get_audit_log(20), "limit=20&offset=0"),
    (lambda client: client.get_audit_log(limit=20, offset=40), "limit=20&offset=40"),
    (lambda client: client.iter_audit_log().collect(), "limit=50&offset=0"),
]


@pytest.mark.parametrize(("call", "query"), READINGS)
def test_the_audit_log_is_asked_for_by_limit_and_offset(call: Call, query: str) -> None:
    assert outcome(call, log()).targets == [f"GET {PLATFORM}/audit?{query}"]


def test_the_audit_log_is_read() -> None:
    told = {"entries": [ENTRY], "count": 1, "limit": 20, "offset": 40, "chain": "ok"}
    answer = outcome(lambda client: client.get_audit_log(20, 40), told).answer
    expected = AuditEntry(
        id="e1",
        timestamp=NOON,
        user_id="u1",
        org_id="o1",
        action="key.created",
        resource="api_key",
        resource_id="k1",
        metadata={"name": "ci"},
    )
    assert answer == AuditLogResponse([expected], 1, 20, 40, {"chain": "ok"})


def test_an_older_servers_audit_log_is_understood() -> None:
    told = {"entries": [OLDER_ENTRY], "limit": 50, "offset": 0}
    (read,) = outcome(lambda client: client.get_audit_log(), told).answer.entries
    renamed = {name: value for name, value in OLDER_ENTRY.items() if name not in {"id", "action"}}
    assert read == AuditEntry(
        id="7",
        timestamp=NOON.replace(microsecond=123456),
        user_id="root@example.com",
        org_id="o1",
        action="add_admin",
        resource=None,
        resource_id="u2",
        metadata={"email": "ada@example.com"},
        extra=renamed,
    )


def test_an_entry_may_leave_open_who_and_where() -> None:
    read = entry(user_id=None, org_id=None, resource=..., resource_id=..., metadata=None)
    assert (read.user_id, read.org_id, read.resource, read.resource_id) == (None,) * 4
    assert read.metadata == {}


@pytest.mark.parametrize("empty", [[], None])
def test_the_audit_log_may_be_empty(empty: Any) -> None:
    answer = outcome(lambda client: client.get_audit_log(), {"entries": empty}).answer
    assert answer == AuditLogResponse([])


@pytest.mark.parametrize("timestamp", ["yesterday", "", None, 1767268800])
def test_an_entry_without_a_time_cannot_be_read(timestamp: Any) -> None:
    told = {"entries": [ENTRY | {"timestamp": timestamp}]}
    error = outcome(lambda client: client.get_audit_log(), told).answer
    assert (type(error), error.status_code) == (UnreadableAnswerError, 200)
    assert "no time of an audit entry" in error.message


@pytest.mark.parametrize(
    ("pages", "ids", "offsets"),
    [
        pytest.param([log()], [], [0], id="empty"),
        pytest.param([log("a")], ["a"], [0], id="one short page"),
        pytest.param([log("a", "b"), log()], ["a", "b"], [0, 2], id="one full page"),
        pytest.param(
            [log("a", "b"), log("c", "d"), log("e")], [*"abcde"], [0, 2, 4], id="three pages"
        ),
        pytest.param(
            [log("b", "a"), log("a", "z"), log()],
            ["b", "a", "z"],
            [0, 2, 4],
            id="one that was pushed onto the next page",
        ),
        pytest.param(
            [log("a", limit=1), log("b", limit=1), log(limit=1)],
            ["a", "b"],
            [0, 1, 2],
            id="a server that hands out fewer at a time",
        ),
        pytest.param(
            [{"entries": [ENTRY, ENTRY | {"id": "e2"}]}, log()],
            ["e1", "e2"],
            [0, 2],
            id="a server that says nothing of its limit",
        ),
    ],
)
def test_the_whole_audit_log_is_gone_through(
    pages: list[Any], ids: list[str], offsets: list[int]
) -> None:
    done = outcome(lambda client: client.iter_audit_log(limit=2).collect(), *pages)
    assert [read.id for read in done.answer] == ids
    assert done.targets == [f"GET {PLATFORM}/audit?limit=2&offset={offset}" for offset in offsets]


LISTS: list[Call] = [lambda client: client.list_admins(), lambda client: client.get_audit_log()]


@pytest.mark.parametrize("body", [{}, {"entries": "x"}, {"error": "x"}, [], None, 5])
@pytest.mark.parametrize("call", LISTS, ids=["admins", "audit"])
def test_an_answer_about_something_else_is_none(call: Call, body: Any) -> None:
    assert type(outcome(call, body).answer) is UnreadableAnswerError


OBJECTS: list[Call] = [
    lambda client: client.get_platform_stats(),
    lambda client: client.add_admin("w", "a@b.c"),
    lambda client: client.remove_admin("a@b.c"),
]


@pytest.mark.parametrize("body", [[], None, 5])
@pytest.mark.parametrize("call", OBJECTS, ids=["stats", "add", "remove"])
def test_an_answer_that_is_no_object_is_none(call: Call, body: Any) -> None:
    assert type(outcome(call, body).answer) is UnreadableAnswerError


def test_raw_answers_show_the_response_beside_the_figures() -> None:
    answer = outcome(lambda client: client.with_raw_response.get_platform_stats(), STATS).answer
    assert (answer.parsed.total_users, answer.status_code) == (1, 200)


KEYS = st.sampled_from([*STATS, *STATS["system_health"], *OLDER_ADMIN, *ENTRY, "admins", "count"])
JSON = st.recursive(
    st.sampled_from([None, True, 5, 0.5, 10**30, "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2),
    max_leaves=5,
)


@settings(deadline=None)
@given(body=st.dictionaries(KEYS, JSON, max_size=5))
def test_no_object_is_beyond_reading(body: dict[str, Any]) -> None:
    assert isinstance(PlatformStats.from_dict(body), PlatformStats)
    assert isinstance(AdminResponse.from_dict(body), AdminResponse)
    assert isinstance(admins_from_dict(body), dict)
    timed = {**body, "timestamp": "2026-01-01T12:00:00Z"}
    assert isinstance(AuditEntry.from_dict(timed), AuditEntry)
