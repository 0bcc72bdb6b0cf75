"""What goes wrong, and what is tried again."""

from __future__ import annotations

import gc
import logging
import pickle

import pytest

import puter as package
from chatloom import ChatloomError, StatusError, StreamError, TransportError, Truncated
from chatloom.policies.hooks import Hooks
from puter import (
    PuterAI,
    PuterAnswerError,
    PuterAPIError,
    PuterAuthError,
    PuterConnectionError,
    PuterError,
    PuterRateLimitError,
    PuterStatusError,
    PuterStreamError,
    PuterTimeoutError,
    PuterTruncatedError,
    PuterUnreachableError,
)
from support.puter import Reply, Using, lines, refused, refused_by_200, said, service, text
from transports.scripted import free_port, serving

BUSY = refused(b"503 Service Unavailable", "busy", "Later.", b"x-request-id: r1")
LIMITED = refused(b"429 Too Many Requests", "too_many_requests", "Slowly.", b"retry-after: 0")


def test_the_documented_tree_is_there() -> None:
    assert issubclass(PuterAuthError, PuterError)
    assert issubclass(PuterAPIError, PuterError)
    assert issubclass(PuterError, ChatloomError)
    assert not issubclass(PuterAPIError, PuterAuthError)
    errors = [vars(package)[name] for name in package.__all__ if name.endswith("Error")]
    for error in errors:
        again = pickle.loads(pickle.dumps(error("why", status_code=418, code="X", attempts=2)))
        assert (type(again), str(again)) == (error, "why")
        assert (again.status_code, again.status, again.code) == (418, 418, "X")


@pytest.mark.parametrize(
    ("reply", "kind", "told"),
    [
        (refused(b"400 Bad Request", "bad_request", "No."), PuterStatusError, (400, "bad_request")),
        (
            refused(b"401 Unauthorized", "token_missing", "No."),
            PuterAuthError,
            (401, "token_missing"),
        ),
        (
            refused(b"402 Payment Required", "insufficient_funds", "No."),
            PuterStatusError,
            (402, "insufficient_funds"),
        ),
        (refused(b"403 Forbidden", "forbidden", "No."), PuterStatusError, (403, "forbidden")),
        (refused(b"404 Not Found", "not_found", "No."), PuterStatusError, (404, "not_found")),
        (Reply(b"No.", b"418 I'm a teapot", ()), PuterStatusError, (418, None)),
    ],
)
def test_a_refusal_is_told_with_all_that_is_known(
    using: Using, reply: Reply, kind: type[PuterError], told: tuple[int, str]
) -> None:
    reply = Reply(reply.body, reply.status, (*reply.headers, b"x-request-id: r1"))
    with service(reply) as puter:
        with pytest.raises(PuterError) as caught:
            using(puter.client()).chat("hi")
        assert len(puter.bodies) == 1
    error = caught.value
    assert (type(error), error.message) == (kind, "No.")
    assert (error.status_code, error.code) == told
    assert (error.request_id, error.attempts) == ("r1", 1)
    assert isinstance(error, StatusError)
    assert error.__cause__ is None  # one traceback says it all


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (refused_by_200(400, "bad_request", "No."), PuterStatusError, (400, "bad_request")),
        (
            refused_by_200(401, "token_auth_failed", "No."),
            PuterAuthError,
            (401, "token_auth_failed"),
        ),
        (
            refused_by_200(None, "token_auth_failed", "No."),
            PuterAuthError,
            (401, "token_auth_failed"),
        ),
        (refused_by_200(None, "odd", "No."), PuterStatusError, (400, "odd")),
        (refused_by_200(200, "odd", "No."), PuterStatusError, (400, "odd")),
        ({"success": False, "error": "No."}, PuterStatusError, (400, None)),
        ({"success": False, "message": "No."}, PuterStatusError, (400, None)),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_failure_with_status_200_raises_like_any_other(
    using: Using, answer: object, kind: type[PuterError], told: tuple[int, str], is_streamed: bool
) -> None:
    with service(answer) as puter:
        client = puter.client()
        either = using(client)
        with pytest.raises(PuterError) as caught:
            (either.stream if is_streamed else either.chat)("hi")
        assert len(puter.bodies) == 1
    error = caught.value
    assert (type(error), error.message) == (kind, "No.")
    assert (error.status_code, error.code) == told
    assert client.chat_history == []


@pytest.mark.parametrize(
    "failure",
    [
        None,
        BUSY,
        LIMITED,
        refused(b"500 Internal Server Error", "internal_error", "Oh."),
        refused_by_200(429, "too_many_requests", "Slowly."),
        refused_by_200(None, "internal_error", "Oh."),
    ],
)
def test_what_passes_is_tried_again(using: Using, failure: object) -> None:
    with service(failure, failure, said("hello")) as puter:
        assert using(puter.client()).chat("hi") == "hello"
        keys = [one.all("idempotency-key") for one in puter.asked if one.target != "/login"]
    assert len(keys) == 3
    assert keys[0] == keys[1] == keys[2] != []


def test_there_is_one_attempt_more_than_retries(using: Using) -> None:
    with service(BUSY) as puter:
        with pytest.raises(PuterStatusError) as caught:
            using(puter.client(max_retries=2)).chat("hi")
        assert (len(puter.bodies), caught.value.attempts) == (3, 3)


def test_a_limit_that_does_not_pass_is_told(using: Using) -> None:
    with service(LIMITED) as puter, pytest.raises(PuterRateLimitError) as caught:
        using(puter.client(max_retries=1)).chat("hi")
    assert (caught.value.retry_after, caught.value.status_code) == (0, 429)


def test_waits_grow_by_the_factor(using: Using) -> None:
    waits: list[float] = []
    hooks = Hooks(on_retry=lambda request, delay, cause: waits.append(delay))
    with service(BUSY) as puter:
        client = puter.client(hooks=hooks, retry_delay=0.001, backoff_factor=3, token="t")
        with pytest.raises(PuterStatusError):
            using(client).chat("hi")
    longest = [0.001, 0.003, 0.009]
    assert all(0.75 * most <= wait <= most for wait, most in zip(waits, longest, strict=True))


def test_nobody_there_is_told(using: Using) -> None:
    client = PuterAI(token="t", api_base=f"http://localhost:{free_port()}", max_retries=0)
    with pytest.raises(PuterUnreachableError, match="`chatloom serve --dev` starts one") as caught:
        using(client).chat("hi")
    assert isinstance(caught.value, PuterAPIError)
    assert isinstance(caught.value, TransportError)
    assert caught.value.status_code is None


def test_a_lost_connection_is_told(using: Using) -> None:
    with service(None) as puter, pytest.raises(PuterConnectionError) as caught:
        using(puter.client(max_retries=1, token="t")).chat("hi")
    assert not isinstance(caught.value, PuterUnreachableError)
    assert caught.value.attempts == 2


def test_a_question_that_took_too_long_is_not_asked_twice(using: Using) -> None:
    with serving(lambda peer: (peer.asked(), peer.hold())[1]) as server:
        client = PuterAI(token="t", api_base=server.url, timeout=0.05, retry_delay=0)
        with pytest.raises(PuterTimeoutError) as caught:
            using(client).chat("hi")
    assert isinstance(caught.value, TimeoutError)
    assert isinstance(caught.value, PuterAPIError)
    assert len(server.asked) == 1


def test_a_login_that_took_too_long_is(using: Using) -> None:
    with serving(lambda peer: (peer.asked(), peer.hold())[1]) as server:
        client = PuterAI("a", "b", api_base=server.url, timeout=0.05, retry_delay=0, max_retries=2)
        with pytest.raises(PuterTimeoutError):
            using(client).chat("hi")
    assert [one.target for one in server.asked] == ["/login"] * 3


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"a":' * 100_000, b"\xff"])
def test_what_nobody_understands_is_told(using: Using, body: bytes) -> None:
    gc.collect()  # finalisers of what earlier tests left would fail so deep in the stack
    with service(Reply(body)) as puter:
        with pytest.raises(PuterAnswerError, match="POST /drivers/call") as caught:
            using(puter.client()).chat("hi")
        assert len(puter.bodies) == 1
    assert isinstance(caught.value, PuterAPIError)
    assert caught.value.status_code == 200


def test_errors_are_logged_field_by_field(using: Using, caplog: pytest.LogCaptureFixture) -> None:
    with service(BUSY) as puter, pytest.raises(PuterStatusError):
        using(puter.client(max_retries=0, token="t")).chat("hi")
    (record,) = [one for one in caplog.records if one.name == "puter"]
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "PuterStatusError: Later."
    assert vars(record)["puter"] == {
        "error": "PuterStatusError",
        "status_code": 503,
        "code": "busy",
        "request_id": "r1",
        "retry_after": None,
        "attempts": 1,
    }


# Streams


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (lines(*text("once ")), PuterTruncatedError),
        (lines(*text("once "), {"type": "error", "message": "Oh."}), PuterStreamError),
        (Reply(lines(*text("once ")).body + b"{", headers=()), PuterTruncatedError),
        (Reply(lines(*text("once ")).body + b"{\n", headers=()), PuterTruncatedError),
    ],
)
def test_a_stream_without_its_end_never_looks_whole(
    using: Using, reply: Reply, kind: type[PuterStreamError]
) -> None:
    with service(reply) as puter:
        client = puter.client()
        with pytest.raises(PuterStreamError) as caught:
            using(client).stream("hi")
    error = caught.value
    assert (type(error), error.text) == (kind, "once ")
    assert isinstance(error, StreamError)
    assert isinstance(error, Truncated) is (kind is PuterTruncatedError)
    assert client.chat_history == []
