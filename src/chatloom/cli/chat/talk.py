"""A talk: what was said so far, and the next answer to it.

The talk holds what its user has seen, and tells all of it with each question,
as any OpenAI client does. The server finds the conversation's own messages in
that by their hashes, and branches it where the user saw something else: an
answer that was stopped, or one that is asked for again.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.chat.listening import Listening
from chatloom.cli.chat.spending import Spending
from chatloom.core.errors import ChatloomError
from chatloom.core.http import JSON
from chatloom.wire import chatloom as wire


class Saying(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message."""

    role: str
    content: str
    model: str | None = None
    """Who answered."""
    ending: str | None = None
    """How the answer ended, where it is not whole."""


class Talk:
    """One conversation, with one server."""

    def __init__(self, client: ChatClient, model: str, system: str | None = None) -> None:
        self.client = client
        self.model = model
        self.system = system
        self.said: list[Saying] = []
        self.question: str | None = None
        """What was asked last, answered or not."""
        self.conversation_id: str | None = None
        self.spent = Spending()
        self._unsettled: list[str] = []

    def ask(self, question: str) -> Listening:
        """Ask; `keep` what comes of it."""
        self.question = question
        messages: list[dict[str, JSON]] = [
            {"role": saying.role, "content": saying.content}
            for saying in [*self.said, Saying("user", question)]
        ]
        model, system, conversation_id = self.model, self.system, self.conversation_id
        return Listening(
            lambda: self.client.answer(
                model, messages, system=system, conversation_id=conversation_id
            ),
            self.client.cancel,
        )

    def keep(self, turn_id: str | None, answer: str, ending: str | None = None) -> None:
        """Keep the last question and its *answer*; without a word of answer, neither was said."""
        assert self.question is not None
        if answer:
            self.said.append(Saying("user", self.question))
            self.said.append(Saying("assistant", answer, self.model, ending))
        if turn_id is not None:
            self._unsettled.append(turn_id)
            self.settle()

    def take_back(self) -> str | None:
        """Forget the last answer and its question; return the question."""
        if self.said and self.question is not None and self.said[-1].role == "assistant":
            del self.said[-2:]
        if not self.said:
            self.conversation_id = None
        return self.question

    def begin_again(self) -> None:
        """Begin a new conversation, with the same model and system prompt."""
        self.said, self.question, self.conversation_id = [], None, None

    def resume(self, conversation_id: str) -> None:
        """Go on with a conversation of the server. Raises `ChatloomError`."""
        found = self.client.conversation(conversation_id)
        self.conversation_id = found.id
        self.said = [
            Saying(message.role, text)
            for message in found.messages
            if (text := _text(message.content))
        ]
        asked = [saying.content for saying in self.said if saying.role == "user"]
        self.question = asked[-1] if asked else None

    def settle(self) -> None:
        """Learn what became of turns, and what they took, as far as the server knows."""
        for turn_id in list(self._unsettled):
            with suppress(ChatloomError):  # not to know a price is no reason to stop talking
                self._learn(self.client.turn(turn_id))

    def _learn(self, turn: wire.Turn) -> None:
        if self.said:
            self.conversation_id = self.conversation_id or turn.conversation_id
        if turn.outcome is not None:
            self._unsettled.remove(turn.id)
            self.spent.add(turn)


def _text(content: JSON) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
