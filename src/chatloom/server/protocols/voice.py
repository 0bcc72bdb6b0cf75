"""How a turn is answered for, whatever protocol it was asked in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import msgspec
from msgspec.structs import replace

from chatloom.server.call import EVENT_STREAM, BrokenOff, Call, Reply, StreamedReply
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.telling import Reader, Telling
from chatloom.server.identity.powers import end_user_of, organization_of, require_model
from chatloom.server.ids import milliseconds
from chatloom.server.models.driver import ProviderError
from chatloom.server.models.registry import UnknownModel
from chatloom.server.protocols.envelopes import failure_of, over_budget, refusal_of, unknown_model
from chatloom.server.protocols.repeats import repeatable
from chatloom.server.refusal import Kind, Refusal, invalid
from chatloom.server.store.spending import BudgetExceeded

FIRST_WORD = 10.0
"""Seconds a stream waits for its first word, so that an early failure still has a status."""
SILENCE = 15.0
"""Seconds after which a stream says that it is still there."""

ERRORS: tuple[Kind, ...] = (
    "invalid",
    "over_budget",
    "not_found",
    "conflict",
    "gone",
    "too_large",
    "unprocessable",
    "provider_failed",
    "timed_out",
)
"""How a request for an answer may be refused."""


class Voice(msgspec.Struct, frozen=True):
    """How one protocol tells a turn."""

    whole: Callable[[Telling], object]
    """A settled turn in one piece, to be sent as JSON."""
    stream: Callable[[Telling, Reader, int, str], AsyncIterator[bytes]]
    """A turn as its reader hears it: from behind so many events on, told as he asked."""
    content_type: bytes = EVENT_STREAM
    """What the stream is made of."""


async def answer(call: Call, ask: Ask, voice: Voice) -> Reply | StreamedReply:
    """Take a turn, or join the one that this request began before, and tell it.

    Raises `Refusal`, also for a turn that failed.
    """
    if ask.streamed:
        turn, repeated = await _begin(call, replace(ask, goes_on=_heard(call) != 0))
        return await stream(call, turn, voice, ask.told_as, repeated=repeated)
    turn, repeated = await whole(call, ask)
    return Reply(msgspec.json.encode(voice.whole(turn)), headers=headers_of(turn, repeated))


async def whole(call: Call, ask: Ask) -> tuple[Telling, bool]:
    """Take a turn to its end; the second value says whether this request began it before.

    Raises `Refusal`, also for a turn that failed.
    """
    turn, repeated = await _begin(call, replace(ask, goes_on=_heard(call) != 0))
    reader = call.reader(turn)
    await reader.end()
    if reader.has_left:
        raise BrokenOff
    if turn.failed:
        raise failure_of(turn)
    return turn, repeated


async def was_begun(call: Call, ask: Ask) -> bool:
    """Whether this request began its turn before, so that all that leads there can be saved.

    Raises `Refusal` for what its key may not ask, for a model that is not there, and for a key
    that named another request.
    """
    ask = repeatable(call, on_the_terms_of(call, ask))
    if ask.repetition is not None:
        try:
            await call.services.turns.begin(replace(ask, goes_on=True))
        except Refusal as refusal:
            if refusal.code != "unknown_event":
                raise
        else:
            return True
    try:
        call.services.registry.resolve(ask.model)
    except UnknownModel as error:
        raise unknown_model(error) from error
    return False


async def _begin(call: Call, ask: Ask) -> tuple[Telling, bool]:
    ask = repeatable(call, on_the_terms_of(call, ask))
    try:
        return await call.services.turns.begin(ask)
    except UnknownModel as error:
        raise unknown_model(error) from error
    except ProviderError as error:
        raise refusal_of(error) from error
    except BudgetExceeded as error:
        raise over_budget(error, call.services.tiers, ask) from error


def on_the_terms_of(call: Call, ask: Ask) -> Ask:
    """Hold *ask* to what its key may do, whatever protocol it came in. Raises `Refusal`."""
    key, tiers = call.key, call.services.tiers
    tier = tiers.of(key.tier)
    require_model(key, ask.model)
    return replace(
        ask,
        account_id=key.account_id,
        key_id=key.id,
        ancestors=key.ancestors,
        end_user=end_user_of(key, ask.end_user),
        is_bound=key.owner is not None,
        organization=organization_of(key, ask.organization),
        unread=key.unread,
        band=tiers.require_band(tier, ask.model, call.services.registry),
        allowance=tiers.allowance(tier, milliseconds()),
        request_id=call.request_id,
    )


async def stream(
    call: Call, turn: Telling, voice: Voice, told_as: str, *, repeated: bool
) -> StreamedReply:
    """Tell *turn* as it comes, from where its reader was.

    Raises `Refusal` for a turn that fails before its first word, while a
    status can still say so.
    """
    after = _heard(call)
    if after > len(turn.said):
        raise _unknown_event()
    reader = call.reader(turn, after, silence=SILENCE)
    await reader.word(FIRST_WORD)
    if turn.failed and not turn.said:
        raise failure_of(turn)
    pieces = voice.stream(turn, reader, after, told_as)
    return StreamedReply(pieces, headers_of(turn, repeated), voice.content_type)


def headers_of(turn: Telling, repeated: bool) -> list[tuple[bytes, bytes]]:
    """What an answer's head says of its turn."""
    headers = [(b"x-chatloom-turn", turn.id.encode())]
    if repeated:
        headers.append((b"idempotent-replayed", b"true"))
    if turn.failed:  # known already, though its status cannot say so any more
        headers.append((b"x-should-retry", b"false"))
    return headers


def _heard(call: Call) -> int:
    """The event that the reader heard last, 0 for none. Raises `Refusal` for no number."""
    told = call.headers.get("last-event-id") or call.query.get("after") or "0"
    if not (told.isascii() and told.isdigit() and len(told) < _DIGITS):
        raise _unknown_event()
    return int(told)


def _unknown_event() -> Refusal:
    return invalid("this turn has told no such event", param="after", code="unknown_event")


_DIGITS = 12
