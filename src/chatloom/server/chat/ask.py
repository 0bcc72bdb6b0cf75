"""The one command every protocol's request for an answer becomes."""

from __future__ import annotations

import msgspec

from chatloom.core.http import JSON
from chatloom.server.chat.message import Message
from chatloom.server.models.driver import Input, Parameters
from chatloom.server.store.contract import Repetition
from chatloom.server.store.keys import Unread
from chatloom.server.store.spending import Allowance


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """Grow a conversation by an answer, or have inputs embedded."""

    account_id: str
    key_id: str
    protocol: str
    model: str
    messages: list[Message]
    parameters: Parameters
    streamed: bool
    inputs: list[Input] = []
    """What is to be embedded; then there are no messages, and it belongs to no conversation."""
    system_prompt: str | None = None
    """Leads the context; stays with the turn and never enters the tree."""
    found: str | None = None
    """What the server found that the model is to know; follows the system prompt."""
    extra: dict[str, JSON] = {}
    """Fields for the provider that chatloom does not know."""
    end_user: str | None = None
    """Names somebody inside the key's own account; the conversation is listed as theirs."""
    is_bound: bool = False
    """Whether its key belongs to that end user, and sees nothing of others."""
    organization: str | None = None
    """Names an organization inside the key's own account."""
    ancestors: tuple[str, ...] = ()
    """The keys that its key descends from."""
    band: str = ""
    """The band that its model is in."""
    allowance: Allowance | None = None
    """The credits that its account may spend; `None` for no limit."""
    request_id: str = ""
    """What its caller calls it; means nothing here."""
    conversation_id: str | None = None
    branch_id: str | None = None
    parent_id: str | None = None
    apart: bool = False
    """Whether it concerns the conversation named, if any, and does not grow it."""
    metadata: dict[str, JSON] = {}
    """Kept with the turn, and with the conversation it starts."""
    attempt_key: str = ""
    """The same for every repetition of one request."""
    repetition: Repetition | None = None
    """What tells a repetition of it; `None` where the caller gave no idempotency key."""
    wanted: str = ""
    """What the caller sent, where more is asked than that: what a conversation's defaults add."""
    told_as: str = ""
    """How the protocol tells its answer, in that protocol's own words; kept with the turn."""
    unread: Unread = "cancel"
    purpose: str = ""
    """Tells several turns of one request apart, which share its idempotency key."""
    goes_on: bool = False
    """Whether its caller has heard a part of the answer: then it begins nothing."""

    @property
    def is_apart(self) -> bool:
        """Whether it grows no conversation."""
        return self.apart or bool(self.inputs)

    @property
    def names_a_place(self) -> bool:
        """Whether the request says where it belongs."""
        return bool(self.conversation_id or self.branch_id or self.parent_id)
