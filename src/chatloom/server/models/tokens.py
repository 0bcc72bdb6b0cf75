"""The offline models' own tokens: words with their leading space, and marks.

The pieces of a text, joined, are the text; their number is what it costs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Input, Prompt

IMAGE_TOKENS = 85
"""What an image counts, and any other part that is not text."""
MESSAGE_TOKENS = 3
"""What a message counts beside its text; the answer's own opening counts the same."""

# Long words are several tokens, as everywhere; and white space before a word belongs to it.
_PIECE = re.compile(r" ?\w{1,16}| ?[^\w\s]|\s+(?!\S)|\s")


def split(text: str) -> list[str]:
    """Cut *text* into its tokens."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many tokens *text* has."""
    return len(_PIECE.findall(text))


def count_prompt(prompt: Prompt) -> int:
    """How many tokens *prompt* has, its tools and its answer's schema included."""
    if prompt.inputs:
        return sum(map(count_input, prompt.inputs))
    messages = sum(count_message(message) for message in prompt.messages)
    return (
        messages
        + MESSAGE_TOKENS
        + _count_json([*prompt.parameters.tools, *_schemas(prompt.parameters.response_format)])
    )


def count_input(given: Input) -> int:
    """How many tokens *given* has."""
    return count(given) if isinstance(given, str) else len(given)


def count_message(message: Message) -> int:
    """How many tokens *message* has."""
    total = MESSAGE_TOKENS + count(message.name or "") + _count_json(message.tool_calls or ())
    if isinstance(message.content, str):
        return total + count(message.content)
    for part in message.content or ():
        text = part.get("text")
        total += count(text) if isinstance(text, str) else IMAGE_TOKENS
    return total


def _count_json(values: Sequence[dict[str, JSON]]) -> int:
    return sum(count(msgspec.json.encode(value).decode()) for value in values)


def _schemas(response_format: dict[str, JSON] | None) -> list[dict[str, JSON]]:
    schema = (response_format or {}).get("json_schema")
    return [schema] if isinstance(schema, dict) else []
