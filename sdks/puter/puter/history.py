"""What was said so far, and how much of it is kept."""

from __future__ import annotations

from collections.abc import Sequence

from chatloom.core.locks import Lock
from puter.types import ChatMessage, ContentPart

__all__ = ["History"]


class History:
    """Keeps whole pairs of question and answer, in the order in which the answers came.

    *messages* is a list of the user's own to read and change; a call adds to the one
    that was there when it began.
    """

    def __init__(self, most_messages: int | None, most_tokens: int | None) -> None:
        self.messages: list[ChatMessage] = []
        self._most_messages = most_messages
        self._most_tokens = most_tokens
        self._lock = Lock()

    def add(self, messages: list[ChatMessage], question: ChatMessage, text: str) -> None:
        """Add a pair to *messages*, and drop the oldest ones that are too many."""
        with self._lock:
            answer: ChatMessage = {"role": "assistant", "content": text}
            messages += (question, answer)
            while self._is_too_long(messages) and (pair := _oldest_pair(messages)):
                del messages[pair]

    def _is_too_long(self, messages: Sequence[ChatMessage]) -> bool:
        if self._most_messages is not None and len(messages) > self._most_messages:
            return True
        if self._most_tokens is None:
            return False
        return sum(map(_tokens, messages)) > self._most_tokens


def _oldest_pair(messages: Sequence[ChatMessage]) -> slice | None:
    """The first question and all up to the next one; what stands before it is not said."""
    questions = [at for at, one in enumerate(messages) if one["role"] == "user"]
    if not questions:
        return None
    return slice(questions[0], questions[1] if len(questions) > 1 else len(messages))


def _tokens(message: ChatMessage) -> int:
    content = message["content"] or ""
    parts = [content] if isinstance(content, str) else content
    return sum(-(-len(_words(part)) // 4) for part in parts)


def _words(part: ContentPart) -> str:
    text = part if isinstance(part, str) else part.get("text")
    return text if isinstance(text, str) else ""
