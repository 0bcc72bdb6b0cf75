"""Nobody asks more often than his key, those above it, and his tier allow; and he is told so."""

from __future__ import annotations

import time
from collections.abc import Callable

import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.app import ROUTES
from chatloom.server.identity import limits
from chatloom.server.identity.limits import Limits, Standing
from chatloom.server.identity.powers import SCOPES
from chatloom.server.protocols.envelopes import refuse
from chatloom.server.refusal import Refusal
from chatloom.server.routes import Route
from chatloom.server.store.keys import RateLimit
from support.http import Answer
from support.keys import heir, new_key, says, secret
from support.live import Live

CONFIG = """
[tiers.free]
[tiers.metered]
requests_per_minute = 30
burst = 2
"""


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Keys:
    """Keys that ask, at moments of our choice."""

    def __init__(self) -> None:
        self.clock = Clock()
        self._limits = Limits(self.clock)

    def ask(self, **rates: tuple[int, int]) -> Standing | Refusal:
        """Ask with a key held to these rates: by id, requests a minute and at once."""
        try:
            return self._limits.take({id: RateLimit(*rate) for id, rate in rates.items()})
        except Refusal as refusal:
            return refusal


def passes(keys: Keys, **rates: tuple[int, int]) -> bool:
    return isinstance(keys.ask(**rates), Standing)


def refused(keys: Keys, **rates: tuple[int, int]) -> Refusal:
    answer = keys.ask(**rates)
    assert isinstance(answer, Refusal)
    return answer


rates = st.tuples(st.integers(1, 600), st.integers(1, 20))
pauses = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 0.2), st.floats(0, 90)), min_size=1, max_size=60
)


@settings(max_examples=200, deadline=None)
@given(rates, pauses)
def test_no_window_lets_more_pass_than_the_burst_and_what_its_time_brings(
    rate: tuple[int, int], waited: list[float]
) -> None:
    keys, passed = Keys(), list[float]()
    for pause in waited:
        keys.clock.now += pause
        if passes(keys, key=rate):
            passed.append(keys.clock.now)
    per_minute, burst = rate
    for first, since in enumerate(passed):
        for last in range(first, len(passed)):
            brought = (passed[last] - since) * per_minute / 60
            assert last - first + 1 <= burst + brought + 0.001


@settings(max_examples=200, deadline=None)
@given(rates, st.floats(0, 3600))
def test_a_bucket_holds_its_burst_at_most_and_all_of_it(rate: tuple[int, int], rest: float) -> None:
    keys = Keys()
    for _ in range(2):
        assert sum(passes(keys, key=rate) for _ in range(rate[1] + 5)) == rate[1]
        keys.clock.now += 60 * rate[1] / rate[0] + rest  # as long as all of it takes


@settings(max_examples=300, deadline=None)
@given(st.lists(rates, min_size=1, max_size=4), pauses)
def test_whoever_waits_as_long_as_told_passes(
    several: list[tuple[int, int]], waited: list[float]
) -> None:
    keys, lineage = Keys(), {f"key {at}": rate for at, rate in enumerate(several)}
    for pause in waited:
        keys.clock.now += pause
        answer = keys.ask(**lineage)
        if isinstance(answer, Refusal):
            assert answer.retry_after is not None
            keys.clock.now += answer.retry_after
            assert passes(keys, **lineage)


@settings(max_examples=100, deadline=None)
@given(rates, rates, st.lists(st.tuples(st.booleans(), st.floats(0, 5)), max_size=60))
def test_descendants_take_from_their_ancestors(
    above: tuple[int, int], own: tuple[int, int], asked: list[tuple[bool, float]]
) -> None:
    keys, passed = Keys(), 0
    start = keys.clock.now
    for is_first, pause in asked:
        keys.clock.now += pause
        passed += passes(keys, above=above, **{"first" if is_first else "second": own})
    assert passed <= above[1] + (keys.clock.now - start) * above[0] / 60 + 0.001


def test_who_is_refused_takes_nothing() -> None:
    keys = Keys()
    assert passes(keys, above=(60, 9), own=(60, 1))
    for _ in range(5):
        assert not passes(keys, above=(60, 9), own=(60, 1))
    assert sum(passes(keys, above=(60, 9)) for _ in range(20)) == 8


def test_the_longest_wait_is_told() -> None:
    keys = Keys()
    assert passes(keys, slow=(1, 1), fast=(600, 1))
    keys.clock.now += 0.06
    assert refused(keys, slow=(1, 1), fast=(600, 1)).retry_after == pytest.approx(59.94)


def test_standings_are_told() -> None:
    keys = Keys()
    assert keys.ask(key=(60, 3)) == Standing(limit=60, remaining=2, reset=1)
    assert keys.ask(key=(60, 3)) == Standing(limit=60, remaining=1, reset=2)
    assert keys.ask(key=(60, 3), above=(30, 1)) == Standing(limit=60, remaining=0, reset=3)
    refusal = refused(keys, key=(60, 3))
    assert dict(refusal.headers)[b"x-ratelimit-reset"] == b"3"
    keys.clock.now += 100
    assert keys.ask(key=(60, 3)) == Standing(limit=60, remaining=2, reset=1)


@pytest.mark.parametrize(("wait", "told"), [(0.0001, b"1"), (1.0, b"1"), (1.0004, b"2")])
def test_the_header_never_says_less_than_the_wait(wait: float, told: bytes) -> None:
    refusal = Refusal("rate_limited", "later", code="later", retry_after=wait)
    assert dict(refuse(refusal, "chatserver").headers)[b"retry-after"] == told


def test_another_rate_holds_at_once() -> None:
    keys = Keys()
    assert passes(keys, key=(60, 10))
    assert [passes(keys, key=(60, 2)) for _ in range(3)] == [True, True, False]


def test_buckets_are_forgotten_the_longest_unused_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "_REMEMBERED", 10)
    keys = Keys()
    assert passes(keys, above=(1, 100), own=(1, 1))
    for number in range(50):
        # Whoever makes keys without end keeps his own bucket in use by that.
        assert passes(keys, above=(1, 100), **{f"new {number}": (1, 1)})
    assert sum(passes(keys, above=(1, 100)) for _ in range(100)) == 49


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False, config=CONFIG)


def ask(server: Live, key: str) -> Answer:
    return server.call("GET", "/v1/models", key=key)


def statuses(server: Live, key: str, count: int) -> list[int]:
    return [ask(server, key).status for _ in range(count)]


def test_where_one_stands_is_in_every_answer(server: Live) -> None:
    key = secret(server, requests_per_minute=1, burst=3)
    told = [ask(server, key).headers for _ in range(4)]
    assert [one["x-ratelimit-limit"] for one in told] == ["1"] * 4
    assert [one["x-ratelimit-remaining"] for one in told] == ["2", "1", "0", "0"]
    resets = [int(one["x-ratelimit-reset"]) for one in told]
    assert [round(one / 60) for one in resets] == [1, 2, 3, 3]
    assert "retry-after" not in told[2]
    assert 0 < int(told[3]["retry-after"]) <= 60


def test_what_is_forbidden_or_missing_counts_too(server: Live) -> None:
    key = secret(server, scopes=["chat"], requests_per_minute=1, burst=3)
    paths = ["/admin/keys", "/v1/turns/none", "/v1/models", "/v1/turns/none"]
    answers = [server.call("GET", path, key=key) for path in paths]
    assert [one.status for one in answers] == [403, 404, 403, 429]
    assert [one.headers["x-ratelimit-remaining"] for one in answers] == ["2", "1", "0", "0"]


def test_a_key_without_limits_is_told_none(server: Live) -> None:
    headers = ask(server, secret(server)).headers
    assert not [name for name in headers if name.startswith("x-ratelimit")]


def test_whoever_waits_as_long_as_told_is_answered(server: Live) -> None:
    key = secret(server, requests_per_minute=600, burst=1)
    assert ask(server, key).status == 200
    answer = ask(server, key)
    assert answer.status == 429
    told = answer.error["retry_after"]
    assert 0 < told <= 0.1
    assert int(answer.headers["retry-after"]) == 1
    time.sleep(told)
    assert ask(server, key).status == 200


OWNERS = ("anthropic", "chatloom", "chatserver", "zaguan")
OF = {owner: next(route for route in ROUTES if route.owner == owner) for owner in OWNERS}


@pytest.mark.parametrize("route", OF.values(), ids=OF)
def test_a_refusal_is_told_in_its_owners_words(server: Live, route: Route) -> None:
    key = secret(server, scopes=sorted(SCOPES), requests_per_minute=1, burst=1)
    assert ask(server, key).status == 200
    path = route.path.replace("{turn_id}", "none")
    answer = server.call(route.method, path, {} if route.method == "POST" else None, key=key)
    assert answer.status == 429
    error = answer.error
    assert (error["type"], error["code"]) == ("rate_limit_exceeded", "rate_limit_exceeded")
    assert (error["limit"], error.get("remaining")) == (1, 0)
    assert error["details"]["retry_after"] == error["retry_after"] <= 60
    assert error["details"]["limit"] == 1
    assert answer.headers["x-should-retry"] == "true"
    assert answer.headers["x-ratelimit-remaining"] == "0"
    if route.owner == "anthropic":
        assert answer.json["type"] == "error"
        assert answer.headers["request-id"]
    else:
        assert answer.json["detail"] == error["message"]


def test_descendants_ask_out_of_their_ancestors_bucket(server: Live) -> None:
    root = new_key(server, requests_per_minute=1, burst=8)  # three to make keys, five to ask
    above = root["secret"]
    first = heir(server, above, scopes=["models"])["secret"]
    second = heir(server, above, scopes=["models", "keys"])["secret"]
    below = heir(server, second, scopes=["models"], requests_per_minute=1, burst=1)["secret"]
    assert statuses(server, below, 2) == [200, 429]
    assert statuses(server, first, 2) == [200, 200]
    assert statuses(server, second, 3) == [200, 200, 429]
    assert statuses(server, first, 1) == statuses(server, above, 1) == [429]
    assert ask(server, first).headers["x-ratelimit-limit"] == "1"


def test_a_tiers_rate_is_that_of_each_key_without_its_own(server: Live) -> None:
    root = new_key(server)
    own = secret(server, account_id=root["account_id"], requests_per_minute=60, burst=5)
    another = secret(server, account_id=root["account_id"])
    below = heir(server, root["secret"], scopes=["models"])["secret"]
    faster = heir(server, root["secret"], scopes=["models"], requests_per_minute=99, burst=9)
    assert "x-ratelimit-limit" not in ask(server, root["secret"]).headers
    path = f"/admin/accounts/{root['account_id']}"
    assert server.call("PATCH", path, {"tier": "metered"}, key=server.admin_key).status == 200
    assert ask(server, own).headers["x-ratelimit-limit"] == "60"
    assert statuses(server, another, 3) == [200, 200, 429]
    assert ask(server, another).headers["x-ratelimit-limit"] == "30"
    assert statuses(server, below, 1) == statuses(server, faster["secret"], 1) == [200]
    assert statuses(server, faster["secret"], 1) == [429]
    assert statuses(server, root["secret"], 1) == [429]


def test_rotation_does_not_fill_the_bucket(server: Live) -> None:
    key = new_key(server, requests_per_minute=1, burst=2)
    assert statuses(server, key["secret"], 1) == [200]
    newer = server.call("POST", f"/v1/keys/{key['id']}/rotate", {}, key=key["secret"]).json
    assert statuses(server, newer["secret"], 2) == [200, 429]
    assert statuses(server, key["secret"], 1) == [429]


def test_every_form_of_a_credential_asks_out_of_one_bucket(server: Live) -> None:
    key = secret(server, requests_per_minute=1, burst=2)
    forms = [
        {"Authorization": f"Bearer {key}"},
        {"Authorization": f"ApiKey {key}"},
        {"X-API-Key": key},
    ]
    answers = [server.call("GET", "/v1/models", headers=form) for form in forms]
    assert [one.status for one in answers] == [200, 200, 429]


def test_the_stock_client_raises_a_rate_limit_error(server: Live) -> None:
    key = secret(server, requests_per_minute=1, burst=1)
    with openai.OpenAI(api_key=key, base_url=f"{server.url}/v1", max_retries=0) as client:
        client.models.list()
        with pytest.raises(openai.RateLimitError) as raised:
            client.models.list()
    assert raised.value.code == "rate_limit_exceeded"
    assert 0 < int(raised.value.response.headers["retry-after"]) <= 60


@pytest.mark.parametrize(
    "wanted",
    [
        {"requests_per_minute": 0},
        {"requests_per_minute": -1},
        {"requests_per_minute": 1.5},
        {"requests_per_minute": 10**30},
        {"requests_per_minute": 5, "burst": 0},
        {"burst": 5},
    ],
    ids=str,
)
def test_a_rate_that_makes_no_sense_is_refused(server: Live, wanted: dict[str, object]) -> None:
    answer = server.call("POST", "/admin/keys", {"name": "a", **wanted}, key=server.admin_key)
    assert (answer.status, answer.error["param"]) == (400, list(wanted)[-1])


def test_what_comes_at_once_is_no_more_than_the_parent_may(server: Live) -> None:
    parent = secret(server, requests_per_minute=600, burst=5)
    made = heir(server, parent, requests_per_minute=300)
    assert (made["requests_per_minute"], made["burst"]) == (300, 5)
    assert heir(server, parent, requests_per_minute=12)["burst"] == 2


def test_a_key_below_cannot_keep_its_parent_from_revoking_it(server: Live) -> None:
    root = new_key(server, requests_per_minute=1, burst=3)
    below = heir(server, root["secret"], scopes=["models"])
    asked = [says(server, below["secret"]) for _ in range(4)]
    assert asked[-1] == says(server, root["secret"]) == "rate_limit_exceeded"
    revoked = server.call("DELETE", f"/v1/keys/{below['id']}", key=root["secret"])
    assert (revoked.status, says(server, below["secret"])) == (200, "revoked_api_key")
    newer = server.call("POST", f"/v1/keys/{root['id']}/rotate", {}, key=root["secret"])
    assert newer.status == 200
    tries = [server.call("DELETE", "/v1/keys/none", key=root["secret"]).status for _ in range(4)]
    assert tries[-1] == 429, "and has a limit of its own"
