"""Credits as clients read them: what is left, what was charged, what that comes to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chatloom.server.protocols.zaguan.balance import ENDLESS
from support.http import Answer
from support.keys import new_key, secret
from support.live import Live

CREDIT = 10**7
"""Pico-dollars; an answer of loom/scribe takes some."""
CONFIG = """
credit_usd = 0.00001
default_tier = "free"
[tiers.free]
credits = 5000
bands = ["small"]
[tiers.pro]
bands = ["small", "standard"]
[bands]
small = ["loom/scribe*", "loom/echo"]
"""

PYTHON = {
    *("id", "timestamp", "request_id", "model", "provider", "band", "prompt_tokens"),
    *("completion_tokens", "total_tokens", "credits_debited", "cost", "latency_ms", "status"),
}
"""The fields of an entry that Zaguan's Python client needs."""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False, config=CONFIG)


@pytest.fixture
def key(server: Live) -> str:
    return secret(server)


def read(server: Live, key: str, path: str) -> Any:
    answer = server.call("GET", f"/v1/credits/{path}", key=key)
    assert answer.status == 200, answer.body
    return answer.json


def talk(server: Live, key: str, count: int = 3) -> list[Answer]:
    return [server.complete(f"Question {number}?", key=key) for number in range(count)]


def test_a_balance_goes_down_by_what_is_spent(server: Live, key: str) -> None:
    before = read(server, key, "balance")
    assert before == {
        "credits_remaining": 5000,
        "credits_total": 5000,
        "credits_used": 0,
        "credits_percent": 0.0,
        "tier": "free",
        "bands": ["small"],
        "reset_date": before["reset_date"],
        "warning": None,
        "metadata": {"credit_usd": "0.00001"},
    }
    reset = datetime.fromisoformat(before["reset_date"])
    assert (reset.day, reset.hour) == (1, 0)
    assert timedelta(0) < reset - datetime.now(UTC) <= timedelta(days=31)
    talk(server, key)
    after = read(server, key, "balance")
    debited = sum(one["credits_debited"] for one in read(server, key, "history")["entries"])
    assert after["credits_used"] == 5000 - after["credits_remaining"] == debited > 0
    assert after["credits_percent"] == round(100 * debited / 5000, 2)


def test_a_balance_is_no_more_than_budgets_allow(server: Live) -> None:
    made = new_key(server, budget="0.002")
    assert read(server, made["secret"], "balance")["credits_remaining"] == 200
    budget = {"concern": "account", "subject": made["account_id"], "usd": "0.001"}
    server.call("PUT", "/admin/budgets", budget, key=server.admin_key)
    assert read(server, made["secret"], "balance")["credits_remaining"] == 100


def test_a_warning_comes_with_the_end(server: Live) -> None:
    made = new_key(server, budget="0.0001")
    told = read(server, made["secret"], "balance")
    assert (told["credits_remaining"], told["warning"]) == (
        10,
        "less than a tenth of the credits is left",
    )
    refused = server.complete("Hello!", key=made["secret"])
    assert (refused.status, refused.error["type"]) == (402, "insufficient_credits")
    assert refused.error["credits_remaining"] == refused.error["details"]["credits_remaining"] == 10
    assert refused.error["credits_required"] > 10
    assert "a lower max_tokens costs less" in refused.error["message"]


def test_no_advice_is_given_that_cannot_help(serve: Callable[..., Live]) -> None:
    server = serve(dev=False)
    poor, broke = secret(server, budget="0.0000001"), secret(server, budget="0")
    body = {"model": "loom/embed", "input": "What does this cost?"}
    embedding = server.call("POST", "/v1/embeddings", body, key=poor)
    for refused in (embedding, server.complete("Hello!", key=broke)):
        assert (refused.status, "max_tokens" in refused.error["message"]) == (402, False)


def test_nothing_limits_a_tier_without_credits(server: Live) -> None:
    made = new_key(server)
    path = f"/admin/accounts/{made['account_id']}"
    server.call("PATCH", path, {"tier": "pro"}, key=server.admin_key)
    told = read(server, made["secret"], "balance")
    assert (told["credits_remaining"], told["credits_total"]) == (ENDLESS, None)
    assert (told["tier"], told["bands"], told["reset_date"]) == ("pro", ["small", "standard"], None)


def test_the_history_tells_each_turn(server: Live, key: str) -> None:
    answer = server.complete("Hello!", key=key, headers={"X-Request-Id": "mine"})
    page = read(server, key, "history")
    (entry,) = page["entries"]
    usage = answer.json["usage"]
    assert set(entry) >= PYTHON
    assert (entry["id"], entry["request_id"]) == (answer.headers["x-chatloom-turn"], "mine")
    assert (entry["model"], entry["provider"], entry["band"]) == ("loom/scribe", "loom", "small")
    assert entry["total_tokens"] == usage["total_tokens"]
    assert (entry["prompt_tokens"], entry["completion_tokens"]) == (
        usage["prompt_tokens"],
        usage["completion_tokens"],
    )
    assert (entry["status"], entry["outcome"], entry["error_message"]) == (
        "success",
        "complete",
        None,
    )
    cost = usage["prompt_tokens"] * 100_000 + usage["completion_tokens"] * 400_000
    assert entry["credits_debited"] == cost // CREDIT
    assert round(entry["cost"] * 1e12) == cost == round(float(entry["cost_usd"]) * 1e12)
    assert {name: page[name] for name in ("total", "total_entries", "page", "has_more")} == {
        "total": 1,
        "total_entries": 1,
        "page": 1,
        "has_more": False,
    }


def test_a_request_id_decides_nothing(server: Live, key: str) -> None:
    for _ in range(2):
        server.complete("Hello!", key=key, headers={"X-Request-Id": "the same"})
    entries = read(server, key, "history")["entries"]
    assert [one["request_id"] for one in entries] == ["the same"] * 2
    assert all(one["cost"] > 0 for one in entries)


def test_what_was_debited_sums_to_what_was_spent(server: Live, key: str) -> None:
    talk(server, key, 7)
    entries = read(server, key, "history")["entries"]
    spent = sum(round(one["cost"] * 1e12) for one in entries)
    assert sum(one["credits_debited"] for one in entries) == spent // CREDIT
    assert spent % CREDIT, "there is something to lose by rounding"


def test_the_history_is_read_by_cursors_and_by_pages(server: Live, key: str) -> None:
    talk(server, key, 5)
    whole = [one["id"] for one in read(server, key, "history")["entries"]]
    assert whole == sorted(whole, reverse=True)
    by_cursor: list[str] = []
    cursor = ""
    while True:
        page = read(server, key, f"history?limit=2{cursor}")
        by_cursor += [one["id"] for one in page["entries"]]
        assert page["has_more"] == (page["next_cursor"] is not None)
        assert page["total"] == 5
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    pages = [read(server, key, f"history?page={page}&page_size=2") for page in (1, 2, 3, 4)]
    by_page = [one["id"] for page in pages for one in page["entries"]]
    assert by_cursor == by_page == whole
    assert [page["has_more"] for page in pages] == [True, True, False, False]


def test_a_failure_that_cost_nothing_is_an_error_of_no_credits(server: Live, key: str) -> None:
    server.complete("Hello!", key=key, model="loom/scribe?429=9")
    server.complete("Hello!", key=key, model="loom/scribe?cut=5")
    broken, refused = read(server, key, "history")["entries"]
    assert (refused["status"], refused["credits_debited"], refused["cost"]) == ("error", 0, 0)
    assert refused["error_message"]
    assert (broken["status"], broken["outcome"]) == ("error", "truncated")
    assert broken["cost"] > 0


def count(server: Live, key: str, query: str) -> int:
    return int(read(server, key, f"history?{query}")["total"])


def test_filters_leave_out_what_they_say(server: Live, key: str) -> None:
    talk(server, key, 2)
    server.complete("Hello!", key=key, model="loom/echo")
    server.complete("Hello!", key=key, model="loom/scribe?429=9")
    today = datetime.now(UTC).date()
    yesterday, tomorrow = today - timedelta(days=1), today + timedelta(days=1)
    assert count(server, key, "model=loom/echo") == 1
    assert count(server, key, "provider=loom") == 4
    assert count(server, key, "provider=nobody") == 0
    assert (count(server, key, "band=small"), count(server, key, "band=large")) == (4, 0)
    assert (count(server, key, "status=success"), count(server, key, "status=error")) == (3, 1)
    assert count(server, key, f"start_date={today}&end_date={today}") == 4
    assert count(server, key, f"start_date={tomorrow}") == count(
        server, key, f"end_date={yesterday}"
    )
    assert count(server, key, f"end_date={today}T00:00:00Z") == 0
    assert count(server, key, "start_date=1970-01-01") == 4


def test_stats_are_the_sums_of_the_history(server: Live, key: str) -> None:
    talk(server, key, 3)
    server.complete("Hello!", key=key, model="loom/echo")
    entries = read(server, key, "history")["entries"]
    stats = read(server, key, "stats?period=day&group_by=model,%20provider")
    assert stats["total_requests"] == len(entries) == stats["summary"]["requests"]
    assert stats["total_credits_used"] == sum(one["credits_debited"] for one in entries)
    assert stats["total_tokens"] == sum(one["total_tokens"] for one in entries)
    assert stats["total_cost"] == pytest.approx(sum(one["cost"] for one in entries))
    assert {one["model"] for one in stats["model_breakdown"]} == {"loom/scribe", "loom/echo"}
    assert stats["by_model"]["loom/echo"]["requests"] == 1
    assert stats["by_provider"]["loom"]["requests"] == 4
    assert stats["by_band"]["small"]["credits_used"] == stats["total_credits_used"]
    assert [one["requests"] for one in stats["by_day"]] == [4]
    assert [one.get("model") or one.get("provider") for one in stats["stats"]] == [
        "loom/echo",
        "loom/scribe",
        "loom",
    ]
    latency = sum(one["latency_ms"] for one in entries) / 4
    assert stats["average_latency_ms"] == pytest.approx(latency)


@pytest.mark.parametrize("period", ["day", "week", "month", "all_time"])
def test_a_period_holds_today(server: Live, key: str, period: str) -> None:
    talk(server, key, 1)
    stats = read(server, key, f"stats?period={period}")
    assert (stats["period"], stats["total_requests"]) == (period, 1)
    assert (stats["start_date"] is None) == (period == "all_time")
    assert stats["end_date"].endswith("Z")


@pytest.mark.parametrize(
    ("period", "start"),
    [
        ("day", "2026-03-12T00:00:00.000Z"),
        ("week", "2026-03-09T00:00:00.000Z"),
        ("month", "2026-03-01T00:00:00.000Z"),
        ("all_time", None),
    ],
)
def test_a_period_is_the_one_that_the_last_day_is_in(
    server: Live, key: str, period: str, start: str | None
) -> None:
    talk(server, key, 1)
    stats = read(server, key, f"stats?period={period}&end_date=2026-03-12")
    assert (stats["start_date"], stats["end_date"]) == (start, "2026-03-13T00:00:00.000Z")
    assert stats["total_requests"] == 0
    given = read(server, key, f"stats?period={period}&start_date=1970-01-02&end_date=2026-03-12")
    assert given["start_date"] == "1970-01-02T00:00:00.000Z"


def test_who_asked_nothing_has_spent_nothing(server: Live, key: str) -> None:
    stats = read(server, key, "stats")
    assert (stats["total_requests"], stats["total_cost"], stats["average_latency_ms"]) == (0, 0, 0)
    assert stats["by_day"] == stats["stats"] == stats["model_breakdown"] == []
    assert read(server, key, "history")["entries"] == []


def test_an_account_sees_its_own_charges_only(server: Live, key: str) -> None:
    talk(server, secret(server), 2)
    assert read(server, key, "history")["total"] == 0
    assert read(server, key, "stats")["total_requests"] == 0


def test_an_end_users_key_sees_theirs_only(server: Live, key: str) -> None:
    server.complete("Hello!", key=key, user="bob")
    made = server.call("POST", "/v1/keys", {"name": "ann's", "user": "ann"}, key=key).json
    server.complete("Hello!", key=made["secret"])
    assert count(server, key, "") == 2
    assert count(server, made["secret"], "") == 1
    told = read(server, made["secret"], "balance")
    assert (told["credits_total"], told["credits_percent"]) == (None, None)
    (entry,) = read(server, made["secret"], "history")["entries"]
    assert told["credits_used"] == round(entry["cost"] * 1e12) // CREDIT
    assert read(server, made["secret"], "stats")["total_requests"] == 1


SENSELESS = {
    "history?cursor=-1": "cursor",
    "history?cursor=01a22ad7-cf12-76b2-97a0-abe2517f23bb": "cursor",
    "history?cursor=' OR 1=1": "cursor",
    "history?cursor=": "cursor",
    "history?limit=0": "limit",
    "history?limit=201": "limit",
    "history?limit=many": "limit",
    "history?page=0": "page",
    "history?page_size=-3": "page_size",
    "history?status=odd": "status",
    "history?start_date=yesterday": "start_date",
    "history?end_date=2026-13-01": "end_date",
    "history?end_date=9999-12-31": "end_date",
    "stats?end_date=9999-12-31T23:59:59-12:00": "end_date",
    "stats?start_date=0001-01-01T00:00:00%2B12:00": "start_date",
    "stats?period=year": "period",
    "stats?period=": "period",
    "stats?group_by=colour": "group_by",
    "stats?group_by=model,model": "group_by",
    "stats?group_by=": "group_by",
    "stats?start_date=%00": "start_date",
}


@pytest.mark.parametrize(("path", "param"), SENSELESS.items())
def test_what_makes_no_sense_is_refused_by_name(
    server: Live, key: str, path: str, param: str
) -> None:
    answer = server.call("GET", f"/v1/credits/{path.replace(' ', '%20')}", key=key)
    assert (answer.status, answer.error["type"]) == (400, "invalid_request_error")
    assert answer.error["param"] == param


def test_another_accounts_cursor_is_none_of_ours(server: Live, key: str) -> None:
    (answer,) = talk(server, secret(server), 1)
    cursor = answer.headers["x-chatloom-turn"]
    refused = server.call("GET", f"/v1/credits/history?cursor={cursor}", key=key)
    assert (refused.status, refused.error["code"]) == (400, "invalid_cursor")


def capabilities(server: Live, key: str, query: str = "") -> dict[str, Any]:
    told: list[Any] = server.call("GET", f"/v1/capabilities{query}", key=key).json
    assert type(told) is list, "a bare list is what the clients read"
    return {one["model_id"]: one for one in told}


def test_capabilities_are_those_of_every_listed_model(server: Live, key: str) -> None:
    told = capabilities(server, key)
    listed = server.call("GET", "/v1/models", key=key).json["data"]
    assert set(told) == {one["id"] for one in listed}
    scribe = told["loom/scribe"]
    assert (scribe["supports_vision"], scribe["supports_tools"]) == (True, True)
    assert (scribe["supports_reasoning"], scribe["max_context_tokens"]) == (False, 1_000_000)
    assert (scribe["input_cost"], scribe["output_cost"], scribe["band"]) == (0.1, 0.4, "small")
    assert told["loom/embed"]["band"] == "standard"


def test_capabilities_are_filtered(server: Live, key: str) -> None:
    assert set(capabilities(server, key, "?supports_vision=true")) == {"loom/scribe"}
    assert "loom/scribe" not in capabilities(server, key, "?supports_vision=false")
    assert capabilities(server, key, "?supports_reasoning=1") == {}
    assert capabilities(server, key, "?provider=nobody") == {}
    refused = server.call("GET", "/v1/capabilities?supports_tools=maybe", key=key)
    assert (refused.status, refused.error["param"]) == (400, "supports_tools")
