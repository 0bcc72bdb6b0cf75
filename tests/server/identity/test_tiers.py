"""Tiers: which models an account may use, what it may spend in a period, and that to the credit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chatloom.core.errors import SettingsError
from chatloom.server.identity.tiers import Tiers
from chatloom.server.models.registry import Registry
from chatloom.server.settings import ServerSettings, load
from chatloom.server.store.spending import Allowance
from chatloom.server.store.sqlite.check import check_file
from support.http import Answer
from support.keys import heir, new_key
from support.live import Live

CONFIG = """
default_tier = "free"
credit_usd = 0.001

[tiers.free]
credits = 20
bands = ["standard"]

[tiers.pro]
credits = 20
bands = ["standard", "premium"]
unpriced_models = "allow"

[tiers.open]

[bands]
premium = ["loom/scribe", "far/dear-*"]
closed = ["closed-*"]

[models.costly]
provider = "loom"
name = "echo"
price = { prompt = 0.0, completion = 100.0 }

[models.closed-one]
provider = "loom"
name = "echo"

[models.renamed]
provider = "loom"
name = "scribe"

[providers.far]
base_url = "http://127.0.0.1:9/v1"
models = ["dear-*", "cheap-*"]
max_retries = 0

[aliases]
nick = "loom/scribe"
nicknick = "nick"
"""
CREDIT = 10**9
"""Pico-dollars."""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False, config=CONFIG)


class Account:
    """An account with one key."""

    def __init__(self, server: Live, tier: str | None = None) -> None:
        self.server = server
        key = new_key(server)
        self.id, self.key = str(key["account_id"]), str(key["secret"])
        if tier is not None:
            assert self.put_into(tier).status == 200

    def put_into(self, tier: object) -> Answer:
        """Change its tier."""
        path = f"/admin/accounts/{self.id}"
        return self.server.call("PATCH", path, {"tier": tier}, key=self.server.admin_key)

    def ask(self, model: str, content: str = "Hello!", **fields: Any) -> Answer:
        """Ask for a completion."""
        return self.server.complete(content, key=self.key, model=model, **fields)

    def spend(self, credits: int, **fields: Any) -> Answer:
        """Ask for what costs so many credits, no more and no less than is set aside for it."""
        words = credits * 10
        return self.ask("costly", "a " * words, max_tokens=words, **fields)

    def balance(self, key: str | None = None) -> Any:
        """What it has left."""
        return self.server.call("GET", "/v1/credits/balance", key=key or self.key).json


def refused(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.error["code"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_model_of_a_band_takes_a_tier_that_has_it(server: Live, path: str) -> None:
    account, before = Account(server), server.counts()
    body = {"model": "loom/scribe?tokens=2", "max_tokens": 9}
    messages = [{"role": "user", "content": "Hello!"}]
    answer = server.call("POST", path, {**body, "messages": messages}, key=account.key)
    assert refused(answer) == (403, "band_access_denied")
    told = {"band": "premium", "required_tier": "pro", "current_tier": "free"}
    assert answer.error["type"] == "band_access_denied"
    assert {**answer.error, **told} == answer.error
    assert {**answer.error["details"], **told} == answer.error["details"]
    assert server.counts() == before
    assert account.put_into("pro").status == 200
    assert server.call("POST", path, {**body, "messages": messages}, key=account.key).status == 200


@pytest.mark.parametrize("model", ["nick", "nicknick", "renamed", "dear-one", "far/dear-one"])
def test_no_other_name_gets_around_a_band(server: Live, model: str) -> None:
    answer = Account(server).ask(model)
    assert refused(answer) == (403, "band_access_denied")
    listed = server.call("GET", "/v1/capabilities", key=server.admin_key).json
    bands = {one["model_id"]: one["band"] for one in listed}
    assert bands.get(model, "premium") == "premium"


def test_a_band_that_no_tier_names_is_closed_to_those_that_name_some(server: Live) -> None:
    answer = Account(server).ask("closed-one")
    assert refused(answer) == (403, "band_access_denied")
    assert answer.error["required_tier"] == "open"
    assert Account(server, "open").ask("closed-one").status == 200


def test_a_tier_takes_effect_at_once(server: Live) -> None:
    account = Account(server)
    below = heir(server, account.key, scopes=["chat"])["secret"]
    for tier, status in (("pro", 200), ("free", 403), ("open", 200), (None, 403)):
        told = account.put_into(tier)
        assert (told.status, told.json["tier"]) == (200, tier or "free")
        for key in (account.key, below):
            assert server.complete("Hi!", key=key, model="loom/scribe").status == status
    assert account.balance()["tier"] == "free"
    listed = server.call("GET", "/admin/accounts", key=server.admin_key).json
    tiers = {one["id"]: one["tier"] for one in listed["accounts"]}
    assert tiers[account.id] == "free"


@pytest.mark.parametrize("tier", ["none", "Pro", "", 5])
def test_an_unknown_tier_is_refused(server: Live, tier: object) -> None:
    account = Account(server, "pro")
    answer = account.put_into(tier)
    assert (answer.status, answer.error["param"]) == (400, "tier")
    assert account.balance()["tier"] == "pro"


def test_there_is_nobody_of_an_unknown_account(server: Live) -> None:
    answer = server.call("PATCH", "/admin/accounts/none", {"tier": "pro"}, key=server.admin_key)
    assert refused(answer) == (404, "not_found")


def test_credits_are_spent_to_the_last_and_no_further(server: Live) -> None:
    account = Account(server)
    assert account.spend(15).status == 200
    answer = account.spend(6)
    assert refused(answer) == (402, "insufficient_credits")
    error = answer.error
    assert (error["credits_required"], error["credits_remaining"]) == (6, 5)
    assert error["details"]["credits_required"] == 6
    assert error["type"] == "insufficient_credits"
    assert error["reset_date"].endswith("-01T00:00:00.000Z")
    assert answer.headers["x-should-retry"] == "false"
    assert account.spend(5).status == 200
    told = account.balance()
    assert (told["credits_remaining"], told["credits_used"], told["credits_total"]) == (0, 20, 20)
    assert refused(account.spend(1)) == (402, "insufficient_credits")
    assert account.ask("loom/echo").status == 200  # which is free


def test_fifty_who_ask_at_once_spend_no_more_than_there_is(server: Live) -> None:
    account = Account(server)
    with ThreadPoolExecutor(50) as pool:
        statuses = [one.status for one in pool.map(account.spend, [1] * 50)]
    assert set(statuses) == {200, 402}
    assert statuses.count(200) <= 20
    while account.spend(1).status == 200:
        pass
    charged = server.call("GET", "/v1/credits/history", key=account.key).json["entries"]
    assert sum(one["credits_debited"] for one in charged) == 20
    balance = server.rows(
        "SELECT spent, reserved FROM balance WHERE scope = 'account' AND subject = ?", account.id
    )
    assert balance == [(20 * CREDIT, 0)]


def test_descendants_spend_their_accounts_credits(server: Live) -> None:
    account = Account(server)
    below = heir(server, account.key, scopes=["chat"], budget="0.004")["secret"]
    assert account.balance(below)["credits_remaining"] == 4
    fields: dict[str, Any] = {"model": "costly", "max_tokens": 30}
    assert server.complete("a " * 30, key=below, **fields).status == 200
    answer = server.complete("a " * 30, key=below, **fields)
    assert refused(answer) == (402, "budget_exceeded")
    assert (answer.error["credits_required"], answer.error["credits_remaining"]) == (3, 1)
    assert account.balance(below)["credits_remaining"] == 1
    assert account.balance()["credits_remaining"] == 17


@pytest.mark.parametrize(
    ("concern", "bound"),
    [
        ("organization", {"organization": "acme"}),
        ("end_user", {"user": "ann"}),
        ("end_users", {"user": "ann"}),
    ],
)
def test_a_balance_heeds_every_budget_that_holds(
    server: Live, concern: str, bound: dict[str, Any]
) -> None:
    account = Account(server)
    below = heir(server, account.key, scopes=["chat"], **bound)["secret"]
    name = "" if concern == "end_users" else "/" + next(iter(bound.values()))
    budget = {"concern": concern, "subject": account.id + name, "usd": "0.005"}
    assert server.call("PUT", "/admin/budgets", budget, key=server.admin_key).status == 200
    assert account.balance(below)["credits_remaining"] == 5
    fields: dict[str, Any] = {"model": "costly", "max_tokens": 30}
    assert server.complete("a " * 30, key=below, **fields).status == 200
    assert account.balance(below)["credits_remaining"] == 2
    assert server.complete("a " * 30, key=below, **fields).status == 402
    assert account.balance()["credits_remaining"] == 17


def test_models_of_unknown_price_are_refused_or_allowed(server: Live) -> None:
    answer = Account(server).ask("cheap-one")
    assert refused(answer) == (402, "insufficient_credits")
    assert "credits_required" not in answer.error
    assert "price" in answer.error["message"]
    account = Account(server, "pro")
    assert account.ask("cheap-one").status == 502  # asked, and it is not there
    assert account.spend(20).status == 200
    assert account.ask("cheap-one").status == 502  # costs no credits, so takes none


def test_changing_ones_tier_does_not_give_the_credits_back(server: Live) -> None:
    account = Account(server)
    assert account.spend(20).status == 200
    account.put_into("pro")
    account.put_into("free")
    assert account.spend(1).status == 402


def test_all_of_it_is_sound(server: Live) -> None:
    assert check_file(server.database).problems == []


def tiers_of(text: str) -> Tiers:
    return Tiers(msgspec.toml.decode(text, type=ServerSettings))


def moment(told: str) -> int:
    return int(datetime.fromisoformat(told).replace(tzinfo=UTC).timestamp() * 1000)


PERIODS = [
    ("month", "2026-01-01", "2026-01-01", "2026-02-01"),
    ("month", "2026-01-31T23:59:59.999", "2026-01-01", "2026-02-01"),
    ("month", "2026-12-01", "2026-12-01", "2027-01-01"),
    ("month", "2026-12-31T23:59:59.999", "2026-12-01", "2027-01-01"),
    ("month", "2028-02-29T12:00", "2028-02-01", "2028-03-01"),
    ("month", "2027-02-28T23:59:59.999", "2027-02-01", "2027-03-01"),
    ("day", "2028-02-28T23:59:59.999", "2028-02-28", "2028-02-29"),
    ("day", "2028-02-29", "2028-02-29", "2028-03-01"),
    ("day", "2027-02-28T23:00", "2027-02-28", "2027-03-01"),
    ("day", "2026-12-31T05:00", "2026-12-31", "2027-01-01"),
    ("day", "2027-01-01", "2027-01-01", "2027-01-02"),
]


@pytest.mark.parametrize(("period", "now", "since", "until"), PERIODS)
def test_a_period_begins_and_ends_at_midnight_utc(
    period: str, now: str, since: str, until: str
) -> None:
    tiers = tiers_of(f'[tiers.one]\ncredits = 5\nperiod = "{period}"')
    allowance = tiers.allowance(tiers.of(None), moment(now))
    assert allowance == Allowance(
        credits=5, credit=CREDIT, since=moment(since), until=moment(until)
    )


def test_a_tier_without_credits_allows_all() -> None:
    tiers = tiers_of("[tiers.one]")
    assert tiers.allowance(tiers.of(None), moment("2026-01-01")) is None
    nobodys = Tiers(ServerSettings())
    assert nobodys.allowance(nobodys.of("gone"), 0) is None


def test_the_largest_numbers_are_no_trouble() -> None:
    tiers = tiers_of("credit_usd = 1000\n[tiers.one]\ncredits = 1_000_000_000")
    allowance = tiers.allowance(tiers.of(None), 0)
    assert allowance is not None
    assert allowance.credits * allowance.credit == 10**24
    assert tiers_of("credit_usd = 0.000001").credit == 10**6
    assert tiers_of("credit_usd = 0.1").credit == 10**11


WRONG = [
    ('default_tier = "none"\n[tiers.one]', "default_tier"),
    ('[tiers.one]\nbands = ["none"]', "tiers.one.bands"),
    ("[tiers.one]\ncredits = -1", "tiers"),
    ("[tiers.one]\ncredits = 1_000_000_001", "tiers"),
    ('[tiers.one]\nperiod = "week"', "period"),
    ("[tiers.one]\nrequests_per_minute = 0", "requests_per_minute"),
    ("[tiers.one]\nburst = 0", "burst"),
    ("[tiers.one]\nmoney = 5", "money"),
    ('[tiers."a b"]', "tiers"),
    ("credit_usd = 0", "credit_usd"),
    ("credit_usd = nan", "credit_usd"),
    ("credit_usd = 1e9", "credit_usd"),
    ('[bands]\npremium = "loom/*"', "bands"),
]


@pytest.mark.parametrize(("text", "entry"), WRONG, ids=[text for text, _ in WRONG])
def test_a_configuration_that_cannot_be_says_which_entry(
    tmp_path: Path, text: str, entry: str
) -> None:
    path = tmp_path / "chatloom.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=entry):
        Tiers(load(path))


@pytest.mark.parametrize(
    ("model", "band"),
    [
        ("loom/echo", "standard"),
        ("loom/scribe", "premium"),
        ("loom/scribe?cut=5", "premium"),
        ("nicknick", "premium"),
        ("closed-anything", "closed"),
        ("nobody's", "standard"),
        ("dear-x", "premium"),
        ("far/dear-x", "premium"),
        ("far/cheap-x", "standard"),
    ],
)
def test_the_band_of_a_model(model: str, band: str) -> None:
    wanted = msgspec.toml.decode(CONFIG, type=ServerSettings)
    registry = Registry(wanted, {}, dev=False, use_providers=True)
    assert Tiers(wanted).band_of(model, registry) == band


def test_a_name_that_is_in_a_band_itself_is_in_that() -> None:
    text = CONFIG.replace('closed = ["closed-*"]', 'cheap = ["nick"]')
    wanted = msgspec.toml.decode(text, type=ServerSettings)
    registry = Registry(wanted, {}, dev=False, use_providers=False)
    assert Tiers(wanted).band_of("nick", registry) == "cheap"


@pytest.fixture(scope="module", autouse=True)
def ended(server: Live) -> Iterator[None]:
    """Nothing went wrong inside."""
    yield
    assert "Traceback" not in server.log
