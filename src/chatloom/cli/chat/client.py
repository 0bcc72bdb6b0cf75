"""What a talk asks of its server."""

from __future__ import annotations

from collections.abc import Sequence

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
from chatloom.wire import openai
from chatloom.wire.chatserver import Health


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
    async def conversation(self, id: str) -> own.Conversation:
        """Read a conversation back, along its main branch."""
        return await self._get(path("/v1/conversations/{id}", id=id), typed(own.Conversation))

    @streaming
    def answer(
        self,
        model: str,
        messages: Sequence[dict[str, JSON]],
        *,
        system: str | None = None,
        conversation_id: str | None = None,
    ) -> AsyncStream[Delta, str]:
        """Answer *messages*, piece by piece, where the conversation named knows them."""
        payload: dict[str, object] = {"model": model, "messages": messages, "stream": True}
        if system:
            payload["system_prompt"] = system
        if conversation_id:
            payload["metadata"] = {"conversation_id": conversation_id}
        opening = self._opening("/v1/chat/completions", payload, "/v1/turns")
        return AsyncStream(opening, AnswerReading(model))
