"""What is done around each attempt."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatloom.core.http import UNREADABLE, Request, Response
from chatloom.core.outside import Outside, Policy, guard
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from puter.answers import is_refusal, refusal_status
from puter.credentials import Credentials


def signing(token: Secret, around: Sequence[Policy]) -> Policy:
    """Sign each attempt, within *around*."""
    return _within([*around, Authorize(token), say_by_status])


def hiding(who: Credentials, around: Sequence[Policy]) -> Policy:
    """Keep the password of a login out of its errors, some of which repeat what was sent."""

    async def hide(request: Request, outside: Outside, /) -> Response:
        response = await outside.send(request)
        if response.status >= 400 and (password := who.password):
            body = await response.read()
            response.body = _without(password.reveal(), body)
        return response

    return _within([*around, hide, say_by_status])


def _without(password: str, body: bytes) -> bytes:
    """Blank *password* out, where it is told for its own sake.

    One that is a word like others stays within sentences: there a gap would tell what it is.
    """
    spelled = msgspec.json.encode(password)
    body = body.replace(spelled, b'"[password]"')
    is_word = len(password) < 8 or password.isalpha()
    return body if is_word else body.replace(spelled[1:-1], b"[password]")


def _within(policies: Sequence[Policy]) -> Policy:
    async def all_of_them(request: Request, outside: Outside, /) -> Response:
        return await guard(outside, policies).send(request)

    return all_of_them


async def say_by_status(request: Request, outside: Outside, /) -> Response:
    """Give a failure that an older service tells with status 200 the status that it means.

    So it is repeated, measured and raised like any other.
    """
    response = await outside.send(request)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    if response.status != 200 or not (is_json or response.arriving is None):
        return response
    body = await response.read()
    try:
        told = msgspec.json.decode(body) if b'"success"' in body else None
    except UNREADABLE:
        told = None
    if is_refusal(told):
        response.status = refusal_status(told)
    elif request.streamed:
        response.arriving = _Whole(body)
    return response


class _Whole:
    """The body of a streamed answer that came as a whole."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def close(self) -> None: ...

    async def finish(self) -> None: ...

    def abandon(self) -> None: ...
