"""The SDK's models know every field that the server tells, and can say all that it reads."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from chatloom.wire import anthropic, embeddings, openai
from chatloom.wire import zaguan as wire
from zaguan import models

PAIRS: list[tuple[type[msgspec.Struct], type[BaseModel]]] = [
    (openai.CompletionRequest, models.ChatRequest),
    (openai.ChatMessage, models.Message),
    (openai.Completion, models.ChatResponse),
    (openai.CompletionChoice, models.Choice),
    (openai.CompletionMessage, models.Message),
    (openai.CompletionUsage, models.Usage),
    (openai.Chunk, models.ChatChunk),
    (openai.ChunkChoice, models.ChunkChoice),
    (openai.ChunkDelta, models.ChoiceDelta),
    (openai.ChunkToolCall, models.ToolCallDelta),
    (openai.ChunkFunction, models.FunctionDelta),
    (openai.Model, models.ModelInfo),
    (wire.ModelCapabilities, models.ModelCapabilities),
    (wire.CreditsBalance, models.CreditsBalance),
    (wire.CreditsHistory, models.CreditsHistory),
    (wire.HistoryEntry, models.CreditsHistoryEntry),
    (wire.CreditsStats, models.CreditsStats),
    (anthropic.MessageRequest, models.MessagesRequest),
    (anthropic.MessageAnswer, models.MessagesResponse),
    (anthropic.MessageUsage, models.AnthropicUsage),
    (anthropic.CountRequest, models.CountTokensRequest),
    (anthropic.TokenCount, models.CountTokensResponse),
    (embeddings.EmbeddingsRequest, models.EmbeddingsRequest),
    (embeddings.EmbeddingList, models.EmbeddingsResponse),
    (embeddings.Embedding, models.Embedding),
    (embeddings.EmbeddingsUsage, models.EmbeddingsUsage),
]
NOT_ZAGUANS = {"system_prompt"}
"""Fields of a request that are ChatServer's own."""


@pytest.mark.parametrize(("told", "model"), PAIRS, ids=lambda kind: kind.__name__)
def test_a_model_has_every_field(told: type[msgspec.Struct], model: type[BaseModel]) -> None:
    assert set(told.__struct_fields__) - NOT_ZAGUANS <= set(model.model_fields)


def sample(kind: msgspec.inspect.Type) -> Any:
    """Some value of a type, as JSON has it."""
    inspected = msgspec.inspect
    if isinstance(kind, inspected.UnionType):
        told = [one for one in kind.types if not isinstance(one, inspected.NoneType)]
        return sample(told[0])
    if isinstance(kind, inspected.StructType):
        tag = {kind.tag_field: kind.tag} if kind.tag_field else {}
        return {**tag, **{one.encode_name: sample(one.type) for one in kind.fields}}
    if isinstance(kind, inspected.LiteralType):
        return kind.values[0]
    if isinstance(kind, inspected.ListType):
        return [sample(kind.item_type)]
    if isinstance(kind, inspected.DictType):
        return {"name": sample(kind.value_type)}
    known = {"StrType": "text", "IntType": 7, "FloatType": 0.5, "BoolType": True}
    return known.get(type(kind).__name__, "anything")


@pytest.mark.parametrize(("told", "model"), PAIRS, ids=lambda kind: kind.__name__)
def test_a_model_reads_what_the_server_tells(
    told: type[msgspec.Struct], model: type[BaseModel]
) -> None:
    whole = sample(msgspec.inspect.type_info(told))
    whole = {name: value for name, value in whole.items() if name not in NOT_ZAGUANS}
    assert not model.model_validate(whole).model_extra
    assert model.model_validate(whole).model_dump(exclude_unset=True, mode="json") == whole
