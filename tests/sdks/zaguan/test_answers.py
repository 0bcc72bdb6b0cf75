"""What the Zaguan SDK makes of an answer: tolerant of what servers really say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatloom.core.engine import Engine, RawSync, Sync
from chatloom.core.http import Response
from support.scripted import Scripted
from zaguan import (
    ChatRequest,
    CreditsHistoryEntry,
    EmbeddingsRequest,
    Message,
    ModelInfo,
    UnreadableAnswerError,
    ZaguanError,
)
from zaguan.errors import documented
from zaguan.operations import Zaguan

HI = ChatRequest(model="m", messages=[Message(role="user", content="hi")])


def answering(*bodies: Any) -> Zaguan[Sync]:
    script = [Response(200, {"x-request-id": "r1"}, json.dumps(body).encode()) for body in bodies]
    return Zaguan(Engine(Sync, Scripted(*script), named=documented))


@pytest.mark.parametrize(
    "body",
    [
        {"object": "list", "data": [{"id": "m", "owned_by": None, "x": 1}]},
        {"data": [{"id": "m", "x": 1}, "what?"]},
        {"models": [{"id": "m", "x": 1}]},
        [{"id": "m", "x": 1}],
    ],
)
def test_models_are_listed(body: Any) -> None:
    (found,) = answering(body).list_models()
    assert found == ModelInfo.parse_obj({"id": "m", "x": 1})


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": []}, [], None])
def test_there_may_be_no_models(body: Any) -> None:
    assert answering(body).list_models() == []


SEES = {"supports_vision": True, "supports_tools": True, "supports_reasoning": False}


@pytest.mark.parametrize(
    "body",
    [
        [{"model_id": "m", **SEES}],
        [{"id": "m", **SEES}],
        {"models": [{"model_id": "m", **SEES}]},
        {"capabilities": {"m": SEES}},
        {"capabilities": [{"model_id": "m", **SEES}]},
        {"object": "list", "data": [{"model_id": "m", **SEES}]},
    ],
)
def test_capabilities_are_read_in_every_shape(body: Any) -> None:
    (found,) = answering(body).get_capabilities()
    assert (found.model_id, found.supports_vision, found.supports_reasoning) == ("m", True, False)


@pytest.mark.parametrize("body", [{}, 5, None, "no", {"models": 5}, [5], [{}]])
def test_what_holds_no_capabilities_is_an_error(body: Any) -> None:
    with pytest.raises(UnreadableAnswerError, match="not what it should be"):
        answering(body).get_capabilities()


CAPABLE = [
    {"model_id": "a/1", "provider": "a", "supports_vision": True},
    {"model_id": "b/1", "provider": "b", "supports_tools": True, "supports_reasoning": True},
    {"model_id": "c/1", "supports_vision": True, "supports_tools": True},
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["a/1", "b/1", "c/1"]),
        ({"provider": "b"}, ["b/1", "c/1"]),
        ({"supports_vision": True}, ["a/1", "c/1"]),
        ({"supports_vision": False}, ["b/1"]),
        ({"supports_tools": True, "supports_reasoning": False}, ["c/1"]),
    ],
)
def test_filters_hold_also_where_a_server_does_not_heed_them(
    wanted: dict[str, Any], found: list[str]
) -> None:
    assert [one.model_id for one in answering(CAPABLE).get_capabilities(**wanted)] == found


def test_health_is_told() -> None:
    health = answering({"status": "ok", "timestamp": 5, "version": "1", "x": 2}).health_check()
    assert (health.status, health.timestamp, health.version) == ("ok", 5, "1")
    assert health.model_extra == {"x": 2}


def test_embeddings_are_numbers_or_text() -> None:
    items: list[dict[str, Any]] = [
        {"index": 0, "embedding": [0.5, 1]},
        {"index": 1, "embedding": "AAAA"},
    ]
    answer = answering({"data": items, "model": "m"}).create_embeddings(
        EmbeddingsRequest(model="m", input=["a", "b"])
    )
    assert [item.embedding for item in answer.data] == [[0.5, 1.0], "AAAA"]
    assert answer.usage.total_tokens == 0


NONSENSE = [b"", b"null", b"[]", b'"hi"', b"5", b"<html>", b"{}", b'{"id": "\xff"}', b"[" * 100_000]


@pytest.mark.parametrize("body", NONSENSE, ids=lambda body: repr(body[:10]))
def test_an_answer_that_makes_no_sense_is_an_error(body: bytes) -> None:
    outside = Scripted(Response(200, {"x-request-id": "r1"}, body))
    with pytest.raises(ZaguanError, match="not what it should be") as caught:
        Zaguan(Engine(Sync, outside, named=documented)).chat(HI)
    assert type(caught.value) is UnreadableAnswerError
    assert (caught.value.status_code, caught.value.request_id) == (200, "r1")


def entries(*ids: str) -> list[dict[str, str]]:
    return [{"id": id_} for id_ in ids]


PAGES: dict[str, tuple[list[Any], list[dict[str, str]]]] = {
    "cursors": (
        [
            {"entries": entries("1", "2"), "next_cursor": "b"},
            {"entries": entries("3"), "next_cursor": None},
        ],
        [{}, {"cursor": "b"}],
    ),
    "counted pages": (
        [
            {"entries": entries("1", "2"), "total": 3, "page": 1, "page_size": 2},
            {"entries": entries("3"), "total": 3, "page": 2, "page_size": 2},
        ],
        [{}, {"page": "2"}],
    ),
    "has_more": (
        [
            {"entries": entries("1", "2"), "has_more": True, "next_cursor": "b"},
            {"entries": entries("3"), "has_more": False, "next_cursor": "c"},
        ],
        [{}, {"cursor": "b"}],
    ),
    "has_more alone": (
        [{"entries": entries("1", "2"), "has_more": True}, {"entries": entries("3")}],
        [{}, {"page": "2"}],
    ),
    "a cursor told again": (
        [
            {"entries": entries("1", "2"), "next_cursor": "b"},
            {"entries": entries("3"), "next_cursor": "b"},
        ],
        [{}, {"cursor": "b"}],
    ),
    "an empty page": (
        [
            {"entries": entries("1", "2", "3"), "next_cursor": "b"},
            {"entries": [], "next_cursor": "c"},
        ],
        [{}, {"cursor": "b"}],
    ),
    "a page told again": (
        [
            {"entries": entries("1", "2"), "total": 9, "page": 1, "page_size": 2},
            {"entries": entries("3"), "total": 9, "page": 1, "page_size": 2},
        ],
        [{}, {"page": "2"}],
    ),
    "one page": ([{"entries": entries("1", "2", "3")}], [{}]),
}


@pytest.mark.parametrize(("pages", "queries"), PAGES.values(), ids=PAGES)
def test_every_page_is_gone_through(pages: list[Any], queries: list[dict[str, str]]) -> None:
    script = [Response(200, {}, json.dumps(page).encode()) for page in pages]
    outside = Scripted(*script)
    found = Zaguan(Engine(Sync, outside, named=documented)).iter_credits_history()
    assert isinstance(first := next(found), CreditsHistoryEntry)
    assert [first.id, *(entry.id for entry in found)] == ["1", "2", "3"]
    assert [dict(request.query) for request in outside.requests] == queries
    assert len({request.header("x-request-id") for request in outside.requests}) == 1


def test_a_raw_answer_has_its_response_beside_it() -> None:
    outside = Scripted(Response(200, {"x-request-id": "r1"}, b'{"credits_remaining": 5.5}'))
    raw = Zaguan(Engine(RawSync, outside, named=documented)).get_credits_balance()
    assert (raw.parsed.credits_remaining, raw.request_id, raw.status_code) == (5, "r1", 200)
