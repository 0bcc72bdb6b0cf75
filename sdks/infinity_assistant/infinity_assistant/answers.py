"""How answers are read: one function per shape in which the services tell something.

They are lenient: whatever is told is kept, and what one kind of server leaves out is
filled in where it is known. What is no JSON object, or says that it is no success, is
no answer. They raise one of `chatloom.core.http.UNREADABLE`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

import msgspec

from chatloom.core.complaint import Complaint
from chatloom.core.http import JSON, Response
from chatloom.core.operations import typed
from infinity_assistant.types import (
    ApiKeyListResponse,
    ApiKeyResponse,
    ChatHistoryResponse,
    ChatResponse,
    DeleteResponse,
    HealthResponse,
    KnowledgeEntryResponse,
    KnowledgeListResponse,
    KnowledgeSearchResponse,
    MemoryListResponse,
    MemoryRetrieveResponse,
    MemoryStoreResponse,
    ResearchResponse,
    WebhookListResponse,
    WebhookResponse,
)

T = TypeVar("T")
Object = dict[str, JSON]

objects = typed(Object)
"""Read a JSON object."""


def told(body: bytes) -> Object:
    """Read a success; an empty body is one that tells nothing else.

    What stands under ``data`` is told beside it too.
    """
    answer = objects(body) if body.strip() else {}
    if is_refusal(answer):
        reason = Complaint.of(Response(200, {}, body), 0.0).message
        raise msgspec.ValidationError(f"it says that it is no success: {reason or 'no reason'}")
    return {"success": True, **camelised(mapping(answer.get("data"))), **answer}


def is_refusal(answer: Object) -> bool:
    """Whether an answer says that it is no success."""
    success = answer.get("success")
    return success is False or (success is not True and bool(answer.get("error")))


def mapping(value: JSON) -> Object:
    """An object; an empty one for what is none."""
    return value if isinstance(value, dict) else {}


def camelised(value: Mapping[str, JSON]) -> Object:
    """Have what is named in snake_case by its name in camelCase too."""
    twins = {_SNAKE.sub(lambda found: found[1].upper(), name): one for name, one in value.items()}
    return {**twins, **value}


_SNAKE = re.compile(r"(?<=[a-z0-9])_([a-z])")


def _dicts(value: JSON) -> list[JSON]:
    items = value if isinstance(value, list) else []
    return [item for item in items if isinstance(item, dict)]


def _text(*candidates: JSON) -> str:
    return next((text for text in candidates if isinstance(text, str)), "")


def _listing(name: str, other: str = "") -> Callable[[bytes], Object]:
    """Read an answer with a list by *name* or the *other*, empty where it has none."""

    def listed(body: bytes) -> Object:
        answer = told(body)
        return {**answer, name: _dicts(answer.get(name, answer.get(other)))}

    return listed


def _page(name: str, other: str = "") -> Callable[[bytes], Object]:
    """Read a page of *name* or the *other*, with the cursor of the next one."""
    read = _listing(name, other)

    def paged(body: bytes) -> Object:
        return {"nextCursor": None, **read(body)}

    return paged


def _holding(name: str) -> Callable[[bytes], Object]:
    """Read an answer with an object by *name*; it may be the answer itself."""

    def held(body: bytes) -> Object:
        answer = told(body)
        if mapping(answer.get(name)):
            return answer
        if "id" not in answer:
            raise msgspec.ValidationError(f"it holds no {name}")
        return {"success": True, name: answer}

    return held


def _as(kind: type[T], read: Callable[[bytes], Object]) -> Callable[[bytes], T]:
    """Let what *read* gives be known as *kind*, a TypedDict."""
    return cast("Callable[[bytes], T]", read)


# Chat


def exchange(answer: Object) -> ChatResponse:
    """Complete an answer in words. Raises `msgspec.ValidationError` where there are none."""
    if not isinstance(answer.get("response"), str):
        raise msgspec.ValidationError("it holds no response")
    beside = {name: answer[name] for name in _BESIDE if name in answer}
    metadata = {**beside, **camelised(mapping(answer.get("metadata")))}
    own: Object = {
        "success": True,
        **answer,
        "conversationId": _text(answer.get("conversationId"), metadata.get("conversationId")),
        "messageId": _text(answer.get("messageId"), metadata.get("messageId")),
        "metadata": metadata,
    }
    return cast("ChatResponse", own)


_BESIDE = ("model", "tokensUsed", "processingTime", "timestamp")
"""What some servers tell of an answer beside it, and others in its metadata."""


def chat(body: bytes) -> ChatResponse:
    """Read an answer in words."""
    return exchange(told(body))


history = _as(ChatHistoryResponse, _listing("messages"))


# Knowledge, memory, research


def found(body: bytes) -> KnowledgeSearchResponse:
    """Read what a search has found."""
    answer = told(body)
    results = _dicts(answer.get("results"))
    own = {"total": len(results), **answer, "results": results}
    return cast("KnowledgeSearchResponse", own)


def stored(body: bytes) -> MemoryStoreResponse:
    """Read whether something is kept."""
    return cast("MemoryStoreResponse", {"stored": True, **told(body)})


def retrieved(body: bytes) -> MemoryRetrieveResponse:
    """Read what was kept; where a server does not say whether it was, a value tells."""
    answer = told(body)
    value = answer.get("value")
    return cast("MemoryRetrieveResponse", {"value": None, "found": value is not None, **answer})


def research(body: bytes) -> ResearchResponse:
    """Read what was found out, told at the top or within ``result``."""
    answer = told(body)
    result = mapping(answer.get("result"))
    synthesis = mapping(result.get("synthesis"))
    places = (answer.get("results"), result.get("results"), result.get("sources"))
    own: Object = {
        **answer,
        "results": _dicts(next((place for place in places if isinstance(place, list)), None)),
        "summary": _text(answer.get("summary"), synthesis.get("summary")),
        "citations": _dicts(answer.get("citations")),
        "metadata": camelised(mapping(answer.get("metadata"))),
    }
    return cast("ResearchResponse", own)


memories = _as(MemoryListResponse, _page("entries", "memories"))
knowledge = _as(KnowledgeListResponse, _page("entries"))
entry = _as(KnowledgeEntryResponse, _holding("entry"))


def entry_named(id: str) -> Callable[[bytes], KnowledgeEntryResponse]:
    """Read the one entry with this id; it may be told in a list."""

    def named(body: bytes) -> KnowledgeEntryResponse:
        listed = knowledge(body)
        for one in listed["entries"]:
            if one.get("id") == id:
                return {"success": True, "entry": one}
        return entry(body)

    return named


# Keys, webhooks, health, and what is gone

api_keys = _as(ApiKeyListResponse, _listing("apiKeys"))
api_key = _as(ApiKeyResponse, _holding("apiKey"))
webhooks = _as(WebhookListResponse, _listing("webhooks"))
webhook = _as(WebhookResponse, _holding("webhook"))
health = _as(HealthResponse, objects)
deleted = _as(DeleteResponse, told)
