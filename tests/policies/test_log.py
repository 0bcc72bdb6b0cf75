"""What is written down of a request, and what is not."""

from __future__ import annotations

import pytest

from chatloom.core.errors import ConnectError
from chatloom.core.http import Request, Response
from chatloom.core.inline import run_inline
from chatloom.core.outside import Policy, guard
from chatloom.core.secret import Secret
from chatloom.policies.authorize import Authorize
from chatloom.policies.log import Log
from chatloom.policies.retry import Retry
from support.scripted import Scripted

GET = Request("GET", "/v1/models")


def test_each_attempt_is_a_line() -> None:
    lines: list[str] = []
    outside = Scripted(Response(503), Response(200, {"x-request-id": "r1"}))
    run_inline(guard(outside, [Retry(), Log(lines.append)]).send(GET))
    assert [line.partition(" in ")[0] for line in lines] == [
        "GET /v1/models: 503",
        "GET /v1/models: 200",
    ]
    assert lines[1].endswith("request r1")


def test_a_lost_request_is_a_line_too() -> None:
    lines: list[str] = []
    with pytest.raises(ConnectError):
        run_inline(Log(lines.append)(GET, Scripted(ConnectError("GET /v1/models: refused"))))
    assert lines[0].startswith("GET /v1/models: refused (")


def test_nothing_secret_is_written() -> None:
    lines: list[str] = []
    policies: list[Policy] = [Authorize(Secret("canary-secret")), Log(lines.append)]
    request = Request("POST", "/v1/x", body=b"canary-body")
    run_inline(guard(Scripted(Response(200, body=b"canary-answer")), policies).send(request))
    assert "canary" not in "".join(lines)
