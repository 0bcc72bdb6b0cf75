"""Requests are signed."""

from __future__ import annotations

import pytest

from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.core.secret import CurrentKey, Secret
from chatloom.policies.authorize import Authorize
from chatloom.policies.keyed import Note
from chatloom.policies.retry import Retry
from support.scripted import Scripted


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Authorize(Secret("k")), ("authorization", "Bearer k")),
        (Authorize(Secret("k"), scheme="Token "), ("authorization", "Token k")),
        (Authorize(Secret("k"), header="x-api-key", scheme=""), ("x-api-key", "k")),
    ],
)
def test_the_key_goes_where_the_service_wants_it(
    policy: Authorize, expected: tuple[str, str]
) -> None:
    outside = Scripted(Response(200))
    run_inline(policy(Request("GET", "/", headers=(("a", "b"),)), outside))
    assert outside.requests[0].headers == (("a", "b"), expected)


def test_each_attempt_is_signed_once() -> None:
    outside = Scripted(Response(503), Response(200))
    run_inline(guard(outside, [Retry(), Authorize(Secret("k"))]).send(Request("GET", "/")))
    signatures = [
        [value for name, value in request.headers if name == "authorization"]
        for request in outside.requests
    ]
    assert signatures == [["Bearer k"]] * 2


def test_a_signing_policy_does_not_show_its_key() -> None:
    policy = Authorize(Secret("canary"))
    assert "canary" not in repr(policy) + repr(vars(policy))


def test_a_key_that_the_server_repeats_is_taken_out_of_its_answer() -> None:
    outside = Scripted(Response(401, body=b'{"error": "the key canary-secret is wrong"}'))
    response = run_inline(Authorize(Secret("canary-secret"))(Request("GET", "/"), outside))
    assert response.body == b'{"error": "the key [key] is wrong"}'


def test_a_key_too_short_to_be_a_secret_does_not_wreck_messages() -> None:
    outside = Scripted(Response(404, body=b'{"error": "unknown"}'))
    response = run_inline(Authorize(Secret("k"))(Request("GET", "/"), outside))
    assert response.body == b'{"error": "unknown"}'


def test_a_call_keeps_its_key_and_the_next_one_has_another() -> None:
    key = CurrentKey("first")

    def replace(*_: object) -> None:
        key.replace("second")

    outside = Scripted(Response(503), Response(200), Response(200), Response(200))
    calls = guard(outside, [Note(key), Retry(on_retry=replace), Authorize(key)])
    run_inline(calls.send(Request("GET", "/")))
    run_inline(calls.send(Request("GET", "/")))
    key.replace(None)
    run_inline(calls.send(Request("GET", "/")))
    signed = [request.header("authorization") for request in outside.requests]
    assert signed == ["Bearer first", "Bearer first", "Bearer second", None]
