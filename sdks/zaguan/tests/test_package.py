"""What the document promises of the package itself."""

from __future__ import annotations

import pytest

import zaguan
import zaguan.client
import zaguan.errors
import zaguan.models

MODELS = [
    *("Config", "Message", "ChatRequest", "TokenDetails", "Usage", "Choice", "ChatResponse"),
    *("ChatChunk", "ChoiceDelta", "ModelInfo", "ModelCapabilities", "CreditsBalance"),
]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("client", "ZaguanClient"),
        ("client", "AsyncZaguanClient"),
        *(("models", name) for name in MODELS),
        ("errors", "ZaguanError"),
        ("errors", "APIError"),
    ],
)
def test_documented_names_are_in_both_places(module: str, name: str) -> None:
    assert getattr(getattr(zaguan, module), name) is getattr(zaguan, name)


def test_a_client_is_made_as_the_document_says() -> None:
    with zaguan.ZaguanClient(base_url="http://localhost:8080/", api_key="key") as client:
        assert (client.base_url, client.timeout) == ("http://localhost:8080", 30.0)
        assert "key" not in repr(client.api_key)


def test_errors_are_made_as_the_document_says() -> None:
    error = zaguan.APIError(404, "no such model", "r1")
    assert isinstance(error, zaguan.ZaguanError)
    assert (str(error), error.status_code, error.request_id) == ("no such model", 404, "r1")
