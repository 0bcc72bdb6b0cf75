"""The values that cross the transport seam."""

from __future__ import annotations

import pytest

from chatloom.core.errors import TransportError
from chatloom.core.http import Request, Response, path
from chatloom.core.inline import run_inline
from support.scripted import Body


def test_a_request_is_shown_without_its_headers_and_body() -> None:
    request = Request("POST", "/v1/chat", (("q", "?"),), (("authorization", "canary"),), b"canary")
    assert [str(request), repr(request)] == ["POST /v1/chat", "<Request POST /v1/chat>"]


def test_a_header_is_added_to_a_copy() -> None:
    request = Request("GET", "/", headers=(("a", "1"),))
    assert request.with_header("b", "2").headers == (("a", "1"), ("b", "2"))
    assert [request.header("a"), request.header("b")] == ["1", None]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_some_methods_may_be_sent_twice(method: str) -> None:
    assert Request(method, "/").is_idempotent


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_others_may_not(method: str) -> None:
    assert not Request(method, "/").is_idempotent


def test_a_body_is_read_to_its_end_once() -> None:
    body = Body(b"a", b"b")
    response = Response(200, arriving=body)
    assert [run_inline(response.read()), run_inline(response.read())] == [b"ab", b"ab"]
    assert (body.closed, body.abandoned, response.arriving) == (1, 0, None)


def test_a_body_that_breaks_off_gives_the_connection_back() -> None:
    body = Body(b"a", TransportError("lost"))
    with pytest.raises(TransportError):
        run_inline(Response(200, arriving=body).read())
    assert (body.closed, body.abandoned) == (0, 1)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("m1", "/v1/m1/x"),
        ("a b", "/v1/a%20b/x"),
        ("a/../b", "/v1/a%2F..%2Fb/x"),
        ("?a#b", "/v1/%3Fa%23b/x"),
        ("é", "/v1/%C3%A9/x"),
        ("{id}", "/v1/%7Bid%7D/x"),
    ],
)
def test_a_part_of_a_path_stays_one_segment(part: str, expected: str) -> None:
    assert path("/v1/{id}/x", id=part) == expected


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_a_part_that_would_change_the_path_is_refused(part: str) -> None:
    with pytest.raises(ValueError, match="cannot be part of an address"):
        path("/v1/{id}", id=part)
