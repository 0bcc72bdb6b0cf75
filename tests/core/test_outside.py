"""Policies around the outside world."""

from __future__ import annotations

from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Outside, guard
from support.scripted import NOON, Scripted

OK = Response(200)


class Tag:
    """Adds its name to a request, and to the answer."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, request: Request, outside: Outside, /) -> Response:
        response = await outside.send(request.with_header("tag", self._name))
        return Response(response.status, body=response.body + self._name.encode())


def test_the_first_policy_sees_a_request_first_and_its_answer_last() -> None:
    outside = Scripted(OK)
    answer = run_inline(guard(outside, [Tag("a"), Tag("b")]).send(Request("GET", "/")))
    assert outside.requests[0].headers == (("tag", "a"), ("tag", "b"))
    assert answer.body == b"ba"


def test_without_policies_the_world_is_as_it_was() -> None:
    outside = Scripted()
    assert guard(outside, []) is outside


def test_only_sending_is_guarded() -> None:
    outside = Scripted(chances=[0.5])
    guarded = guard(outside, [Tag("a"), Tag("b")])

    async def use() -> None:
        await guarded.sleep(2)
        async with guarded.lock():
            await guarded.close()

    run_inline(use())
    assert (outside.slept, outside.is_closed) == ([2], True)
    assert (guarded.now(), guarded.wall_time(), guarded.random()) == (1002.0, NOON + 2, 0.5)
