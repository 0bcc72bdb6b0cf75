"""What the document promises of the package itself."""

from __future__ import annotations

import inspect

import pytest

import infinity_assistant
import infinity_assistant.async_client
import infinity_assistant.client
import infinity_assistant.exceptions
import infinity_assistant.types

TYPES = [
    *("ChatRequest", "ChatResponse", "ChatStreamChunk", "KnowledgeSearchRequest"),
    *("KnowledgeSearchResponse", "MemoryStoreRequest", "MemoryStoreResponse"),
    *("MemoryRetrieveRequest", "MemoryRetrieveResponse", "ResearchRequest", "ResearchResponse"),
    *("ApiKey", "Webhook"),
]
ERRORS = {
    "InfinityAssistantError": (None, None),
    "InfinityAssistantRateLimitError": ("RATE_LIMIT", 429),
    "InfinityAssistantTimeoutError": ("TIMEOUT", 408),
    "InfinityAssistantNetworkError": ("NETWORK_ERROR", 0),
}
METHODS = [
    *("chat", "chat_stream", "search_knowledge", "store_memory", "retrieve_memory", "research"),
    *("list_api_keys", "create_api_key", "delete_api_key"),
    *("list_webhooks", "create_webhook", "delete_webhook"),
    *("health", "set_api_key", "get_api_key", "close"),
]


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (infinity_assistant.client, "InfinityAssistantClient"),
        (infinity_assistant.async_client, "AsyncInfinityAssistantClient"),
        *((infinity_assistant.types, name) for name in TYPES),
        *((infinity_assistant.exceptions, name) for name in ERRORS),
    ],
)
def test_documented_names_are_in_both_places(module: object, name: str) -> None:
    assert getattr(module, name) is getattr(infinity_assistant, name)


@pytest.mark.parametrize(("name", "told"), ERRORS.items())
def test_errors_are_made_as_the_document_says(
    name: str, told: tuple[str | None, int | None]
) -> None:
    error = getattr(infinity_assistant, name)("why")
    assert isinstance(error, infinity_assistant.InfinityAssistantError)
    assert (error.message, error.code, error.status_code, error.response) == ("why", *told, None)
    assert str(error) == (f"{told[0]}: why" if told[0] else "why")


@pytest.mark.parametrize(
    "client",
    [
        infinity_assistant.InfinityAssistantClient,
        infinity_assistant.AsyncInfinityAssistantClient,
    ],
)
def test_a_client_has_everything_that_is_documented(
    client: type[
        infinity_assistant.InfinityAssistantClient | infinity_assistant.AsyncInfinityAssistantClient
    ],
) -> None:
    made = client(
        api_key="ia_your_api_key_here",
        base_url="https://x.test/api",
        timeout=60,
        max_retries=3,
        retry_delay=1.0,
    )
    assert (made.base_url, made.timeout) == ("https://x.test/api", 60.0)
    assert "ia_your" not in repr(made.api_key)
    assert made.get_api_key() == "ia_your_api_key_here"
    assert all(callable(getattr(made, name)) for name in METHODS)
    defaults = inspect.signature(client).parameters
    told = {name: defaults[name].default for name in ("timeout", "max_retries", "retry_delay")}
    assert told == {"timeout": 60, "max_retries": 3, "retry_delay": 1.0}
