"""A key that descends from another has never more power, always less, and ends with it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import (
    LONGEST_LINEAGE,
    SCOPES,
    NewKey,
    check_descendant,
    covers_models,
    covers_routes,
    require_route,
)
from chatloom.server.ids import new_id
from chatloom.server.protocols.deeds import deed
from chatloom.server.refusal import Refusal
from chatloom.server.store.keys import MOST_DESCENDANTS, Key, RateLimit
from chatloom.server.store.sqlite import SQLiteStore
from chatloom.server.store.sqlite.check import check_file
from support.http import Answer
from support.keys import descend, heir, new_key, says, secret
from support.live import Live

LIMITED: dict[str, Any] = {
    "scopes": ["chat", "keys", "models"],
    "models": ["loom/*"],
    "routes": ["/v1/*", "GET /atoms/*"],
    "user": "ann",
    "organization": "acme",
    "requests_per_minute": 600,
    "burst": 50,
    "expires_in_days": 10,
    "budget": "1",
}
"""A key that is limited in everything."""


@pytest.fixture(scope="module")
def server(serve: Callable[..., Live]) -> Live:
    return serve(dev=False)


@pytest.fixture(scope="module")
def limited(server: Live) -> str:
    return secret(server, **LIMITED)


@pytest.fixture(scope="module")
def free(server: Live) -> str:
    return secret(server)


def stored(server: Live) -> list[tuple[Any, ...]]:
    tables = ("api_key", "api_secret", "account", "budget")
    return server.rows("SELECT " + ", ".join(f"(SELECT count(*) FROM {one})" for one in tables))


BEYOND: list[tuple[dict[str, object], str]] = [
    ({"models": ["*"]}, "models"),
    ({"models": ["loom/echo", "gpt-5"]}, "models"),
    ({"models": ["l*"]}, "models"),
    ({"models": ["[!loom/]*"]}, "models"),
    ({"routes": ["*"]}, "routes"),
    ({"routes": ["/admin/keys"]}, "routes"),
    ({"routes": ["POST /atoms/*"]}, "routes"),
    ({"routes": ["/atoms/*"]}, "routes"),
    ({"user": "ben"}, "user"),
    ({"user": "Ann"}, "user"),
    ({"organization": "other"}, "organization"),
    ({"expires_in_days": 10.5}, "expires_in_days"),
    ({"requests_per_minute": 601}, "requests_per_minute"),
    ({"requests_per_minute": 600, "burst": 51}, "requests_per_minute"),
    ({"budget": "1.000000000001"}, "budget"),
    ({"unread": "run"}, "unread"),
]


@pytest.mark.parametrize(("wanted", "param"), BEYOND, ids=str)
def test_nothing_goes_beyond_the_key_it_descends_from(
    server: Live, limited: str, wanted: dict[str, object], param: str
) -> None:
    before = stored(server)
    answer = descend(server, limited, **{"scopes": ["chat"], **wanted})
    assert (answer.status, answer.error["code"]) == (403, "beyond_parent")
    assert answer.error["param"] == param
    assert stored(server) == before


@pytest.mark.parametrize("scope", ["admin", "platform"])
def test_no_scope_is_given_that_one_has_not(server: Live, limited: str, scope: str) -> None:
    before = stored(server)
    answer = descend(server, limited, scopes=["chat", scope])
    assert (answer.status, answer.error["code"]) == (403, "missing_scope")
    assert stored(server) == before


def test_an_administrator_gives_out_no_scope_that_he_has_not(server: Live) -> None:
    admin = new_key(server, scopes=["admin", "chat", "keys", "models"])
    platform = new_key(server, scopes=["platform"])
    wanted = {"name": "more", "scopes": ["platform"]}
    answers = [
        server.call("POST", "/admin/keys", wanted, key=admin["secret"]),
        server.call("POST", f"/admin/keys/{platform['id']}/rotate", {}, key=admin["secret"]),
        descend(server, admin["secret"], scopes=["platform"]),
    ]
    assert [(one.status, one.error["code"]) for one in answers] == [(403, "missing_scope")] * 3
    assert says(server, platform["secret"], "/api/v1/platform/stats") == ""


SAME: list[dict[str, object]] = [
    {},
    LIMITED,
    {"models": ["loom/*", "loom/echo"]},
    {"routes": ["GET /atoms/*", "/v1/*"]},
    {"routes": ["/v1/*", "GET /atoms/*", "GET /v1/models"]},
    {"budget": "1.000"},
]


@pytest.mark.parametrize("wanted", SAME, ids=str)
def test_a_key_with_less_in_nothing_is_not_made(
    server: Live, limited: str, wanted: dict[str, object]
) -> None:
    same = {name: value for name, value in wanted.items() if name != "expires_in_days"}
    before = stored(server)
    answer = descend(server, limited, **{**same, "scopes": LIMITED["scopes"]})
    assert (answer.status, answer.error["code"]) == (400, "not_less")
    assert stored(server) == before


@pytest.mark.parametrize("wanted", [{"models": ["*"]}, {"routes": ["*"]}, {"unread": "cancel"}])
def test_what_limits_nothing_is_not_less(
    server: Live, free: str, wanted: dict[str, object]
) -> None:
    answer = descend(server, free, scopes=["chat", "keys", "models"], **wanted)
    assert (answer.status, answer.error["code"]) == (400, "not_less")


LESS: list[dict[str, object]] = [
    {"scopes": ["chat", "keys"]},
    {"models": ["loom/e*"]},
    {"models": []},
    {"routes": ["/v1/*"]},
    {"routes": ["GET /v1/models", "GET /atoms/*"]},
    {"requests_per_minute": 599, "burst": 50},
    {"requests_per_minute": 600, "burst": 49},
    {"requests_per_minute": 599},
    {"expires_in_days": 9.9},
    {"budget": "0.999999999999"},
]


@pytest.mark.parametrize("wanted", LESS, ids=str)
def test_a_key_with_less_in_one_thing_is_made(
    server: Live, limited: str, wanted: dict[str, object]
) -> None:
    made = heir(server, limited, **{"scopes": LIMITED["scopes"], **wanted})
    assert {**told(made), **wanted} == told(made)
    assert (made["user"], made["organization"]) == ("ann", "acme")
    assert set(made["scopes"]) <= {"chat", "keys", "models"}


@pytest.mark.parametrize(
    "wanted",
    [
        {"user": "ann"},
        {"organization": "acme"},
        {"requests_per_minute": 1_000_000},
        {"expires_in_days": 36500},
        {"budget": "999999"},
    ],
    ids=str,
)
def test_any_limit_is_less_than_none(server: Live, free: str, wanted: dict[str, object]) -> None:
    assert heir(server, free, scopes=["chat", "keys", "models"], **wanted)["id"]


def told(made: Any) -> Any:
    """What was made, in the words by which it is asked for."""
    budget = made.get("budget")
    return {**made, "expires_in_days": 9.9, "budget": budget and budget["amount"]["usd"]}


def test_what_is_left_out_is_as_the_parent_has_it(server: Live, limited: str) -> None:
    parent = server.rows("SELECT id, account_id FROM api_key WHERE owner = 'ann' ORDER BY id")[0]
    made = heir(server, limited)
    assert (made["parent_id"], made["account_id"]) == parent
    assert made["scopes"] == ["chat", "models"]
    for name in ("models", "routes", "user", "organization"):
        assert made[name] == LIMITED[name]
    assert made["expires_at"]


@pytest.mark.parametrize("field", [{"account_id": "else"}, {"parent_id": "else"}, {"rate": 1}])
def test_what_no_key_may_say_for_itself_is_refused(
    server: Live, free: str, field: dict[str, object]
) -> None:
    before = stored(server)
    assert descend(server, free, **field).status == 400
    assert stored(server) == before


def test_limits_of_those_further_above_hold_too(server: Live, limited: str) -> None:
    middle = heir(server, limited, scopes=["chat", "keys"])["secret"]
    for wanted in ({"budget": "1.5"}, {"requests_per_minute": 601, "burst": 1}):
        answer = descend(server, middle, scopes=["chat"], **wanted)
        assert (answer.status, answer.error["code"]) == (403, "beyond_parent")
    for same in ({"budget": "1"}, {"requests_per_minute": 600, "burst": 50}):
        answer = descend(server, middle, scopes=["chat", "keys"], **same)
        assert (answer.status, answer.error["code"]) == (400, "not_less")


def test_revoking_the_middle_of_three_generations_ends_it_and_what_is_below(server: Live) -> None:
    root = new_key(server)
    middle = heir(server, root["secret"], scopes=["keys", "models"])
    below = heir(server, middle["secret"], scopes=["models"])
    beside = heir(server, root["secret"], scopes=["models"])
    keys = [one["secret"] for one in (root, middle, below, beside)]
    assert [says(server, key) for key in keys] == [""] * 4
    assert server.call("DELETE", f"/v1/keys/{middle['id']}", key=keys[0]).status == 200
    assert [says(server, key) for key in keys] == ["", "revoked_api_key", "revoked_api_key", ""]
    listed = server.call("GET", "/v1/keys", key=keys[0]).json["keys"]
    assert [one["id"] for one in listed] == [beside["id"]], "those that work"
    ended = server.rows("SELECT id FROM api_key WHERE revoked_at IS NOT NULL AND name = 'heir'")
    assert {(middle["id"],), (below["id"],)} <= set(ended)
    again = server.call("DELETE", f"/v1/keys/{below['id']}", key=keys[0])
    assert (again.status, again.error["code"]) == (409, "already_revoked")


def test_a_key_lists_those_that_descend_from_it_alone(server: Live) -> None:
    root = new_key(server)
    first = heir(server, root["secret"], scopes=["chat", "keys"])
    heir(server, root["secret"], scopes=["chat"])
    below = heir(server, first["secret"], scopes=["chat"])
    listed = server.call("GET", "/v1/keys", key=first["secret"])
    assert [one["id"] for one in listed.json["keys"]] == [below["id"]]
    assert below["secret"] not in listed.body.decode()


def test_a_key_may_rotate_itself(server: Live) -> None:
    key = new_key(server)
    below = heir(server, key["secret"], scopes=["models"])["secret"]
    path = f"/v1/keys/{key['id']}/rotate"
    newer = server.call("POST", path, {"overlap_seconds": 0}, key=key["secret"])
    assert newer.status == 200
    assert (newer.json["id"], newer.json["scopes"]) == (key["id"], key["scopes"])
    assert says(server, key["secret"]) == "expired_api_key"
    assert says(server, newer.json["secret"]) == says(server, below) == ""


def test_a_key_may_revoke_itself(server: Live) -> None:
    key = new_key(server)
    below = heir(server, key["secret"], scopes=["models"])["secret"]
    assert server.call("DELETE", f"/v1/keys/{key['id']}", key=key["secret"]).status == 200
    assert says(server, key["secret"]) == says(server, below) == "revoked_api_key"


def test_rotating_keeps_an_expired_key_expired(server: Live, free: str) -> None:
    key = heir(server, free, scopes=["models"], expires_in_days=1e-9)
    newer = server.call("POST", f"/v1/keys/{key['id']}/rotate", {}, key=free).json
    assert says(server, newer["secret"]) == "expired_api_key"


RELATIVES = ("parent", "sibling", "stranger", "admin")


@pytest.mark.parametrize("whose", RELATIVES)
@pytest.mark.parametrize(("method", "rest"), [("POST", "/rotate"), ("DELETE", "")])
def test_who_does_not_descend_from_a_key_is_not_found_by_it(
    server: Live, whose: str, method: str, rest: str
) -> None:
    parent = new_key(server)
    own = heir(server, parent["secret"], scopes=["keys"])
    others = {
        "parent": parent,
        "sibling": heir(server, parent["secret"], scopes=["chat"]),
        "stranger": new_key(server),
        "admin": {"id": server.rows("SELECT min(id) FROM api_key")[0][0]},
    }
    body: object = {} if method == "POST" else None

    answers = [
        server.call(method, f"/v1/keys/{id}{rest}", body, key=own["secret"])
        for id in (others[whose]["id"], new_id())
    ]
    assert [one.status for one in answers] == [404, 404]
    assert answers[0].body == answers[1].body
    assert says(server, parent["secret"]) == says(server, server.admin_key) == ""


def test_no_key_outlives_a_parent_that_is_revoked_meanwhile(server: Live) -> None:
    key = new_key(server)

    def mint(_: int) -> Answer:
        return descend(server, key["secret"], scopes=["models"])

    def revoke() -> Answer:
        return server.call("DELETE", f"/admin/keys/{key['id']}", key=server.admin_key)

    with ThreadPoolExecutor(8) as pool:
        early = [pool.submit(mint, each) for each in range(20)]
        revoking = pool.submit(revoke)
        late = [pool.submit(mint, each) for each in range(20)]
    assert revoking.result().status == 200
    answers = [one.result() for one in (*early, *late)]
    assert {one.status for one in answers} <= {201, 401}
    made = [one.json["secret"] for one in answers if one.status == 201]
    assert {says(server, one) for one in made} <= {"revoked_api_key"}
    assert server.rows("SELECT count(*) FROM api_key WHERE parent_id = ?", key["id"]) == [
        (len(made),)
    ]
    assert check_file(server.database).problems == []


def test_a_lineage_has_an_end(server: Live) -> None:
    key = secret(server, scopes=["keys"])
    for generation in range(LONGEST_LINEAGE):
        key = heir(server, key, scopes=["keys"], expires_in_days=1000 - generation)["secret"]
    answer = descend(server, key, scopes=["keys"], expires_in_days=1)
    assert (answer.status, answer.error["code"]) == (400, "lineage_too_long")


def test_a_platform_key_of_somebody_works_while_they_are_an_administrator(server: Live) -> None:
    root = secret(server, scopes=["platform", "keys"])
    key = heir(server, root, scopes=["platform"], user="boss@example.com")["secret"]
    stats, admins = "/api/v1/platform/stats", "/api/v1/platform/admins"
    boss = {"email": "Boss@example.com", "workos_id": "w"}
    assert says(server, root, stats) == ""
    assert says(server, key, stats) == "not_an_administrator"
    assert server.call("POST", admins, boss, key=key).error["code"] == "not_an_administrator"
    assert server.call("POST", admins, boss, key=root).status == 201
    assert says(server, key, stats) == ""
    assert server.call("DELETE", f"{admins}/boss@example.com", key=root).status == 200
    assert says(server, key, stats) == "not_an_administrator"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "keys.db")
    yield opened
    await opened.close()


@pytest.mark.anyio
async def test_a_key_is_not_made_below_one_that_is_revoked_by_then(store: SQLiteStore) -> None:
    identity = Identity(store, dev=False)
    root, _ = await identity.mint(NewKey(name="root"), deed("test", "key.created"))
    below = NewKey(
        name="below", account_id=root.account_id, scopes=frozenset({"keys"}), parent=root
    )
    parent, _ = await identity.mint(below, deed("test", "key.created"))
    await identity.revoke(root.id, deed("test", "key.revoked"))
    before = await store.audit(limit=9, offset=0)
    late = replace(below, parent=parent, expires_at=1)
    with pytest.raises(Refusal) as refusal:
        await identity.mint(late, deed("test", "key.created"))
    assert refusal.value.code == "revoked_api_key"
    assert len(await store.keys()) == 2
    assert await store.audit(limit=9, offset=0) == before
    assert (await store.check()).problems == []


PARENT = Key(
    id="parent",
    account_id="a",
    name="parent",
    scopes=frozenset({"chat", "keys"}),
    created_at=1,
    rates_above={"above": RateLimit(60, 5)},
)


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"account_id": "b"}, "not_found"),
        ({"rate": RateLimit(61, 1)}, "beyond_parent"),
        ({"rate": RateLimit(1, 6)}, "beyond_parent"),
        ({"rate": RateLimit(60, 5)}, "not_less"),
        ({}, "not_less"),
        ({"has_less_money": True}, None),
        ({"rate": RateLimit(60, 4)}, None),
    ],
    ids=str,
)
def test_a_descendant_is_checked(wanted: dict[str, Any], code: str | None) -> None:
    new = NewKey(name="new", account_id="a", scopes=PARENT.scopes)
    assert refused(replace(new, **wanted)) == code


def refused(wanted: NewKey) -> str | None:
    """The code by which a key below `PARENT` is refused."""
    try:
        check_descendant(PARENT, wanted)
    except Refusal as refusal:
        return refusal.code
    return None


LETTERS = "ab]!"
NAMES = ["".join(letters) for length in range(4) for letters in product(LETTERS, repeat=length)]
PIECES = [*"ab*?[]!", "**", "[ab]", "[!a]", "[b", "[]a]", "[!]]", "[a-b]"]
patterns = st.lists(st.lists(st.sampled_from(PIECES), max_size=4).map("".join), max_size=2)
"""Few letters, those among them that mean something between brackets."""


def matched(own: Sequence[str] | None) -> set[str]:
    """Every name that a key with these patterns may use."""
    return {name for name in NAMES if own is None or any(fnmatchcase(name, one) for one in own)}


@settings(max_examples=300, deadline=None)
@given(st.none() | patterns, st.none() | patterns)
def test_whatever_the_childs_models_match_the_parents_match_too(
    allowed: list[str] | None, wanted: list[str] | None
) -> None:
    if covers_models(allowed, wanted):
        assert matched(wanted) <= matched(allowed)


def test_no_pattern_of_three_pieces_is_within_one_that_matches_less() -> None:
    pieces = ["a", "b", "]", "*", "?", "[ab]", "[!a]"]
    every = {"".join(some) for length in range(1, 4) for some in product(pieces, repeat=length)}
    names = {one: matched([one]) for one in every}
    wrong = [
        (allowed, wanted)
        for allowed in sorted(every)
        for wanted in every
        if covers_models([allowed], [wanted]) and not names[wanted] <= names[allowed]
    ]
    assert wrong == []


@settings(max_examples=300, deadline=None)
@given(patterns, st.lists(st.text("ab*", max_size=5), max_size=2))
def test_every_pattern_of_stars_is_known_to_be_within_a_longer_list(
    more: list[str], own: list[str]
) -> None:
    assert covers_models([*more, *own], own)
    assert covers_models(["*", *more], own)
    assert covers_models([one.replace("a", "*") for one in own], own)


PATHS = ["/a", "/b", "/a/b", "/a/T", "/G"]
METHODS = ["GET", "PUT"]
routes = st.lists(
    st.tuples(
        st.sampled_from(["", "", "GET ", "PUT ", "* ", "G* ", " ", "[GP]?T "]),
        st.text("/abGT* ", max_size=5),
    ).map("".join),
    max_size=3,
)


def reached(own: Sequence[str] | None) -> set[tuple[str, str]]:
    """Every address that a key with these patterns may use."""
    key = replace(PARENT, routes=None if own is None else [*own])
    return {where for where in product(METHODS, PATHS) if is_let_through(key, *where)}


def is_let_through(key: Key, method: str, path: str) -> bool:
    try:
        require_route(key, method, path)
    except Refusal:
        return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.none() | routes, st.none() | routes)
def test_whatever_the_childs_routes_match_the_parents_match_too(
    allowed: list[str] | None, wanted: list[str] | None
) -> None:
    if covers_routes(allowed, wanted):
        assert reached(wanted) <= reached(allowed)


@pytest.mark.parametrize(
    ("allowed", "wanted", "covers"),
    [
        (["*b*"], ["[ab]"], False),
        (["*]"], ["[ab]"], False),
        (["*"], ["[ab]"], True),
        (["a*"], ["a?"], True),
        (["a?"], ["a*"], False),
        (["[ab]"], ["a"], True),
        (["[ab]"], ["[ab]"], True),
        (["[ab]"], ["?"], False),
        ([], [], True),
        (None, ["*"], True),
        (["*"], None, True),
        (["a"], None, False),
    ],
)
def test_what_is_within_a_pattern(
    allowed: list[str] | None, wanted: list[str] | None, covers: bool
) -> None:
    assert covers_models(allowed, wanted) is covers


@pytest.mark.parametrize(
    ("allowed", "wanted", "covers"),
    [
        (["/v1/*"], ["GET /v1/models"], True),
        (["GET /v1/*"], ["/v1/models"], False),
        (["GET /v1/*"], ["POST /v1/models"], False),
        (["* /v1/models"], ["GET /v1/models"], False),
        (["*P*"], ["POST /v1/keys"], False),
    ],
)
def test_what_is_within_a_route(allowed: list[str], wanted: list[str], covers: bool) -> None:
    assert covers_routes(allowed, wanted) is covers


@pytest.fixture(scope="module", autouse=True)
def sound(server: Live) -> Iterator[None]:
    """What all these keys leave behind is sound."""
    yield
    assert check_file(server.database).problems == []


LIMITS: dict[str, dict[str, object]] = {
    "models": {"models": ["loom/*"]},
    "routes": {"routes": ["/admin/*"]},
    "user": {"user": "ann"},
    "organization": {"organization": "north"},
    "life": {"expires_in_days": 1},
    "rate": {"requests_per_minute": 1000},
}


@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS)
def test_an_administrator_with_limits_makes_and_rotates_no_key_without(
    server: Live, limit: dict[str, object]
) -> None:
    limited = secret(server, "limited", scopes=sorted(SCOPES), **limit)
    other = new_key(server)
    made = server.call("POST", "/admin/keys", {"name": "free"}, key=limited)
    taken = server.call("POST", f"/admin/keys/{other['id']}/rotate", {}, key=limited)
    for answer in (made, taken):
        assert (answer.status, answer.error["code"]) == (403, "limited_administrator")
    assert says(server, other["secret"]) == ""


def test_an_administrator_that_descends_makes_no_root_and_rotates_no_ancestor(
    server: Live,
) -> None:
    root = new_key(server, scopes=sorted(SCOPES))
    below = heir(server, root["secret"], scopes=["admin", "keys", "chat"])
    made = server.call("POST", "/admin/keys", {"name": "free"}, key=below["secret"])
    path = f"/admin/keys/{root['id']}/rotate"
    taken = server.call("POST", path, {}, key=below["secret"])
    assert {answer.error["code"] for answer in (made, taken)} == {"limited_administrator"}


def test_so_many_keys_may_descend_from_one_at_a_time(server: Live) -> None:
    root = new_key(server)
    middle = heir(server, root["secret"], scopes=["chat", "keys"])
    key = heir(server, middle["secret"], scopes=["chat"])
    old = new_id()
    with closing(sqlite3.connect(server.database)) as connection, connection:
        connection.executemany(
            "INSERT INTO api_key (id, account_id, name, scopes, created_at, ancestors)"
            " SELECT ?, account_id, name, scopes, 1, ancestors FROM api_key WHERE id = ?",
            [(id, key["id"]) for id in (old, *(new_id() for _ in range(MOST_DESCENDANTS - 3)))],
        )
    for parent in (root, middle):  # the elder has as many, whoever made them
        refused = descend(server, parent["secret"], scopes=["chat"])
        assert (refused.status, refused.error["code"]) == (409, "too_many_keys")
    assert server.call("DELETE", f"/v1/keys/{old}", key=root["secret"]).status == 200
    assert descend(server, root["secret"], scopes=["chat"]).status == 201


def test_a_replaced_secret_works_and_changes_no_keys(server: Live) -> None:
    key = new_key(server)
    path = f"/v1/keys/{key['id']}"
    newer = server.call("POST", f"{path}/rotate", {}, key=key["secret"]).json["secret"]
    assert says(server, key["secret"]) == ""
    tries = [
        server.call("POST", f"{path}/rotate", {"overlap_seconds": 0}, key=key["secret"]),
        server.call("DELETE", path, key=key["secret"]),
        descend(server, key["secret"], scopes=["chat"]),
    ]
    assert {(one.status, one.error["code"]) for one in tries} == {(403, "replaced_api_key")}
    assert says(server, newer) == ""
    assert server.call("GET", "/v1/keys", key=key["secret"]).status == 200


def test_an_administrator_with_limits_lifts_none_and_revokes_nobody(server: Live) -> None:
    root = new_key(server, scopes=sorted(SCOPES))
    below = heir(server, root["secret"], scopes=["admin", "chat"], budget="0.000000001")
    subject = {"concern": "key", "subject": below["id"]}
    account = f"/admin/accounts/{root['account_id']}"
    tries = [
        server.call(
            "DELETE", f"/admin/budgets?concern=key&subject={below['id']}", key=below["secret"]
        ),
        server.call("PUT", "/admin/budgets", {**subject, "usd": "9"}, key=below["secret"]),
        server.call("PATCH", account, {"tier": None}, key=below["secret"]),
        server.call("DELETE", f"/admin/keys/{root['id']}", key=below["secret"]),
    ]
    assert {one.error["code"] for one in tries} == {"limited_administrator"}
    assert server.complete("Hello!", key=below["secret"]).status == 402
    assert says(server, root["secret"]) == ""


def test_a_budget_is_a_limit_of_an_administrator_too(server: Live) -> None:
    limited = secret(server, scopes=sorted(SCOPES), budget="5")
    made = server.call("POST", "/admin/keys", {"name": "free"}, key=limited)
    assert (made.status, made.error["code"]) == (403, "limited_administrator")
