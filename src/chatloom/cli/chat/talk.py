"""A talk: what was said so far, and the next answer to it.

The talk holds what its user has seen. Where the server has kept the same, a
question names the message that it goes on behind, and the branch. Elsewhere it
tells all that was seen, as any OpenAI client does: the server finds its own
messages in that by their hashes, and branches where the user saw something else,
as of an answer that was stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from chatloom.cli.chat.client import ChatClient
from chatloom.cli.chat.listening import Listening
from chatloom.cli.chat.spending import Spending
from chatloom.core.errors import ChatloomError
from chatloom.core.http import JSON
from chatloom.wire import chatloom as wire
from chatloom.wire.chatroutes import Branch


class Saying(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message."""

    role: str
    content: str
    model: str | None = None
    """Who answered."""
    ending: str | None = None
    """How the answer ended, where it is not whole."""
    behind: str | None = None
    """The server's id of the message before it, as far as it is known."""


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
        self.head: str | None = None
        """The server's id of the last message; `None` where it keeps another than was seen."""
        self.branch_id: str | None = None
        """The branch that the next question is meant for, where it is known."""
        self.branch_name = ""
        self.spent = Spending()
        self._unsettled: list[str] = []
        self._last_turn: str | None = None

    def ask(self, question: str) -> Listening:
        """Ask; `keep` what comes of it."""
        if self.said and self.head is None:
            self.settle()
        self.question = question
        known = [] if self.head is not None else self.said
        messages: list[dict[str, JSON]] = [
            {"role": saying.role, "content": saying.content}
            for saying in [*known, Saying("user", question)]
        ]
        model, system, place = self.model, self.system, self._place()
        return Listening(
            lambda: self.client.answer(model, messages, system=system, place=place),
            self.client.cancel,
        )

    def _place(self) -> dict[str, JSON]:
        """Where the next question goes, in the words of ``metadata``."""
        place: dict[str, JSON] = {}
        if self.conversation_id is not None:
            place["conversation_id"] = self.conversation_id
            if self.head is not None:
                place["parent_message_id"] = self.head
            if self.branch_id is not None:
                place["branch_id"] = self.branch_id
        return place

    def keep(self, turn_id: str | None, answer: str, ending: str | None = None) -> None:
        """Keep the last question and its *answer*; without a word of answer, neither was said."""
        assert self.question is not None
        if answer:
            self.said.append(Saying("user", self.question, behind=self.head))
            self.said.append(Saying("assistant", answer, self.model, ending))
            self.head, self._last_turn = None, turn_id
        if turn_id is not None:
            self._unsettled.append(turn_id)
            self.settle()
        if self.head is not None and self.branch_id is None:
            self._find_branch()

    def take_back(self) -> str | None:
        """Forget the last answer and its question; return the question."""
        if self.said and self.question is not None and self.said[-1].role == "assistant":
            last = max(n for n, saying in enumerate(self.said) if saying.role == "user")
            self._stand(self.said[last].behind)
            del self.said[last:]
        if not self.said:
            self.conversation_id = None
        return self.question

    def begin_again(self) -> None:
        """Begin a new conversation, with the same model and system prompt."""
        self.said, self.question, self.conversation_id = [], None, None
        self._stand(None)

    def resume(self, conversation_id: str, branch_id: str | None = None) -> None:
        """Go on with a conversation of the server, on its main branch or the one named.

        Raises `ChatloomError`.
        """
        found = self.client.conversation(conversation_id, branch_id)
        self.conversation_id = found.id
        self.said = [
            Saying(message.role, text, behind=message.parent_id)
            for message in found.messages
            if (text := _text(message.content))
        ]
        asked = [saying.content for saying in self.said if saying.role == "user"]
        self.question = asked[-1] if asked else None
        head = found.messages[-1].id if found.messages else None
        names = {branch.id: branch.name for branch in found.branches}
        self._stand(head, found.branch_id, names.get(found.branch_id, ""))

    def move_to(self, branch_id: str, name: str) -> None:
        """Go on on another branch whose head is the last message, too."""
        self._stand(self.head, branch_id, name)

    def _stand(self, head: str | None, branch_id: str | None = None, name: str = "") -> None:
        self.head, self.branch_id, self.branch_name, self._last_turn = head, branch_id, name, None

    def _find_branch(self) -> None:
        """Learn which branch an answer has gone to, where nobody named one."""
        assert self.conversation_id is not None
        with suppress(ChatloomError):  # it is only to be shown
            self.locate(self.client.branches(self.conversation_id))

    def locate(self, branches: Sequence[Branch]) -> None:
        """Find out which of *branches* the talk is on: somebody else may have moved its own."""
        ours = [one for one in branches if one.head_message_id == self.head]
        if self.head is not None and ours and all(one.id != self.branch_id for one in ours):
            self.branch_id, self.branch_name = ours[0].id, ours[0].title

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
            if turn.id == self._last_turn and turn.text == self.said[-1].content:
                self.head = turn.message_id


def _text(content: JSON) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in texts if isinstance(text, str))
