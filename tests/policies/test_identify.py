"""Each call has a name of its own."""

from __future__ import annotations

import pytest

from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.policies.identify import Identify
from support.scripted import Scripted


def keys(*requests: Request, chances: list[float] | None = None) -> list[str | None]:
    outside = Scripted(*[Response(200)] * len(requests), chances=chances or [])
    identify = Identify()
    for request in requests:
        run_inline(identify(request, outside))
    return [request.header("idempotency-key") for request in outside.requests]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_what_may_be_sent_twice_needs_no_key(method: str) -> None:
    assert keys(Request(method, "/")) == [None]


def test_a_callers_own_key_is_kept() -> None:
    assert keys(Request("POST", "/", headers=(("idempotency-key", "mine"),))) == ["mine"]


@pytest.mark.parametrize(
    ("chances", "expected"),
    [
        ([0.0, 0.0], "0" * 28),
        ([0.5, 1 / 2**53], "10000000000000" + "00000000000001"),
        ([1 - 2**-53, 1 - 2**-53], "1fffffffffffff" * 2),
    ],
)
def test_a_key_holds_all_the_chance_there_is(chances: list[float], expected: str) -> None:
    assert keys(Request("POST", "/"), chances=chances) == [expected]


def test_each_call_has_another_key() -> None:
    first, second = keys(Request("POST", "/"), Request("POST", "/"), chances=[0.1, 0.2, 0.3, 0.4])
    assert first != second
