"""What the document promises of the package itself."""

from __future__ import annotations

import pytest

import chatserver_sdk
import chatserver_sdk.exceptions

DOCUMENTED = {
    "BadRequestError": 400,
    "UnauthorizedError": 401,
    "ForbiddenError": 403,
    "NotFoundError": 404,
    "RateLimitError": 429,
    "InternalServerError": 500,
}


@pytest.mark.parametrize(("name", "status"), DOCUMENTED.items())
def test_documented_exceptions_are_in_both_places(name: str, status: int) -> None:
    error = getattr(chatserver_sdk.exceptions, name)("why", status, {"error": "why"})
    assert isinstance(error, chatserver_sdk.ChatServerError)
    assert getattr(chatserver_sdk, name) is type(error)
    assert (error.message, error.status_code, error.response) == ("why", status, {"error": "why"})


def test_create_client_makes_a_client() -> None:
    with chatserver_sdk.create_client(api_key="key") as client:
        assert isinstance(client, chatserver_sdk.ChatServerClient)
        assert "key" not in repr(client.api_key)
