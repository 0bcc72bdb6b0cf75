"""An offline model's answer: composed whole, then cut as the request asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest

import msgspec

from chatloom.core.http import JSON
from chatloom.server.models import tokens
from chatloom.server.models.driver import (
    Delta,
    Finish,
    FinishReason,
    Parameters,
    Prompt,
    Text,
    ToolCall,
    Usage,
)


class Choice(msgspec.Struct, frozen=True):
    """One choice, each piece one token."""

    pieces: Sequence[Text | ToolCall]
    reason: FinishReason


class Call(msgspec.Struct, frozen=True):
    """A tool call as a model writes it: its arguments are text, and not always JSON."""

    id: str
    name: str
    arguments: str


class Composed(msgspec.Struct, frozen=True):
    """A whole answer: its tokens, choices taking turns, and what is said at its end."""

    pieces: Sequence[Text | ToolCall]
    ending: Sequence[Delta]


def compose(prompt: Prompt, choices: Sequence[Choice]) -> Composed:
    """Join *choices* into one answer, and count it."""
    ending: list[Delta] = [Finish(choice.reason, at) for at, choice in enumerate(choices)]
    pieces = choices[0].pieces if len(choices) == 1 else _in_turn(choices)
    ending.append(Usage(tokens.count_prompt(prompt), len(pieces)))
    return Composed(pieces, ending)


def spoken(text: str, asked: Parameters, at: int = 0, *, length: int | None = None) -> Choice:
    """Say *text* as choice *at*, up to a stop sequence, `max_tokens`, or *length* tokens."""
    found = [place for stop in asked.stop if stop and (place := text.find(stop)) >= 0]
    pieces = tokens.split(text[: min(found)] if found else text)[:length]
    reason: FinishReason = "stop"
    if asked.max_tokens is not None and len(pieces) > asked.max_tokens:
        pieces, reason = pieces[: asked.max_tokens], "length"
    if asked.logprobs:
        alternatives = bool(asked.top_logprobs)
        return Choice([Text(p, at, [_certain(p, alternatives)]) for p in pieces], reason)
    return Choice([Text(p, at) for p in pieces] if at else list(map(Text, pieces)), reason)


def called(calls: Iterable[Call], asked: Parameters, at: int = 0) -> Choice:
    """Make *calls* as choice *at*, up to `max_tokens`."""
    pieces: list[Text | ToolCall] = []
    for index, call in enumerate(calls):
        pieces.append(ToolCall(index, call.id, call.name, choice=at))
        pieces.extend(
            ToolCall(index, arguments=piece, choice=at) for piece in tokens.split(call.arguments)
        )
    if asked.max_tokens is not None and len(pieces) > asked.max_tokens:
        return Choice(pieces[: asked.max_tokens], "length")
    return Choice(pieces, "tool_calls")


def merged(pieces: Sequence[Text | ToolCall]) -> list[Delta]:
    """Join the pieces of each choice, for a reader who waits for the whole anyway."""
    plain = [p.text for p in pieces if isinstance(p, Text) and not p.choice and p.logprobs is None]
    if plain and len(plain) == len(pieces):
        return [Text("".join(plain))]
    whole: dict[tuple[int, int | None], list[Text | ToolCall]] = {}
    for piece in pieces:
        call = piece.index if isinstance(piece, ToolCall) else None
        whole.setdefault((piece.choice, call), []).append(piece)
    return [_joined(together) for together in whole.values()]


def _joined(pieces: Sequence[Text | ToolCall]) -> Delta:
    first = pieces[0]
    if isinstance(first, ToolCall):
        arguments = "".join(p.arguments for p in pieces if isinstance(p, ToolCall))
        return msgspec.structs.replace(first, arguments=arguments)
    texts = [piece for piece in pieces if isinstance(piece, Text)]
    logprobs = None
    if first.logprobs is not None:
        logprobs = [entry for piece in texts for entry in piece.logprobs or ()]
    return Text("".join([piece.text for piece in texts]), first.choice, logprobs)


def _in_turn(choices: Sequence[Choice]) -> list[Text | ToolCall]:
    rows = zip_longest(*(choice.pieces for choice in choices))
    return [piece for piece in chain.from_iterable(rows) if piece is not None]


def _certain(piece: str, alternatives: bool) -> dict[str, JSON]:
    own: dict[str, JSON] = {"token": piece, "logprob": 0.0, "bytes": list(piece.encode())}
    return {**own, "top_logprobs": [own] if alternatives else []}
