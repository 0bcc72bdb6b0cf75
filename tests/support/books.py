"""What a store is given: openings and settlements of one account's turns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import msgspec

from chatloom.server.chat.message import Message
from chatloom.server.chat.tree import grow
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.models.driver import Price, Usage
from chatloom.server.store.contract import (
    Attempt,
    Branch,
    Conversation,
    Node,
    Opening,
    Outcome,
    Repetition,
    Settlement,
    Store,
)
from chatloom.server.store.keys import ApiSecret, Key, Unread

PRICE = Price(prompt=100, completion=400)
USAGE = Usage(10, 2)
COST = 10 * 100 + 2 * 400
RESERVED = 5_000


@dataclass(frozen=True)
class Books:
    """One account, and the store that keeps it."""

    store: Store
    account_id: str
    key_id: str

    def opening(
        self,
        conversation: Conversation | None = None,
        branch: Branch | None = None,
        parent: Node | None = None,
        *,
        price: Price | None = PRICE,
        end_user: str | None = None,
        streamed: bool = True,
        key_id: str | None = None,
        repetition: Repetition | None = None,
        unread: Unread = "cancel",
    ) -> Opening:
        """A turn that begins a conversation, or goes on with *branch* behind *parent*."""
        conversation_id = conversation.id if conversation else new_id()
        return Opening(
            turn_id=new_id(),
            account_id=self.account_id,
            key_id=key_id or self.key_id,
            end_user=end_user,
            conversation_id=conversation_id,
            starts_conversation=conversation is None,
            listed=end_user is not None,
            metadata={"made": "by a test"},
            branch_id=(branch.id if branch else None) if conversation else new_id(),
            parent_id=parent.id if parent else None,
            protocol="chatserver",
            model="script",
            provider="script",
            streamed=streamed,
            request=b"{}",
            priced_as="script",
            price=price,
            reserved=RESERVED if price else 0,
            started_at=milliseconds(),
            told_as="a test",
            repetition=repetition,
            unread=unread,
            asked=b"[]",
        )

    async def begin(self, opening: Opening) -> Opening:
        """Store a turn's beginning."""
        await self.store.open_turn(opening)
        return opening

    async def talk(self, *questions: str, end_user: str | None = None) -> Opening:
        """Take settled turns, one behind the other; the last one's opening."""
        opening = await self.begin(self.opening(end_user=end_user))
        await self.store.settle(answered(opening, question=questions[0]))
        for question in questions[1:]:
            opening = await self.begin(await self.next(opening, end_user=end_user))
            parent = await self.head(opening)
            await self.store.settle(answered(opening, parent, question=question))
        return opening

    async def next(self, last: Opening, *, end_user: str | None = None) -> Opening:
        """A turn that goes on where the main branch of *last* stands."""
        conversation, branches = await self.tree(last)
        head = await self.head(last)
        return self.opening(conversation, branches[0], head, end_user=end_user)

    async def tree(self, opening: Opening) -> tuple[Conversation, list[Branch]]:
        """The conversation of a turn, and its branches."""
        conversation = await self.store.conversation(self.account_id, opening.conversation_id)
        assert conversation is not None
        return conversation, await self.store.branches(conversation.id)

    async def head(self, opening: Opening) -> Node:
        """The last message of a turn's main branch."""
        _, branches = await self.tree(opening)
        head = await self.store.node(self.account_id, branches[0].head_id or "")
        assert head is not None
        return head


async def books(store: Store, account_id: str | None = None) -> Books:
    """Open an account with one key."""
    account = account_id or new_id()
    await store.account(account, "test", dev=False, now=1)
    return Books(store, account, (await add_key(store, account)).id)


async def add_key(store: Store, account_id: str, digest: bytes | None = None) -> Key:
    """Add a key, with a secret of this digest."""
    key = Key(
        id=new_id(),
        account_id=account_id,
        name="test",
        scopes=frozenset({"chat", "models"}),
        models=["loom/*"],
        created_at=2,
        hint="loom_test",
    )
    digest = digest or new_id().encode()
    secret = ApiSecret(key_id=key.id, digest=digest, hint=key.hint, created_at=2)
    await store.add_key(key, secret)
    return key


def answered(
    opening: Opening,
    parent: Node | None = None,
    *,
    question: str = "Hello!",
    answer: str = "Good day.",
    outcome: Outcome = "complete",
    usage: Usage = USAGE,
    price_id: int | None = None,
) -> Settlement:
    """A turn's end, with a question and an answer behind *parent*."""
    growing = partial(grow, conversation_id=opening.conversation_id, turn_id=opening.turn_id, now=3)
    asked = growing(parent, [Message("user", question)], said_here=False)
    nodes = asked + growing(asked[-1], [Message("assistant", answer)], said_here=True)
    return _settlement(opening, outcome, nodes, usage, price_id)


def failed(
    opening: Opening,
    outcome: Literal["provider_error", "cancelled", "truncated"] = "provider_error",
    usage: Usage | None = None,
) -> Settlement:
    """A turn's end with nothing said; it is charged only where there is *usage*."""
    return _settlement(opening, outcome, [], usage)


def _settlement(
    opening: Opening,
    outcome: Outcome,
    nodes: Sequence[Node],
    usage: Usage | None,
    price_id: int | None = None,
) -> Settlement:
    price = opening.price
    attempt = Attempt(
        number=1,
        provider=opening.provider,
        model="script-1",
        started_at=opening.started_at,
        ended_at=milliseconds(),
        problem=None if nodes else "it failed",
    )
    return Settlement(
        opening=opening,
        outcome=outcome,
        problem=None if nodes else "it failed",
        problem_kind=None if nodes else "unavailable",
        served_model="script-1",
        nodes=list(nodes),
        head_id=nodes[-1].id if nodes else None,
        title="A title",
        usage=usage,
        price_id=price_id,
        cost=price.of(usage) if price and usage else 0,
        deltas=msgspec.json.encode([["t", "Good day."]] if nodes else []),
        deltas_expire_at=milliseconds() + 60_000,
        journalled=opening.streamed,
        attempts=[attempt],
        frees_key=usage is None,
        estimated=bool(usage and usage.estimated),
        first_token_at=milliseconds(),
        ended_at=milliseconds(),
    )
