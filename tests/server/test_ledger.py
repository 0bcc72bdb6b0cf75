"""What the ledger promises; each promise comes from a real report on somebody else's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chatloom.server.app import ROUTES
from faults.provider import Provider, providing
from support.chatroutes import Member, grown
from support.http import Answer, Events, completion
from support.infinity import Assistant
from support.live import Live

ASKED: dict[str, Any] = {"model": "exact", "max_tokens": 40}
"""Costs exactly what is set aside for it: 40 tokens of answer, the prompt free."""
BUDGET = 50
PRICE = 2_000_000
"""Pico-dollars a token."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with providing() as running:
        yield running


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Live]:
    config = f"""
        cancel_unread_after = 0.3
        {provider.config()}
        [models.exact]
        provider = "drip"
        name = "40x1"
        price = {{ prompt = 0.0, completion = 2.0 }}
        [models.unpriced]
        provider = "drip"
        name = "40x1"
    """
    folder = tmp_path_factory.mktemp("ledger")
    server = Live(folder / "chatloom.db", "--providers", config=config)
    yield server
    assert server.stop() == 0


def turn_of(answer: Answer | Events) -> str:
    return answer.headers["x-chatloom-turn"]


def entries(live: Live, answer: Answer | Events) -> dict[str, tuple[int, bool]]:
    """The amount of each kind of entry, and whether it is a guess."""
    rows = live.rows(
        "SELECT kind, amount, estimated FROM ledger WHERE turn_id = ?", turn_of(answer)
    )
    return {kind: (amount, bool(estimated)) for kind, amount, estimated in rows}


def owner(live: Live, key: str) -> tuple[str, str]:
    """The ids of the key and the account that the dev server gave to *key*."""
    turn = turn_of(live.complete("Hello!", key=key, model="loom/echo"))
    ((id, account),) = live.rows("SELECT key_id, account_id FROM turn WHERE id = ?", turn)
    return id, account


def limit(live: Live, concern: str, subject: str, picodollars: int) -> None:
    usd = f"{picodollars / 10**12:.12f}"
    body = {"concern": concern, "subject": subject, "usd": usd}
    answer = live.call("PUT", "/admin/budgets", body, key="admin-books")
    assert answer.status == 200, answer.body


def balance(live: Live, concern: str, subject: str) -> tuple[int, int]:
    rows = live.rows(
        "SELECT spent, reserved FROM balance WHERE scope = ? AND subject = ?", concern, subject
    )
    return rows[0] if rows else (0, 0)


@pytest.mark.parametrize("concern", ["account", "key", "end_user", "end_users"])
def test_a_budget_for_fifty_dispatches_fifty_of_two_hundred_at_once(
    live: Live, provider: Provider, concern: str
) -> None:
    id, account = owner(live, f"spender-{concern}")
    subject = {"key": id, "end_user": f"{account}/ann"}.get(concern, account)
    limit(live, concern, subject, BUDGET * 40 * PRICE)
    question = f"Who pays, {concern}?"

    def ask(number: int) -> Answer:
        return live.complete(
            question,
            key=f"spender-{concern}",
            stream=bool(number % 2),
            user="ann" if concern.startswith("end") else None,
            **ASKED,
        )

    before = live.counts()["turn"]
    with ThreadPoolExecutor(200) as crowd:
        answers = list(crowd.map(ask, range(200)))
    refused = [answer for answer in answers if answer.status == 402]
    assert provider.asked()[question] == live.counts()["turn"] - before == 200 - len(refused) == 50
    assert {answer.error["code"] for answer in refused} == {"budget_exceeded"}
    assert {answer.headers["x-should-retry"] for answer in refused} == {"false"}
    whose = ("end_user", f"{account}/ann") if concern == "end_users" else (concern, subject)
    assert balance(live, *whose) == (BUDGET * 40 * PRICE, 0)


def test_words_in_any_field_of_a_request_count_against_a_budget(live: Live) -> None:
    limit(live, "key", owner(live, "sly")[0], 5_000_000_000)
    message = {"role": "user", "content": "Hello!"}
    for more in ({"name": "n" * 40_000}, {"refusal": "r" * 40_000}, {"note": "x" * 40_000}):
        refused = live.complete([{**message, **more}], key="sly", model="drip", max_tokens=5)
        assert (refused.status, refused.error["code"]) == (402, "budget_exceeded"), more
    assert live.complete("Hello!", key="sly", model="drip", max_tokens=5).status == 200


def test_a_model_whose_price_nobody_knows_is_refused_where_a_budget_concerns_it(live: Live) -> None:
    assert live.complete("Hello!", key="careful", model="unpriced").status == 200
    limit(live, "key", owner(live, "careful")[0], 10**12)
    refused = live.complete("Hello!", key="careful", model="unpriced")
    assert (refused.status, refused.error["code"]) == (402, "budget_exceeded")


def test_a_repeat_is_answered_also_when_the_budget_is_spent(live: Live) -> None:
    named = {"Idempotency-Key": "once"}
    first = live.complete("Hello!", key="spent", headers=named, **ASKED)
    limit(live, "key", owner(live, "spent")[0], 1)
    assert live.complete("Hello!", key="spent", **ASKED).status == 402
    assert live.complete("Hello!", key="spent", headers=named, **ASKED).body == first.body


def test_all_ways_of_telling_cost_the_same_for_the_same_usage(live: Live) -> None:
    told: list[Answer | Events] = [
        live.complete("Hello!", **ASKED),
        live.events("Hello!", **ASKED),
        live.events("Hello!", stream_options={"include_usage": True}, **ASKED),
    ]
    assert {entries(live, one)["settle"] for one in told} == {(40 * PRICE, False)}


def test_a_repeated_request_id_changes_nothing(live: Live) -> None:
    named = {"X-Request-Id": "the-same"}
    first, second = (live.complete("Hello!", headers=named, **ASKED) for _ in range(2))
    assert turn_of(first) != turn_of(second)
    assert entries(live, first)["settle"] == entries(live, second)["settle"]


def test_a_disconnect_at_the_last_event_still_settles(live: Live) -> None:
    with live.stream("Hello!", **ASKED) as leaving:
        turn = leaving.headers["x-chatloom-turn"]
        told = b""
        while b'"finish_reason":"' not in told:
            told += leaving.read1(100)
    ((outcome,),) = live.rows("SELECT outcome FROM turn WHERE id = ?", turn)
    kinds = live.rows("SELECT kind FROM ledger WHERE turn_id = ? ORDER BY kind", turn)
    assert (outcome, kinds) == ("complete", [("reserve",), ("settle",)])


@pytest.mark.parametrize(
    ("model", "kinds", "guessed"),
    [
        ("loom/scribe?429=9", ["release", "reserve"], False),
        ("loom/scribe?cut=0", ["release", "reserve"], True),
        ("loom/scribe?cut=5", ["reserve", "settle"], True),
        ("loom/scribe?malformed=5", ["reserve", "settle"], True),
        ("loom/scribe?stall=5&idle=0.1", ["reserve", "settle"], True),
        ("loom/scribe", ["reserve", "settle"], False),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_failed_calls_are_released_or_charged_and_a_guess_is_called_one(
    live: Live, model: str, kinds: list[str], guessed: bool, stream: bool
) -> None:
    ask = live.events if stream else live.complete
    answer = ask("Hello!", model=model)
    written = entries(live, answer)
    assert sorted(written) == kinds
    assert written.get("settle", written.get("release", (0, None)))[1] == guessed


def test_a_cancelled_call_is_charged_for_what_was_said(live: Live) -> None:
    with live.stream("Hello!", model="loom/scribe?stall=5&idle=60") as running:
        turn = running.headers["x-chatloom-turn"]
        live.call("POST", f"/v1/turns/{turn}/cancel", key="any-key")
    ((usage, cost),) = live.rows("SELECT usage, cost FROM turn WHERE id = ?", turn)
    assert json.loads(usage)[-1] is True
    assert cost > 0


TALK = "/api/v1/conversations/{conversation_id}"
COMPLETION = {"model": "loom/echo", **completion("Hello!", model="loom/echo"), "max_tokens": 9}
COSTING: dict[str, dict[str, object]] = {
    "/v1/chat/completions": COMPLETION,
    "/v1/messages": COMPLETION,
    "/v1/embeddings": {"model": "loom/embed", "input": "Hello!"},
    f"{TALK}/messages": {"content": "Hello!"},
    f"{TALK}/messages/stream": {"content": "Hello!"},
    f"{TALK}/branches/{{branch_id}}/messages": {"content": "Hello!"},
    f"{TALK}/branches/{{branch_id}}/merge": {"strategy": "summarize"},
    f"{TALK}/checkpoints": {"branchId": "{branch_id}", "anchorMessageId": "{message_id}"},
    "/api/v1/checkpoints/{checkpoint_id}/recreate": {},
    "/api/v1/autobranch/suggest-branches": {
        "text": "Hello!",
        "hybridDetection": True,
        "llmModel": "loom/scribe",
    },
    "/api/chat": {"message": "Hello!"},
    "/api/chat/stream": {"message": "Hello!"},
    "/api/research": {"query": "Hello!", "depth": "shallow"},
    "/drivers/call": {
        "interface": "puter-chat-completion",
        "method": "complete",
        "args": {"messages": ["Hello!"], "model": "loom/scribe"},
    },
    "/puterai/openai/v1/chat/completions": COMPLETION,
    "/puterai/anthropic/v1/messages": COMPLETION,
}
"""Every address that costs, with a request that does."""


def test_every_route_that_costs_writes_the_ledger_and_no_other_does(live: Live) -> None:
    assert {route.path for route in ROUTES if route.paid} == set(COSTING)
    Assistant(live, "admin-books").know("Hello!", "Research costs where something is known.")
    for route in ROUTES:
        parts = {name: name for name in re.findall(r"{(\w+)", route.path)}
        if route.owner == "chatroutes":
            parts = grown(Member(live, "admin-books")).parts
        path = route.path.replace(":path", "").format(**parts)
        told = COSTING.get(route.path, {}) if route.paid else COMPLETION
        body = {name: _filled(value, parts) for name, value in told.items()}
        before = live.counts()["ledger"]
        sent = body if route.method in {"POST", "PUT"} else None
        answer = live.call(route.method, path, sent, key="admin-books")
        assert not route.paid or answer.status in {200, 201}, answer.body
        assert live.counts()["ledger"] == before + (2 if route.paid else 0), path


def _filled(value: object, parts: Mapping[str, str]) -> object:
    return value.format(**parts) if isinstance(value, str) else value


@pytest.mark.parametrize("path", COSTING)
def test_a_spent_budget_holds_on_every_route_that_costs(live: Live, path: str) -> None:
    key = f"broke-{path}"
    parts = grown(Member(live, key)).parts
    Assistant(live, key).know("Hello!", "Research costs where something is known.")
    live.call("POST", "/api/knowledge/search", {"query": "Hello!"}, key=key)
    limit(live, "key", owner(live, key)[0], 1)
    told = {**COSTING[path], "model": "loom/embed" if "input" in COSTING[path] else "loom/scribe"}
    body = {name: _filled(value, parts) for name, value in told.items()}
    before = live.dump()
    answer = live.call("POST", path.format(**parts), body, key=key)
    assert (answer.status, answer.headers["x-should-retry"]) == (402, "false"), answer.body
    assert live.dump() == before


def test_a_new_price_does_not_alter_the_past(tmp_path: Path, provider: Provider) -> None:
    costs: list[list[tuple[int, int]]] = []
    for price in ("2.0", "3.5"):
        config = provider.config(model="40x1").replace("completion = 2.0", f"completion = {price}")
        server = Live(tmp_path / "chatloom.db", "--providers", config=config)
        server.complete("Hello!", model="drip")
        costs.append(
            server.rows(
                "SELECT l.amount, p.completion FROM ledger l JOIN price p ON p.id = l.price_id"
                " WHERE kind = 'settle' ORDER BY l.turn_id"
            )
        )
        server.stop()
    before, after = costs
    assert after[0] == before[0]
    assert [price for _, price in after] == [2_000_000, 3_500_000]
    assert after[1][0] > after[0][0]


def test_the_sums_per_key_account_end_user_and_conversation_agree(live: Live) -> None:
    ids = {key: owner(live, key) for key in ("sum-1", "sum-2")}
    for key in ids:
        for user in ("ann", "bob"):
            live.complete("Hello!", key=key, user=user, **ASKED)
            live.events("And on?", key=key, user=user, **ASKED)
    for id, account in ids.values():
        assert balance(live, "account", account) == balance(live, "key", id) == (160 * PRICE, 0)
        users = [balance(live, "end_user", f"{account}/{user}") for user in ("ann", "bob")]
        assert users == [(80 * PRICE, 0), (80 * PRICE, 0)]
        ((talks,),) = live.rows("SELECT sum(cost) FROM conversation WHERE account_id = ?", account)
        assert talks == 160 * PRICE
