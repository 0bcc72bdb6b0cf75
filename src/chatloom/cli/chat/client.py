"""What a talk asks of its server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chatloom import __version__
from chatloom.cli.chat.listening import UnlessLeft
from chatloom.cli.chat.reading import AnswerReading
from chatloom.core.clients import BlockingClient
from chatloom.core.engine import Engine, Sync
from chatloom.core.http import JSON, Timeouts, path
from chatloom.core.manner import Manner
from chatloom.core.operations import operation, streaming, typed
from chatloom.core.outside import Outside, Policy
from chatloom.core.secret import Secret
from chatloom.core.streams import AsyncStream
from chatloom.policies.authorize import Authorize
from chatloom.policies.identify import Identify
from chatloom.policies.retry import Retry
from chatloom.server.models.driver import Delta
from chatloom.wire import chatloom as own
from chatloom.wire import chatroutes as trees
from chatloom.wire import openai
from chatloom.wire.chatserver import Health

_TREES = "/api/v1/conversations/{id}"


class ChatClient(BlockingClient):
    """Asks one server, with one key."""

    @classmethod
    def at(cls, outside: Outside, key: Secret | None) -> ChatClient:
        """Talk over *outside*."""
        policies: list[Policy] = [Identify(), Retry(), UnlessLeft()]
        if key:
            policies.append(Authorize(key))
        manner = Manner(
            timeouts=Timeouts(connect=10),
            max_retries=2,
            headers=(("user-agent", f"chatloom-chat/{__version__}"),),
        )
        return cls(Engine(Sync, outside, policies, manner=manner))

    @operation
    async def health(self) -> Health:
        """Say who answers there."""
        return await self._get("/health", typed(Health))

    @operation
    async def models(self) -> openai.ModelList:
        """List the models on offer."""
        return await self._get("/v1/models", typed(openai.ModelList))

    @operation
    async def turn(self, id: str) -> own.Turn:
        """Read a turn back."""
        return await self._get(path("/v1/turns/{id}", id=id), typed(own.Turn))

    @operation
    async def cancel(self, id: str) -> own.Turn:
        """Stop a turn, and read it back."""
        return await self._post(path("/v1/turns/{id}/cancel", id=id), {}, typed(own.Turn))

    @operation
    async def conversation(self, id: str, branch_id: str | None = None) -> own.Conversation:
        """Read a conversation back, along a branch; without one, along the main branch."""
        where = path("/v1/conversations/{id}", id=id)
        return await self._get(where, typed(own.Conversation), branch_id=branch_id)

    @operation
    async def branches(self, id: str) -> list[trees.Branch]:
        """List the branches of a conversation, the main one first."""
        found: list[trees.Branch] = []
        where, cursor = path(f"{_TREES}/branches", id=id), None
        while True:
            page = await self._get(where, typed(trees.BranchList), cursor=cursor)
            found += page.branches
            cursor = page.next_cursor
            if cursor is None:
                return found

    @operation
    async def fork(self, id: str, message_id: str, name: str) -> trees.Branch:
        """Begin a branch at a message."""
        wanted = trees.Fork(fork_point_message_id=message_id, title=name)
        kind = typed(trees.Answer[trees.HoldingBranch])
        answer = await self._post(path(f"{_TREES}/fork", id=id), wanted, kind)
        return answer.data.branch

    @operation
    async def merge(self, id: str, branch_id: str) -> trees.HoldingBranch:
        """Merge a branch into the one it was forked from; that is the one told."""
        where = path(f"{_TREES}/branches/{{branch}}/merge", id=id, branch=branch_id)
        answer = await self._post(where, {}, typed(trees.Answer[trees.HoldingBranch]))
        return answer.data

    @operation
    async def compare(self, id: str, branch_id: str, against: str | None, most: int) -> trees.Diff:
        """Compare a branch with another; without one, with that it was forked from."""
        where = path(f"{_TREES}/branches/{{branch}}/diff", id=id, branch=branch_id)
        kind = typed(trees.Answer[trees.Diff])
        return (await self._get(where, kind, against=against, limit=most)).data

    @streaming
    def answer(
        self,
        model: str,
        messages: Sequence[dict[str, JSON]],
        *,
        system: str | None = None,
        place: Mapping[str, JSON] | None = None,
    ) -> AsyncStream[Delta, str]:
        """Answer *messages*, piece by piece, at a *place*, in the words of ``metadata``."""
        payload: dict[str, object] = {"model": model, "messages": messages, "stream": True}
        if system:
            payload["system_prompt"] = system
        if place:
            payload["metadata"] = place
        opening = self._opening("/v1/chat/completions", payload, "/v1/turns")
        return AsyncStream(opening, AnswerReading(model))
