"""A turn's explanation, for people."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TypeAlias

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from chatloom.cli.shared import escape
from chatloom.core.http import JSON
from chatloom.wire.chatloom import Budget
from chatloom.wire.explanation import Charge, Explanation, Grown, Price, Timing

Line: TypeAlias = tuple[str, RenderableType]
"""What it is about, and what there is to say; both as markup."""

_GOOD = frozenset({"complete", "length", "tool_calls"})
_HASH = 12
"""Digits of a hash."""
_LONGEST_VALUE = 300
"""Characters of a part of the request."""


def shown(turn: Explanation) -> RenderableType:
    """Everything about *turn*, as wide as there is room."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for label, lines in groupby(_lines(turn), key=lambda line: line[0]):
        for number, (_, text) in enumerate(lines):
            table.add_row("" if number else label, text)
    return Group(Text.from_markup(_headline(turn)), table)


def _headline(turn: Explanation) -> str:
    return f"[bold]turn {turn.id}[/]  {_outcome(turn)}"


def _outcome(turn: Explanation) -> str:
    if turn.outcome is None:
        if turn.running:
            return "[yellow]running[/]"
        return "[yellow]open[/]: a crash left it; it is settled at the next start"
    colour = "green" if turn.outcome in _GOOD else "red"
    after = "by a crash" if _crashed(turn) else f"after {_seconds(turn.timing.milliseconds)}"
    return f"[{colour}]{turn.outcome}[/] {after}"


def _crashed(turn: Explanation) -> bool:
    """Whether its server stopped: how often it had asked by then, nobody knows."""
    return turn.outcome == "truncated" and not turn.attempts


def _lines(turn: Explanation) -> Iterator[Line]:
    if turn.problem:
        kind = f" ({turn.problem_kind})" if turn.problem_kind else ""
        yield "problem", f"[red]{escape(turn.problem)}[/]{kind}"
    yield from _asker(turn)
    yield from _route(turn)
    yield from _timing(turn.timing, crashed=_crashed(turn))
    yield from _charge(turn.charge, settled=turn.outcome is not None)
    yield from _rules(turn)
    yield from _place(turn)


def _asker(turn: Explanation) -> Iterator[Line]:
    asker = turn.asker
    yield "asked by", f"key {escape(asker.key)} [dim]({asker.key_hint}…, {asker.key_id})[/]"
    yield "asked by", f"account {escape(asker.account)} [dim]({escape(asker.account_id)})[/]"
    for id in asker.descends_from:
        yield "asked by", f"descending from the key {id}"
    if asker.end_user is not None:
        yield "asked by", f"end user {escape(asker.end_user)}"
    if asker.organization is not None:
        yield "asked by", f"organization {escape(asker.organization)}"
    if asker.request_id:
        yield "asked", f"as request {escape(asker.request_id)}"
    manner = "streamed" if turn.way.streamed else "in one piece"
    yield "asked", f"in the protocol {escape(asker.protocol)}, {manner}"
    for name, value in turn.request.items():
        if value:
            yield "asked", f"with {escape(name)} {escape(_short(value))}"


def _short(value: JSON) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _route(turn: Explanation) -> Iterator[Line]:
    way = turn.way
    stops = (way.model, way.provider, way.served_model or "?")
    band = f" [dim](band {escape(way.band)})[/]" if way.band else ""
    yield "route", " → ".join(map(escape, stops)) + band
    if _crashed(turn):
        yield "attempts", "unknown: the server stopped meanwhile"
    for one in turn.attempts:
        took = _seconds(one.milliseconds) if one.ended_at else "not ended"
        end = f"[red]{escape(one.problem)}[/]" if one.problem else "[green]answered[/]"
        asked = escape(f"{one.provider}: {one.model}")
        yield "attempts", f"{one.number}. {asked}, {_clock(one.started_at)}, {took}: {end}"


def _timing(timing: Timing, *, crashed: bool) -> Iterator[Line]:
    yield "started", f"{timing.started_at[:10]} {_clock(timing.started_at)} UTC"
    if timing.first_token_milliseconds is not None:
        yield "spoke", f"after {_seconds(timing.first_token_milliseconds)}"
    if timing.ended_at is not None:
        late = ", when the next server started and settled it" if crashed else ""
        yield "ended", f"after {_seconds(timing.milliseconds)}{late}"


def _charge(charge: Charge, *, settled: bool) -> Iterator[Line]:
    yield "usage", _usage(charge, settled=settled)
    if charge.cost is not None:
        yield "cost", f"[bold]{charge.cost}[/]"
    elif settled:
        yield "cost", "unknown: nobody knew a price"
    for item in charge.items:
        each = f"{item.per_million} a million"
        yield "cost", f"  {item.tokens:,} {item.what} at {each} = {item.amount}"
    if charge.price is not None:
        yield "price", _price(charge.price)
    yield "reserved", f"{charge.reserved}, the most it could cost"
    for entry in charge.ledger:
        guess = ", a guess" if entry.estimated else ""
        yield (
            "ledger",
            f"{entry.kind} {entry.amount}{guess} [dim]{_clock(entry.created_at)}[/]",
        )
    for budget in charge.budgets:
        yield "budgets", _budget(budget)
    if not charge.budgets:
        yield "budgets", "none concerns it"


def _usage(charge: Charge, *, settled: bool) -> str:
    if charge.usage is None:
        if not settled:
            return "not known yet"
        unknown = "[yellow]unknown[/], and not charged: nobody knows what the provider took"
        return unknown if charge.unknown else "none, nothing charged"
    used = charge.usage
    prompt = f"{used.prompt_tokens:,} prompt" + _of_them(used.cached_tokens, "cached")
    completion = f"{used.completion_tokens:,} completion"
    completion += _of_them(used.reasoning_tokens, "reasoning")
    guess = " [yellow](estimated: nobody counted)[/]" if used.estimated else ""
    return f"{prompt} + {completion} tokens{guess}"


def _of_them(tokens: int, what: str) -> str:
    return f" ({tokens:,} of them {what})" if tokens else ""


def _price(price: Price) -> str:
    figures = f"{price.prompt_per_million} prompt"
    if price.cached_per_million is not None:
        figures += f", {price.cached_per_million} cached"
    figures += f", {price.completion_per_million} completion, a million tokens"
    since = f"[dim](version {price.id}, since {price.valid_from[:10]})[/]"
    return f"{escape(price.model)}: {figures} {since}"


def _budget(budget: Budget) -> str:
    whose = budget.concern.replace("_", " ")
    left = "?" if budget.left is None else str(budget.left)
    colour = "red" if budget.left is not None and budget.left.picodollars <= 0 else "green"
    return f"{whose}: {budget.amount}, of which [{colour}]{left}[/] is left"


def _rules(turn: Explanation) -> Iterator[Line]:
    runs = {"run": "runs on when nobody reads it", "cancel": "cancelled when nobody reads it"}
    yield "unread", runs[turn.unread]
    yield "repeats", "by the idempotency key it came with" if turn.idempotency_key else "no key"
    if turn.replayable_until is not None:
        until = f"{turn.replayable_until[:10]} {_clock(turn.replayable_until)} UTC"
        yield "replay", f"until {until}"
    elif turn.outcome is None:
        yield "journal", f"{turn.journalled:,} batches of its answer so far"


def _place(turn: Explanation) -> Iterator[Line]:
    place = turn.place
    if not place.conversation_id:
        yield "conversation", "none: it is no part of a talk"
        return
    title = f"{escape(place.title.strip())} " if place.title else ""
    yield "conversation", f"{title}[dim]({place.conversation_id})[/]"
    yield "branch", _branch(turn)
    if place.parent_id is None:
        yield "behind", "nothing: it begins the conversation"
    else:
        known = f" [dim]({place.parent_id})[/]" if place.parent_hash else " (gone)"
        yield "behind", f"{(place.parent_hash or '')[:_HASH]}{known}"
    for message in turn.asked:
        yield "messages", f"[bold]{escape(message.role)}[/] {escape(message.first_words)}"
    for node in place.grown:
        yield "grew", _grown(node, is_answer=node.id == place.message_id)
    if not place.grown:
        yield "grew", "nothing" if turn.outcome else "nothing yet"


def _branch(turn: Explanation) -> str:
    place = turn.place
    if place.branches:
        return escape(", ".join(place.branches))
    return escape(place.branch) if place.branch else "a new one"


def _grown(node: Grown, *, is_answer: bool) -> str:
    words = "[dim]deleted[/]" if node.deleted else escape(node.first_words)
    role = f"[bold green]{node.role}[/]" if is_answer else f"[bold]{node.role}[/]"
    return f"{role} [dim]{node.hash[:_HASH]}[/] {words}"


def _seconds(milliseconds: int | None) -> str:
    if milliseconds is None:
        return "?"
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:,.2f} s"


def _clock(moment: str) -> str:
    return moment[11:23]
