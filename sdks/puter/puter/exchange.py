"""A question on its way to its answer, through as many rounds of tools as the model wants."""

from __future__ import annotations

from collections.abc import Mapping

from puter.answers import Answer
from puter.exceptions import PuterToolError, PuterToolLimitError
from puter.questions import Question
from puter.session import Session

__all__ = ["Exchange"]


class Exchange:
    """What is asked in each round, and what is remembered in the end.

    Either all is told that was said so far, or where it stands: in a conversation that the
    service keeps, which may know more of it than this client does.
    """

    def __init__(self, question: Question, session: Session) -> None:
        self.question = question
        self._session = session
        self._kept = session.history.messages
        self._messages = [*([] if question.is_placed else self._kept), question.message]
        self._place: Mapping[str, object] = {}
        self._rounds = question.rounds

    @property
    def args(self) -> Mapping[str, object]:
        """What is asked in this round."""
        return {**self.question.args, **self._place, "messages": [*self._messages]}

    async def goes_on(self, answer: Answer) -> bool:
        """Call the tools that *answer* wants called, if any, to tell what came of it.

        Raises `PuterToolLimitError`, and `PuterToolError` where a tool failed that may not.
        """
        if not (answer.tool_calls and self.question.tools):
            return False
        if not self._rounds:
            raise _too_many_rounds(self.question.rounds, answer)
        self._rounds -= 1
        results = await self.question.tools.answers(answer.tool_calls)
        if self.question.is_placed and "message_id" in answer.metadata:
            told = {**answer.metadata, "parent_message_id": answer.metadata["message_id"]}
            self._place = {"metadata": {**self.question.metadata, **told}}
            self._messages = results
        else:
            self._messages += [answer.message, *results]
        return True

    def end(self, answer: Answer) -> str:
        """Remember question and answer, and give its text. Raises `PuterToolError` for none."""
        if answer.tool_calls and not answer.text:
            raise PuterToolError(f"the model calls {_names(answer)}, and was given no such tool")
        self.remember(answer)
        return answer.text

    def remember(self, answer: Answer) -> None:
        """Have the history grow, and know where the answer stands."""
        self._session.history.add(self._kept, self.question.message, answer.text)
        self._session.metadata = answer.metadata


def _too_many_rounds(rounds: int, answer: Answer) -> PuterToolLimitError:
    reason = f"after {rounds} rounds of tools the model still wants {_names(answer)}"
    return PuterToolLimitError(f"{reason}; max_tool_rounds allows for more")


def _names(answer: Answer) -> str:
    return ", ".join(call.name for call in answer.tool_calls)
