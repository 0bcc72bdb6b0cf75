"""Somebody who talks to a server as Infinity Assistant's clients do; every answer is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatloom.server.app import ROUTES
from chatloom.server.protocols.envelopes import STATUS
from chatloom.server.routes import RouteTable
from support.http import Answer, Caller, Events, told

CHAT, NAMED = "/api/chat", "/api/chat/stream"
_TABLE = RouteTable(ROUTES)


@dataclass(frozen=True)
class Assistant:
    """Somebody with a key."""

    server: Caller
    key: str = "assistant"

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; its answer must be one that its route declares, in the service's form."""
        answer = self.server.call(method, path, body, key=self.key, headers=headers)
        route = _TABLE.find(path.partition("?")[0])[0][method]
        declared = {route.status, *(STATUS[kind] for kind in route.refusals)}
        assert answer.status in declared, f"{method} {path} does not declare {answer.status}"
        assert answer.json["success"] == (answer.status < 300)
        return answer

    def told(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """An answer that must be a success; ``x_y`` names the header ``x-y``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.call(method, path, body, named)
        assert answer.status == 200, answer.body
        return answer.json

    def chat(self, message: str, **fields: object) -> Any:
        """Be answered in one piece."""
        return self.told("POST", CHAT, {"message": message, "model": "loom/echo", **fields})

    def stream(
        self,
        message: str,
        headers: Mapping[str, str] | None = None,
        *,
        path: str = CHAT,
        **fields: object,
    ) -> Events:
        """Be answered in pieces, to their end."""
        body = {"message": message, "model": "loom/echo", "stream": True, **fields}
        with self.server.post(path, body, key=self.key, headers=headers) as response:
            return told(response)

    def history(self, conversation_id: str, **query: str) -> list[tuple[str, str]]:
        """What was said in a conversation, and by whom."""
        more = "".join(f"&{name}={value}" for name, value in query.items())
        found = self.told("GET", f"{CHAT}?conversationId={conversation_id}{more}")
        assert found["conversationId"] == conversation_id
        return [(one["role"], one["content"]) for one in found["messages"]]

    def remember(self, key: str, value: object, **fields: object) -> None:
        """Have something remembered."""
        self.told("POST", "/api/memory/store", {"key": key, "value": value, **fields})

    def know(self, title: str, content: str) -> str:
        """Add to what the account knows; the entry's id."""
        body = {"type": "wisdom", "title": title, "content": content}
        return str(self.told("POST", "/api/knowledge", body)["entry"]["id"])

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """How a request is refused: the status, and the code that the service's clients know."""
        return refusal(self.call(method, path, body))


def refusal(answer: Answer) -> tuple[int, str]:
    """The status and the code of a refusal, which must be as the service's clients expect it."""
    body = answer.json
    assert body["success"] is False, body
    assert isinstance(body["error"], str)
    assert body["error"] == body["message"] != ""
    assert answer.headers["content-type"] == "application/json"
    return answer.status, body["code"]
