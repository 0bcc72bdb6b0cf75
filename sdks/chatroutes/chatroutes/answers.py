"""How answers are read: one function per shape in which the services tell something.

They are lenient: whatever is told is kept, and what one kind of server leaves out is
filled in where it is known. What is no JSON object, or says that it is no success, is
no answer. They raise one of `chatloom.core.http.UNREADABLE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import msgspec

from chatloom.core.http import JSON
from chatloom.core.operations import typed
from chatroutes.pages import Page
from chatroutes.types import (
    Branch,
    Checkpoint,
    Conversation,
    Diff,
    HealthResponse,
    ListConversationsParams,
    Message,
    MessageUsage,
    PaginatedResponse,
    SearchResponse,
    SendMessageResponse,
    SuggestBranchesResponse,
)

T = TypeVar("T")
Object = dict[str, JSON]

_object = typed(Object)


def told(body: bytes) -> Object:
    """Read an object; an empty body tells nothing."""
    answer = _object(body) if body.strip() else {}
    if answer.get("success") is False:
        raise msgspec.ValidationError("it says that it is no success")
    return answer


def nothing(body: bytes) -> None:
    """Read what tells no more than that it was done."""
    told(body)


def inner(body: bytes) -> Object:
    """Find what is told: under ``data``, else in the answer itself."""
    answer = told(body)
    data = answer.get("data")
    return data if isinstance(data, dict) and data else answer


def held(body: bytes, name: str) -> Object:
    """Find a *name*: in ``data``, beside it, or as ``data`` or the answer itself."""
    answer = told(body)
    data = mapping(answer.get("data"))
    for place in (data.get(name), answer.get(name), data):
        if isinstance(place, dict) and place:
            return place
    return answer


def listed(body: bytes, name: str) -> Page[Object]:
    """Find a list of *name*: in ``data``, beside it, or as ``data`` itself; else it is empty.

    With it comes the cursor of what follows, where the server tells one.
    """
    answer = told(body)
    data = answer.get("data")
    places = mapping(data), answer
    found = next((place[name] for place in places if isinstance(place.get(name), list)), data)
    return Page(dicts(found), next(filter(None, map(following, places)), None))


def following(place: Mapping[str, JSON]) -> str | None:
    """The cursor of what follows; `None` where nothing does."""
    cursor = place.get("nextCursor")
    is_more = place.get("hasNext") is not False
    return cursor if isinstance(cursor, str) and cursor and is_more else None


def mapping(value: JSON) -> Object:
    """An object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def dicts(value: JSON) -> list[Object]:
    """The objects of a list; none for what is no list."""
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def _number(value: JSON, otherwise: int) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    return otherwise


def _first(places: Sequence[Mapping[str, JSON]], *names: str) -> JSON:
    """What the first of *places* tells by one of *names*."""
    found = (place[name] for name in names for place in places if place.get(name) is not None)
    return next(found, None)


# What is told within


def message(told: Object, conversation_id: str = "") -> Message:
    """Complete a message of a conversation, whose id some places leave out."""
    content = told.get("content")
    own = {**told, "content": "" if content is None else content}
    if conversation_id and not own.get("conversationId"):
        own["conversationId"] = conversation_id
    return cast("Message", own)


def branch(told: Object, conversation_id: str = "") -> Branch:
    """Complete a branch of a conversation."""
    own = dict(told)
    if conversation_id and not own.get("conversationId"):
        own["conversationId"] = conversation_id
    return cast("Branch", own)


def conversation(told: Object) -> Conversation:
    """Complete a conversation, and its messages and branches where it has them."""
    own = dict(told)
    id_ = told.get("id")
    known = id_ if isinstance(id_, str) else ""
    if "messages" in told:
        own["messages"] = cast("JSON", [message(one, known) for one in dicts(told["messages"])])
    if "branches" in told:
        own["branches"] = cast("JSON", [branch(one, known) for one in dicts(told["branches"])])
    return cast("Conversation", own)


def conversations(body: bytes, asked: ListConversationsParams) -> PaginatedResponse:
    """Read a page of conversations, told at the top or under ``data``."""
    answer = told(body)
    places = answer, mapping(answer.get("data"))
    return {
        "data": [conversation(one) for one in listed(body, "conversations").items],
        "total": _number(_first(places, "total"), 0),
        "page": _number(_first(places, "page"), asked.get("page", 1)),
        "limit": _number(_first(places, "limit"), asked.get("limit", 10)),
        "hasNext": _first(places, "hasNext") is True,
    }


def exchange(told: Object, conversation_id: str = "") -> SendMessageResponse:
    """Complete a question and its answer, told by any of three names.

    Raises `msgspec.ValidationError` where there is no answer.
    """
    named, answer = mapping(told.get("message")), mapping(told.get("assistantMessage"))
    question = mapping(told.get("userMessage"))
    if not question and named.get("role") == "user":
        question, named = named, {}
    if not (answer := answer or named):
        raise msgspec.ValidationError("it holds no message")
    metadata = mapping(answer.get("metadata"))
    said = cast("JSON", message(answer, conversation_id))
    own: Object = {
        **told,
        "message": said,
        "userMessage": cast("JSON", message(question, conversation_id)) if question else None,
        "assistantMessage": said,
        "usage": cast("JSON", usage(mapping(told.get("usage")), metadata)),
        "model": _first((told, metadata), "model") or "",
    }
    return cast("SendMessageResponse", own)


def exchanged(body: bytes, conversation_id: str) -> SendMessageResponse:
    """Read a question of a conversation and its answer."""
    return exchange(inner(body), conversation_id)


def usage(told: Object, metadata: Mapping[str, JSON]) -> MessageUsage:
    """Complete a usage; an answer's metadata may know it, too."""
    places = told, metadata
    prompt = _number(_first(places, "promptTokens", "prompt_tokens"), 0)
    completion = _number(_first(places, "completionTokens", "completion_tokens"), 0)
    total = _number(_first((told,), "totalTokens", "total_tokens"), prompt + completion)
    own: Object = {
        **told,
        "promptTokens": prompt,
        "completionTokens": completion,
        "totalTokens": total,
    }
    return cast("MessageUsage", own)


_SPELLINGS = {
    "conversation_id": "conversationId",
    "branch_id": "branchId",
    "anchor_message_id": "anchorMessageId",
    "token_count": "tokenCount",
    "created_at": "createdAt",
}


def checkpoint(told: Object) -> Checkpoint:
    """Complete a checkpoint: what it names in one spelling, it has in both."""
    own = dict(told)
    for snake, camel in _SPELLINGS.items():
        if (value := _first((told,), snake, camel)) is not None:
            own[snake] = own[camel] = value
    return cast("Checkpoint", own)


def suggestions(body: bytes) -> SuggestBranchesResponse:
    """Read suggestions, told at the top or under ``data``."""
    answer = told(body)
    place = answer if isinstance(answer.get("suggestions"), list) else inner(body)
    found = dicts(place.get("suggestions"))
    metadata: Object = {
        "detectionMethod": "pattern",
        "totalBranchPointsFound": len(found),
        "modelUsed": None,
        **mapping(place.get("metadata")),
    }
    own: Object = {
        **{name: value for name, value in place.items() if name not in {"data", "success"}},
        "suggestions": cast("JSON", found),
        "metadata": metadata,
    }
    return cast("SuggestBranchesResponse", own)


def search(body: bytes) -> SearchResponse:
    """Read a page of what was found."""
    page = listed(body, "hits")
    own: Object = {
        **inner(body),
        "hits": cast("JSON", page.items),
        "hasNext": page.following is not None,
        "nextCursor": page.following,
    }
    return cast("SearchResponse", own)


def diff(body: bytes) -> Diff:
    """Read two branches compared."""
    return cast("Diff", inner(body))


def health(body: bytes) -> HealthResponse:
    """Read whether something is well, told at the top or under ``data``."""
    return cast("HealthResponse", inner(body))
