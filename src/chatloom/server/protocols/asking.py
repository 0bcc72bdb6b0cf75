"""Asking a model something that is no part of a conversation: a summary, say."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from chatloom.server.call import Call
from chatloom.server.chat.ask import Ask
from chatloom.server.chat.message import Message
from chatloom.server.chat.telling import Telling
from chatloom.server.models.driver import Parameters
from chatloom.server.protocols import completions
from chatloom.server.protocols.repeats import attempt_key
from chatloom.server.protocols.voice import headers_of, whole

PROTOCOL = "chatloom"
VOICE = completions.VOICE
"""How such a turn is told to who follows it by its id."""


async def ask_apart(
    call: Call,
    messages: Sequence[Message],
    *,
    model: str,
    conversation_id: str | None = None,
    branch_id: str | None = None,
    parameters: Parameters | None = None,
    purpose: str = "",
) -> tuple[Telling, list[tuple[bytes, bytes]]]:
    """Have a model answer *messages*, on the terms of the call's key; charged like any turn.

    It is repeated by the call's idempotency key; what it costs counts for the conversation and
    the branch named. A call that asks several things says by *purpose* which is which. The second
    value is for the head of the call's answer. Raises `Refusal`, also for a turn that failed.
    """
    ask = Ask(
        account_id=call.key.account_id,
        key_id=call.key.id,
        protocol=PROTOCOL,
        model=model,
        messages=list(messages),
        parameters=parameters or Parameters(),
        streamed=False,
        apart=True,
        conversation_id=conversation_id,
        branch_id=branch_id,
        attempt_key=attempt_key(call, msgspec.json.encode(messages)),
        purpose=purpose,
    )
    turn, repeated = await whole(call, ask)
    return turn, headers_of(turn, repeated)
