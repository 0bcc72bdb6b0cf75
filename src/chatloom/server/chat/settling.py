"""How a turn's end is put down: what the tree gains, what is charged."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from chatloom.server.chat.answer import Answer
from chatloom.server.chat.message import Message, title_of
from chatloom.server.chat.tree import grow
from chatloom.server.ids import milliseconds
from chatloom.server.models import tokens
from chatloom.server.models.driver import (
    Delta,
    Finish,
    FinishReason,
    Prompt,
    ProviderError,
    Usage,
)
from chatloom.server.store.contract import Attempt, Node, Opening, Outcome, Settlement
from chatloom.server.store.trees import Making

REPLAY_MILLISECONDS = 24 * 3600 * 1000


class Growing(msgspec.Struct, frozen=True, kw_only=True):
    """A turn between its two transactions: what it began with."""

    opening: Opening
    price_id: int | None
    prompt: Prompt
    parent: Node | None
    new: Sequence[Message]


class End(msgspec.Struct, kw_only=True):
    """What a turn came to."""

    outcome: Outcome
    answer: Answer
    said: Sequence[Delta]
    """What its readers were told."""
    unsaid: Sequence[Delta] = ()
    """What is told to them last, together with the end."""
    problem: ProviderError | None = None
    stopped: str | None = None
    attempts: list[Attempt] = []
    first_token_at: int | None = None
    crashed: bool = False
    """Its process did not live to see the end."""

    @property
    def is_whole(self) -> bool:
        """Whether the answer is as the model meant it."""
        return self.problem is None and self.outcome != "cancelled"

    @property
    def is_unknown(self) -> bool:
        """Whether a provider was asked, and nobody knows what it did of it."""
        late = self.problem is not None and self.problem.kind == "timed_out"
        broken = bool(self.attempts) and self.outcome in {"cancelled", "truncated"}
        return self.crashed or broken or late


def never_asked(growing: Growing) -> Settlement:
    """The settlement of a turn whose caller left before anybody was asked."""
    end = End(outcome="cancelled", answer=Answer(), said=(), stopped="its caller left at once")
    return settlement_of(growing, end, journalled=False)[0]


def outcome_of(problem: ProviderError) -> Outcome:
    """How a turn ends that fails so."""
    return "truncated" if problem.kind == "truncated" else "provider_error"


def settlement_of(
    growing: Growing, end: End, *, journalled: bool
) -> tuple[Settlement, list[Delta]]:
    """What is stored of a turn's end, and the last words for its readers."""
    opening = growing.opening
    usage = _usage(growing.prompt, end)
    last_words = list(end.unsaid)
    if end.is_whole:
        last_words += [Finish(reason, index) for index, reason in _finished(end)]
        last_words += [usage] if usage is not None else []
    grows = bool(opening.conversation_id) and not opening.apart
    keeps = grows and (end.answer.said_something or end.is_whole)
    nodes, answers = _nodes(growing, end.answer, usage) if keeps else ([], [])
    now = milliseconds()
    settlement = Settlement(
        opening=opening,
        outcome=end.outcome,
        problem=end.problem.message if end.problem else end.stopped,
        problem_kind=end.problem.kind if end.problem else None,
        served_model=end.answer.served_model or growing.prompt.model,
        nodes=[*nodes, *answers[:1]],
        alternatives=answers[1:],
        head_id=answers[0].id if answers else None,
        title=_title(growing.new),
        usage=usage,
        price_id=growing.price_id,
        cost=opening.price.of(usage) if opening.price is not None and usage is not None else 0,
        deltas=msgspec.json.encode([*end.said, *last_words]),
        deltas_expire_at=now + REPLAY_MILLISECONDS,
        journalled=journalled,
        attempts=end.attempts,
        frees_key=usage is None,
        estimated=usage.estimated if usage is not None else end.is_unknown,
        first_token_at=end.first_token_at,
        ended_at=now,
    )
    return settlement, last_words


def making_of(settlement: Settlement) -> Making:
    """How an answer came about that is just settled."""
    opening = settlement.opening
    return Making(
        turn_id=opening.turn_id,
        protocol=opening.protocol,
        model=opening.model,
        served_model=settlement.served_model,
        outcome=settlement.outcome,
        usage=settlement.usage,
        cost=settlement.cost,
        priced=opening.price is not None,
        started_at=opening.started_at,
        ended_at=settlement.ended_at,
        terms=opening.request,
    )


def given_up(growing: Growing, problem: ProviderError, *, journalled: bool) -> Settlement:
    """The settlement of a turn whose answer could not be stored: without it, free of charge."""
    end = End(outcome=outcome_of(problem), answer=Answer(), said=(), problem=problem)
    return settlement_of(growing, end, journalled=journalled)[0]


def _finished(end: End) -> list[tuple[int, FinishReason]]:
    return [
        (index, choice.finish_reason)
        for index, choice in end.answer.ordered()
        if choice.finish_reason is not None
    ]


def _nodes(growing: Growing, answer: Answer, usage: Usage | None) -> tuple[list[Node], list[Node]]:
    """The nodes of what was asked, and of each answer to it."""
    opening = growing.opening
    grown = partial(
        grow,
        conversation_id=opening.conversation_id,
        turn_id=opening.turn_id,
        now=milliseconds(),
    )
    asked = grown(growing.parent, growing.new, said_here=False)
    parent = asked[-1] if asked else growing.parent
    answers: list[Node] = []
    for _, choice in answer.ordered():
        answers += grown(parent, [choice.message()], said_here=True)
    if answers and usage is not None:
        answers[0] = msgspec.structs.replace(answers[0], tokens=usage.completion_tokens)
    return asked, answers


def _usage(prompt: Prompt, end: End) -> Usage | None:
    """What is charged: the provider's figures, else a guess, else nothing."""
    answer = end.answer
    if answer.usage is not None:
        return answer.usage
    if not answer.said_something and not end.is_whole:
        return None
    said = sum(
        tokens.count("".join((*choice.texts, *choice.reasonings))) for _, choice in answer.ordered()
    )
    return Usage(tokens.count_prompt(prompt), said, estimated=True)


def _title(messages: Sequence[Message]) -> str:
    """What a conversation is called that these begin: as the first thing the user said."""
    titles = (title_of(message) for message in messages if message.role == "user")
    return next(filter(None, titles), "")
