"""Clients that ask in another manner."""

from __future__ import annotations

import math
from typing import Any

import pytest

from chatloom.core.engine import Engine, Sync
from chatloom.core.errors import SettingsError
from chatloom.core.http import Request, Response, Timeouts
from chatloom.core.manner import CallOptions, Manner
from support.scripted import Scripted
from support.toy import ToyClient

WORDS = Response(200, {}, b'["hi"]')
HABIT = Manner(
    timeouts=Timeouts(1, 2), headers=(("user-agent", "toy"),), query=(("v", "1"),), body={"a": 1}
)


def asked(options: CallOptions, manner: Manner = HABIT) -> tuple[Request, Request]:
    """A POST and a GET by a client with these options."""
    outside = Scripted(WORDS, WORDS)
    client = ToyClient(Engine(Sync, outside, manner=manner)).with_options(**options)
    client.ask("hi")
    client.find("hi")
    post, get = outside.requests
    return post, get


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"timeouts": Timeouts(1, 2), "deadline": None, "max_retries": None}),
        ({"timeout": 5}, {"timeouts": Timeouts(5, 5)}),
        ({"timeout": None}, {"timeouts": Timeouts(None, None)}),
        ({"timeout": 1e12}, {"timeouts": Timeouts(None, None)}),
        ({"total_timeout": 30}, {"deadline": 1030.0}),
        ({"total_timeout": None}, {"deadline": None}),
        ({"max_retries": 0}, {"max_retries": 0}),
        ({"max_retries": -3}, {"max_retries": 0}),
        ({"extra_query": {"q": "a b", "on": True, "n": 2}}, {}),
    ],
)
def test_options_change_what_they_name(options: CallOptions, expected: dict[str, object]) -> None:
    for request in asked(options):
        assert {name: getattr(request, name) for name in expected} == expected


def test_extra_headers_replace_those_of_the_same_name() -> None:
    post, get = asked({"extra_headers": {"User-Agent": "mine", "X-New": "1"}})
    assert get.headers == (("user-agent", "mine"), ("x-new", "1"))
    assert post.headers == (*get.headers, ("content-type", "application/json"))


def test_a_content_type_of_the_callers_own_is_the_only_one() -> None:
    post, _ = asked({"extra_headers": {"Content-Type": "application/json; charset=utf-8"}})
    assert [name for name, _ in post.headers].count("content-type") == 1
    assert post.header("content-type") == "application/json; charset=utf-8"


def test_extra_query_comes_after_what_the_call_asks() -> None:
    _, get = asked({"extra_query": {"on": True, "n": 2}})
    assert get.query == (("word", "hi"), ("page", "1"), ("v", "1"), ("on", "true"), ("n", "2"))


def test_extra_body_wins_over_the_calls_own_fields() -> None:
    post, get = asked({"extra_body": {"times": 9, "b": [1]}})
    assert post.body == b'{"word":"hi","times":9,"a":1,"b":[1]}'
    assert get.body == b""


def test_extra_body_wants_a_body_with_fields() -> None:
    engine = Engine(Sync, Scripted(), manner=HABIT)
    with pytest.raises(SettingsError, match="extra_body"):
        engine.encode(["not", "a", "mapping"])


def test_an_idempotency_key_is_the_callers_to_choose() -> None:
    post, _ = asked({"idempotency_key": "step-7"})
    assert post.header("idempotency-key") == "step-7"


@pytest.mark.parametrize("seconds", [0, -1, math.nan])
@pytest.mark.parametrize("name", ["timeout", "total_timeout"])
def test_a_limit_that_is_none_is_refused(name: str, seconds: float) -> None:
    options: Any = {name: seconds}
    with pytest.raises(SettingsError, match=name):
        asked(options)


@pytest.mark.parametrize(
    "options",
    [
        {"extra_headers": {"a": 1}},
        {"extra_headers": {"a": None}},
        {"extra_query": {"a": [1]}},
        {"extra_query": ["a"]},
        {"extra_body": [1]},
        {"timeout": "3"},
        {"max_retries": "3"},
        {"max_retries": 1.5},
    ],
)
def test_options_of_the_wrong_kind_are_refused(options: Any) -> None:
    with pytest.raises(SettingsError):
        asked(options)


def test_none_leaves_an_option_as_it_is() -> None:
    post, _ = asked(
        {
            "max_retries": None,
            "extra_headers": None,
            "extra_query": None,
            "extra_body": None,
            "idempotency_key": None,
        }
    )
    assert post == asked({})[0]


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(SettingsError, match="Unicode"):
        Engine(Sync, Scripted()).encode({"word": "\ud800"})


def test_options_leave_the_client_they_are_taken_from_alone() -> None:
    outside = Scripted(WORDS, WORDS)
    client = ToyClient(Engine(Sync, outside, manner=HABIT))
    other = client.with_options(timeout=9, extra_headers={"x": "y"}, extra_body={"b": 2})
    client.ask("hi")
    assert (client.timeout, other.timeout) == (2, 9)
    assert outside.requests[0].timeouts == Timeouts(1, 2)
    assert outside.requests[0].header("x") is None
    assert outside.requests[0].body == b'{"word":"hi","times":1,"a":1}'


def test_options_add_up() -> None:
    outside = Scripted(WORDS)
    client = ToyClient(Engine(Sync, outside, manner=HABIT))
    client.with_options(timeout=9, extra_body={"b": 2}).with_options(
        max_retries=1, extra_body={"c": 3}
    ).ask("hi")
    (request,) = outside.requests
    assert (request.timeouts, request.max_retries) == (Timeouts(9, 9), 1)
    assert request.body == b'{"word":"hi","times":1,"a":1,"b":2,"c":3}'


def test_both_clients_share_their_connections() -> None:
    outside = Scripted()
    client = ToyClient(Engine(Sync, outside))
    with client.with_options(timeout=3):
        pass
    assert outside.is_closed
