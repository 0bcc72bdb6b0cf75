"""Prompts that hold inputs, and the vectors that answer them."""

from __future__ import annotations

from collections.abc import Sequence

from chatloom.server.models import vectors
from chatloom.server.models.driver import Input, Parameters, Prompt, Vector
from server.models.asking import Answered


def inputs(
    *given: Input,
    model: str = "some-model",
    dimensions: int | None = None,
    options: dict[str, str] | None = None,
    key: str = "",
) -> Prompt:
    """Ask for the embeddings of these."""
    return Prompt(
        model=model,
        messages=[],
        inputs=list(given),
        parameters=Parameters(dimensions=dimensions),
        streamed=False,
        options=options or {},
        attempt_key=key,
    )


def vectors_of(answered: Answered) -> dict[int, list[float]]:
    """The vectors that came, by their inputs' numbers."""
    assert answered.error is None, answered.error
    found = [delta for delta in answered.deltas if isinstance(delta, Vector)]
    assert len(found) == len({delta.choice for delta in found})
    return {delta.choice: vectors.unpacked(delta.text) for delta in found}


def nearness(one: Sequence[float], other: Sequence[float]) -> float:
    """The cosine between two vectors of length 1."""
    return sum(a * b for a, b in zip(one, other, strict=True))
