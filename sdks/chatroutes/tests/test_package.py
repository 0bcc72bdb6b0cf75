"""What the document promises of the package itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import chatroutes
import chatroutes.client
import chatroutes.exceptions
import chatroutes.http_client
import chatroutes.resources.branches
import chatroutes.resources.conversations
import chatroutes.resources.messages
import chatroutes.types.conversation

TYPES = [
    *("Conversation", "Message", "Branch", "CreateConversationRequest", "SendMessageRequest"),
    *("SendMessageResponse", "CreateBranchRequest", "ForkConversationRequest", "ConversationTree"),
    *("TreeNode", "ListConversationsParams", "PaginatedResponse", "StreamChunk"),
]
ERRORS = {
    "ChatRoutesError": 500,
    "AuthenticationError": 401,
    "RateLimitError": 429,
    "ValidationError": 400,
    "NotFoundError": 404,
    "ServerError": 500,
    "NetworkError": 0,
}
METHODS = {
    "conversations": ["create", "list", "get", "update", "delete", "get_tree"],
    "messages": ["send", "stream", "list", "update", "delete"],
    "branches": ["list", "create", "fork", "update", "delete", "get_messages", "merge"],
    "http": ["get", "post", "patch", "delete", "stream"],
}


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (chatroutes.client, "ChatRoutes"),
        (chatroutes.http_client, "HttpClient"),
        (chatroutes.resources.conversations, "ConversationsResource"),
        (chatroutes.resources.messages, "MessagesResource"),
        (chatroutes.resources.branches, "BranchesResource"),
        *((chatroutes.types, name) for name in TYPES),
        *((chatroutes.types.conversation, name) for name in TYPES),
        *((chatroutes.exceptions, name) for name in ERRORS),
    ],
)
def test_documented_names_are_in_both_places(module: object, name: str) -> None:
    assert getattr(module, name) is getattr(chatroutes, name)


@pytest.mark.parametrize(("name", "status"), ERRORS.items())
def test_errors_are_made_as_the_document_says(name: str, status: int) -> None:
    error = getattr(chatroutes, name)("why")
    assert isinstance(error, chatroutes.ChatRoutesError)
    assert (str(error), error.status_code, error.details) == ("why", status, None)


@pytest.mark.parametrize("client", [chatroutes.ChatRoutes, chatroutes.AsyncChatRoutes])
def test_a_client_has_everything_that_is_documented(
    client: type[chatroutes.ChatRoutes | chatroutes.AsyncChatRoutes],
) -> None:
    made = client(
        api_key="key",
        base_url="https://x.test/api/v1",
        timeout=30,
        retry_attempts=3,
        retry_delay=1.0,
    )
    assert (made.base_url, made.timeout) == ("https://x.test/api/v1", 30.0)
    assert "key" not in repr(made.api_key)
    for group, names in METHODS.items():
        assert all(callable(getattr(getattr(made, group), name)) for name in names)


def test_the_structure_is_as_it_is_told() -> None:
    here = Path(chatroutes.__file__).parent
    told = (Path(__file__).parents[1] / "STRUCTURE.md").read_text("utf-8")
    assert sorted(re.findall(r"\w+\.py\b", told)) == sorted(
        path.name for path in here.rglob("*.py")
    )
