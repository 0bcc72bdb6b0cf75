"""When a request is sent again, and after how long."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import msgspec
import pytest

from chatloom.core.errors import ConnectError, ConnectTimedOut, TimedOut, TransportError
from chatloom.core.http import Break, Request, Response, Timeouts
from chatloom.core.inline import run_inline
from chatloom.core.outside import guard
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from support.scripted import NOON, Answer, Body, Scripted, arriving

GET, POST, DELETE = (Request(method, "/") for method in ("GET", "POST", "DELETE"))
KEYED = POST.with_header("idempotency-key", "k1")
OK = Response(200)
BUSY = Response(503)
LOST = TransportError("lost")
LATE = TimedOut("late")
REFUSED = ConnectError("refused")
UNREACHED = ConnectTimedOut("nobody there")


def status(number: int, **headers: str) -> Response:
    return Response(number, {name.replace("_", "-"): value for name, value in headers.items()})


KEPT = status(200, idempotency_key="k1")
"""Told by a server that honours keys."""


def going_on(times: int = 1, since: float = 1000.0, deadline: float | None = None) -> Request:
    request = Request("GET", "/turns/t1/events", streamed=True, deadline=deadline)
    return msgspec.structs.replace(request, resumes=Break(LOST, times), awaited_since=since)


def result(outside: Scripted, request: Request, retry: Retry) -> int | TransportError:
    """Give the status, or the error that was raised."""
    try:
        return run_inline(retry(request, outside)).status
    except TransportError as error:
        return error


@pytest.mark.parametrize(
    ("request_", "script", "slept", "expected"),
    [
        pytest.param(GET, [OK], [], 200, id="a success"),
        pytest.param(GET, [status(302)], [], 302, id="a redirect"),
        pytest.param(GET, [BUSY, OK], [0.5], 200, id="503, then a success"),
        pytest.param(GET, [BUSY, BUSY, OK], [0.5, 1.0], 200, id="503 twice"),
        pytest.param(GET, [BUSY, BUSY, BUSY], [0.5, 1.0], 503, id="503 to the end"),
        pytest.param(GET, [BUSY, status(404)], [0.5], 404, id="another answer then"),
        pytest.param(GET, [LOST, OK], [0.5], 200, id="lost"),
        pytest.param(GET, [LOST, BUSY, LATE], [0.5, 1.0], LATE, id="one thing after another"),
        pytest.param(DELETE, [LOST, OK], [0.5], 200, id="a lost DELETE"),
        pytest.param(POST, [BUSY], [], 503, id="a POST at 503"),
        pytest.param(POST, [status(500)], [], 500, id="a POST at 500"),
        pytest.param(POST, [LOST], [], LOST, id="a lost POST"),
        pytest.param(POST, [LATE], [], LATE, id="a late POST"),
        pytest.param(KEYED, [LOST, OK], [], LOST, id="lost, and its key is not heeded"),
        pytest.param(KEYED, [LOST, KEPT, OK], [0.5], 200, id="lost, and its key is heeded"),
        pytest.param(
            KEYED,
            [LOST, REFUSED, REFUSED, KEPT, OK],
            [0.5, 1.0, 0.5],
            200,
            id="lost by a server that starts anew",
        ),
        pytest.param(
            KEYED,
            [LOST, REFUSED, REFUSED, REFUSED, REFUSED],
            [0.5, 1.0, 2.0],
            LOST,
            id="lost for good",
        ),
        pytest.param(KEYED, [LOST, LATE], [], LOST, id="lost, and nobody answers"),
        pytest.param(KEYED, [LOST, status(503)], [], LOST, id="lost, and nobody can tell"),
        pytest.param(KEYED, [LATE], [], LATE, id="late, whose server is not asked"),
        pytest.param(
            KEYED, [LOST, KEPT, REFUSED, REFUSED], [0.5, 1.0], LOST, id="lost by a server that left"
        ),
        pytest.param(POST, [REFUSED, REFUSED, OK], [0.5, 1.0], 200, id="a POST never sent"),
        pytest.param(POST, [UNREACHED, OK], [0.5], 200, id="a POST that reached nobody in time"),
        pytest.param(POST, [REFUSED, LOST], [0.5], LOST, id="never sent, then lost"),
        pytest.param(POST, [status(429), OK], [0.5], 200, id="a POST at 429"),
        *(
            pytest.param(request, [status(number)], [], number, id=f"{request.method} at {number}")
            for request in (GET, POST)
            for number in (400, 401, 402, 403, 404, 409, 410, 422)
        ),
        *(
            pytest.param(GET, [status(number), OK], [0.5], 200, id=f"GET at {number}")
            for number in (408, 429, 500, 502, 504, 599)
        ),
        pytest.param(POST, [status(408)], [], 408, id="POST at 408"),
    ],
)
def test_what_is_repeated(
    request_: Request, script: list[Answer], slept: list[float], expected: int | TransportError
) -> None:
    outside = Scripted(*script)
    assert result(outside, request_, Retry()) == expected
    assert (outside.slept, len(outside.requests)) == (slept, len(script))


@pytest.mark.parametrize("request_", [GET, POST], ids=str)
@pytest.mark.parametrize(
    ("answer", "repeated"),
    [
        (status(400, x_should_retry="true"), True),
        (status(409, x_should_retry="true"), True),
        (status(500, x_should_retry="true"), True),
        (status(429, x_should_retry="false"), False),
        (status(503, x_should_retry="false"), False),
        (status(503, x_should_retry="false", retry_after="1"), False),
        (status(409, x_should_retry="maybe"), False),
    ],
)
def test_the_servers_word_is_obeyed(request_: Request, answer: Response, repeated: bool) -> None:
    outside = Scripted(answer, OK)
    assert result(outside, request_, Retry()) == (200 if repeated else answer.status)


@pytest.mark.parametrize(
    ("headers", "slept"),
    [
        ({"retry_after": "7"}, [7.0]),
        ({"retry_after": "0"}, [0.0]),
        ({"retry_after": formatdate(NOON + 9, usegmt=True)}, [9.0]),
        ({"retry_after_ms": "1500", "retry_after": "7"}, [1.5]),
        ({"retry_after": "120"}, [120.0]),
        ({"retry_after": "soon"}, [0.5]),
        ({"retry_after": "-1"}, [0.5]),
        ({"retry_after": "inf"}, [0.5]),
    ],
)
@pytest.mark.parametrize("number", [429, 503])
def test_the_server_says_how_long_to_wait(
    number: int, headers: dict[str, str], slept: list[float]
) -> None:
    outside = Scripted(status(number, **headers), OK)
    assert result(outside, GET, Retry()) == 200
    assert outside.slept == slept


@pytest.mark.parametrize("asked", ["121", "99999", formatdate(NOON + 3600, usegmt=True)])
def test_too_long_a_wait_is_given_up_at_once(asked: str) -> None:
    outside = Scripted(status(429, retry_after=asked), OK)
    assert result(outside, GET, Retry()) == 429
    assert outside.slept == []


@pytest.mark.parametrize(
    ("deadline", "slept", "expected"),
    [(1000.4, [], 503), (1000.5, [], 503), (1001.0, [0.5], 503), (1009.0, [0.5, 1.0], 200)],
)
def test_no_wait_goes_past_the_deadline(deadline: float, slept: list[float], expected: int) -> None:
    outside = Scripted(BUSY, BUSY, OK)
    assert result(outside, Request("GET", "/", deadline=deadline), Retry()) == expected
    assert outside.slept == slept


@pytest.mark.parametrize(
    ("chances", "slept"),
    [
        ([0.0, 0.0, 0.0, 0.0], [0.5, 1.0, 2.0, 3.0]),
        ([1.0, 0.5, 0.0, 1.0], [0.375, 0.875, 2.0, 2.25]),
    ],
)
def test_waits_double_up_to_the_longest_less_a_quarter_by_chance(
    chances: list[float], slept: list[float]
) -> None:
    outside = Scripted(*[BUSY] * 4, OK, chances=chances)
    assert result(outside, GET, Retry(4, longest_delay=3.0)) == 200
    assert outside.slept == slept


def test_waits_grow_by_another_factor_where_told() -> None:
    outside = Scripted(*[BUSY] * 3, OK)
    assert result(outside, GET, Retry(3, factor=3.0)) == 200
    assert outside.slept == [0.5, 1.5, 4.5]


def test_patience_may_be_endless() -> None:
    outside = Scripted(*[BUSY] * 1100, OK)
    assert result(outside, GET, Retry(10_000)) == 200
    assert outside.slept[-1] == 8.0


@pytest.mark.parametrize("max_retries", [0, 1, 3])
def test_a_request_is_repeated_so_often_at_most(max_retries: int) -> None:
    outside = Scripted(*[BUSY] * 9)
    assert result(outside, GET, Retry(max_retries)) == 503
    assert len(outside.requests) == max_retries + 1


@pytest.mark.parametrize(
    ("retry", "script", "expected"),
    [
        (Retry(repeats_lost_posts=True), [LOST, OK], 200),
        (Retry(repeats_lost_posts=True), [LATE, OK], 200),
        (Retry(repeats_lost_posts=True, repeats_late_posts=False), [LATE, OK], LATE),
        (Retry(repeats_lost_posts=True, repeats_late_posts=False), [LOST, OK], 200),
        (Retry(repeats_lost_posts=True), [BUSY], 503),
        (Retry(repeats_failed_posts=True), [BUSY, OK], 200),
        (Retry(repeats_failed_posts=True), [LOST], LOST),
        (Retry(repeats_failed_posts=True), [status(408)], 408),
        (Retry(repeats_failed_posts=True), [status(409)], 409),
    ],
)
def test_a_post_is_repeated_where_a_document_promises_it(
    retry: Retry, script: list[Answer], expected: int | TransportError
) -> None:
    assert result(Scripted(*script), POST, retry) == expected


@pytest.mark.parametrize(
    ("answer", "request_", "expected"),
    [
        (status(200, idempotency_key="k0"), KEYED, 200),
        (status(400, idempotency_key="k0"), KEYED, 200),
        (status(200), KEYED, LOST),
        (status(200, idempotency_key="k0"), POST, LOST),
    ],
)
def test_a_lost_post_is_repeated_once_the_server_is_known_to_honour_keys(
    answer: Response, request_: Request, expected: int | TransportError
) -> None:
    outside, retry = Scripted(answer, LOST, OK), Retry()
    run_inline(retry(KEYED, outside))
    assert result(outside, request_, retry) == expected


@pytest.mark.parametrize(
    "replayed", [status(402, idempotency_key="k1"), status(422, idempotency_key="k1")]
)
def test_what_a_repetition_is_told_is_the_answer(replayed: Response) -> None:
    outside, retry = Scripted(status(200, idempotency_key="k0"), LOST, replayed), Retry()
    run_inline(retry(KEYED, outside))
    assert result(outside, KEYED, retry) == replayed.status


def test_whether_keys_are_honoured_is_asked_once_and_without_a_body() -> None:
    outside = Scripted(LOST, KEPT, OK, LOST, OK)
    request, retry = msgspec.structs.replace(KEYED, body=b"paid", streamed=True), Retry()
    assert [result(outside, request, retry) for _ in range(2)] == [200, 200]
    sent = [(one.method, one.body, one.streamed) for one in outside.requests]
    paid = ("POST", b"paid", True)
    assert sent == [paid, ("OPTIONS", b"", False), paid, paid, paid]


def test_a_late_post_is_repeated_once_the_server_is_known_to_heed_keys() -> None:
    outside, retry = Scripted(KEPT, LATE, OK), Retry()
    assert [result(outside, KEYED, retry) for _ in range(2)] == [200, 200]


@pytest.mark.parametrize(
    ("connect", "deadline", "until"),
    [(10.0, None, 1005.0), (None, None, 1005.0), (2.0, None, 1002.0), (10.0, 1003.0, 1003.0)],
)
def test_a_server_is_not_asked_for_long(
    connect: float | None, deadline: float | None, until: float
) -> None:
    request = msgspec.structs.replace(KEYED, timeouts=Timeouts(connect), deadline=deadline)
    outside = Scripted(LOST, status(404))
    assert result(outside, request, Retry()) is LOST
    assert outside.requests[1].deadline == until


@pytest.mark.parametrize(("answer", "told"), [(OK, []), (KEPT, [0.5])])
def test_a_hook_is_told_only_of_what_is_repeated(answer: Response, told: list[float]) -> None:
    waits: list[float] = []
    retry = Retry(on_retry=lambda request, delay, cause: waits.append(delay))
    result(Scripted(LOST, answer, OK), KEYED, retry)
    assert waits == told


@pytest.mark.parametrize("request_", [GET, going_on()], ids=["read", "gone on with"])
@pytest.mark.parametrize("number", [429, 500, 502, 503])
def test_how_a_turn_ended_is_not_asked_again(request_: Request, number: int) -> None:
    settled = status(number, x_chatloom_turn="t1", retry_after="1")
    assert result(Scripted(settled), request_, Retry()) == number


def test_a_streamed_post_whose_head_was_lost_is_repeated_with_its_key() -> None:
    streamed = msgspec.structs.replace(KEYED, streamed=True)
    outside, retry = Scripted(status(200, idempotency_key="k0"), LOST, arriving(b"once")), Retry()
    run_inline(retry(KEYED, outside))
    assert run_inline(retry(streamed, outside)).arriving is not None
    first, again = outside.requests[1:]
    assert again.header("idempotency-key") == first.header("idempotency-key") == "k1"


def test_honouring_keys_is_learnt_within_one_call_too() -> None:
    outside = Scripted(status(429, idempotency_key="k1"), LOST, OK)
    assert result(outside, KEYED, Retry()) == 200


def test_what_is_marked_repeatable_is_repeated_when_it_is_lost() -> None:
    request = Request("POST", "/turns/t1/cancel", repeatable=True)
    assert result(Scripted(LOST, LATE, OK), request, Retry()) == 200


@pytest.mark.parametrize("most", [0, 1])
def test_whoever_wants_no_repetitions_waits_for_no_server(most: int) -> None:
    request = Request("GET", "/turns/t1/events", awaited_since=1000.0, max_retries=most)
    assert result(Scripted(*[REFUSED] * 9, OK), request, Retry()) == (200 if most else REFUSED)


def test_attempts_are_told_by_the_answer() -> None:
    response = run_inline(Retry()(GET, Scripted(BUSY, LOST, OK)))
    assert response.attempts == 3


def test_attempts_are_told_by_the_error() -> None:
    lost = TransportError("lost")
    outside = Scripted(BUSY, LOST, lost)
    assert result(outside, GET, Retry()) is lost
    assert lost.attempts == 3


def test_each_repetition_is_counted_for_the_server() -> None:
    outside = Scripted(BUSY, BUSY, OK)
    run_inline(Retry()(GET, outside))
    counts = [request.header("x-stainless-retry-count") for request in outside.requests]
    assert counts == [None, "1", "2"]


def test_each_attempt_carries_the_same_key() -> None:
    outside = Scripted(status(429), REFUSED, OK, chances=[0.1, 0.2, 0.3, 0.4])
    run_inline(guard(outside, [Identify(), Retry()]).send(POST))
    keys = [request.header("idempotency-key") for request in outside.requests]
    assert len(keys) == 3
    assert len({*keys, None}) == 2


def test_a_refused_attempt_gives_its_connection_back_before_the_next() -> None:
    bodies = [Body(b"busy") for _ in range(3)]
    held: list[list[bool]] = []

    class Watched(Scripted):
        async def sleep(self, seconds: float) -> None:
            held.append([body.is_held for body in bodies])

    outside = Watched(*(Response(503, arriving=body) for body in bodies))
    response = run_inline(Retry()(Request("GET", "/", streamed=True), outside))
    assert held == [[False, True, True], [False, False, True]]
    assert response.arriving is bodies[-1]


def test_cancelling_while_waiting_leaks_nothing_and_repeats_nothing() -> None:
    body = Body(b"busy")

    class Slow(Scripted):
        async def sleep(self, seconds: float) -> None:
            waiting.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(Retry()(GET, outside))
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    waiting, outside = asyncio.Event(), Slow(Response(503, arriving=body), OK)
    asyncio.run(main())
    assert (body.closed, len(outside.requests)) == (1, 1)


@pytest.mark.parametrize("stop", [ValueError("a fault"), KeyError("of ours")])
def test_only_what_happened_on_the_way_is_repeated(stop: Exception) -> None:
    outside = Scripted(stop, OK)
    with pytest.raises(type(stop)):
        run_inline(Retry()(GET, outside))
    assert len(outside.requests) == 1


@pytest.mark.parametrize(
    ("request_", "script", "slept", "expected"),
    [
        pytest.param(going_on(), [OK], [], 200, id="at once"),
        pytest.param(going_on(3), [OK], [1.0], 200, id="in vain before"),
        pytest.param(going_on(), [REFUSED] * 5 + [OK], [0.5, 1, 2, 2, 2], 200, id="starting anew"),
        pytest.param(
            going_on(), [status(502)] * 4 + [OK], [0.5, 1, 2, 2], 200, id="behind a proxy"
        ),
        pytest.param(going_on(), [LOST] * 4 + [OK], [0.5, 1, 2, 2], 200, id="behind a tunnel"),
        pytest.param(going_on(), [UNREACHED] * 3 + [OK], [0.5, 1, 2], 200, id="unreached"),
        pytest.param(going_on(), [LATE] * 3, [0.5, 1], LATE, id="silent"),
        pytest.param(going_on(), [status(500)] * 3, [0.5, 1], 500, id="failing"),
        pytest.param(going_on(since=969.0), [REFUSED] * 3, [0.5, 1], REFUSED, id="long since"),
        pytest.param(going_on(), [status(503, x_should_retry="false")], [], 503, id="told not to"),
        pytest.param(going_on(), [status(410)], [], 410, id="gone"),
        pytest.param(going_on(deadline=1000.0), [], [], LOST, id="too late"),
        pytest.param(going_on(2, deadline=1000.5), [], [], LOST, id="too late to wait"),
        pytest.param(
            going_on(deadline=1001.5), [REFUSED] * 2, [0.5], REFUSED, id="too late to repeat"
        ),
    ],
)
def test_a_broken_answer_is_gone_on_with(
    request_: Request, script: list[Answer], slept: list[float], expected: int | TransportError
) -> None:
    outside = Scripted(*script)
    assert result(outside, request_, Retry()) == expected
    assert (sum(outside.slept), len(outside.requests)) == (sum(slept), len(script))
