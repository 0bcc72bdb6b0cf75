"""Embeddings of OpenAI-compatible providers: requests written, answers read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatloom.core.http import JSON
from chatloom.server.models import vectors
from chatloom.server.models.driver import Delta, Finish, Prompt, Served, Usage, Vector
from chatloom.server.models.openai.chunks import usage_of


class _Embedding(msgspec.Struct, gc=False):
    embedding: str | list[float]
    index: int | None = None


class Embeddings(msgspec.Struct):
    """An answer; some providers leave out what has one value only."""

    data: list[_Embedding] = []
    model: str | None = None
    usage: JSON = None
    error: JSON = None


read_embeddings = msgspec.json.Decoder(Embeddings).decode


def written(prompt: Prompt) -> dict[str, object]:
    """Ask for the embeddings of *prompt*'s inputs, as base64: floats take four times the room."""
    payload: dict[str, object] = {"input": prompt.inputs, "encoding_format": "base64"}
    if prompt.parameters.dimensions is not None:
        payload["dimensions"] = prompt.parameters.dimensions
    return payload


def deltas_of(told: Embeddings, prompt: Prompt) -> list[Delta]:
    """What *told* says. Raises `ValueError` where that is not one embedding for each input."""
    count = len(prompt.inputs)
    found = {_number(one, at): _packed(one.embedding) for at, one in enumerate(told.data)}
    if sorted(found) != list(range(count)) or len(told.data) != count:
        raise ValueError(f"{len(told.data)} embeddings of {count} inputs")
    deltas: list[Delta] = [Served(told.model or prompt.model)]
    deltas += [Vector(found[at], at) for at in range(count)]
    deltas += [Finish("stop", at) for at in range(count)]
    usage = _usage(told.usage)
    return [*deltas, usage] if usage is not None else deltas


def _number(one: _Embedding, place: int) -> int:
    return place if one.index is None else one.index


def _packed(embedding: str | Sequence[float]) -> str:
    if isinstance(embedding, str):
        vectors.unpacked(embedding)  # so that nothing else is passed on, whoever reads it
        return embedding
    return vectors.packed(embedding)


def _usage(told: JSON) -> Usage | None:
    """Read what it took; some say just the total, which is all prompt here."""
    if not isinstance(told, dict):
        return None
    prompt = told.get("prompt_tokens")
    total = told.get("total_tokens") if prompt is None else prompt
    return usage_of({**told, "prompt_tokens": total, "completion_tokens": 0})
