"""Somebody who talks to a server as Puter's clients do; every answer is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatloom.server.app import ROUTES
from chatloom.server.protocols.envelopes import STATUS
from chatloom.server.routes import RouteTable
from support.http import Answer, Caller, Events, told

CALL = "/drivers/call"
PLAIN = {"Content-Type": "text/plain;actually=json"}
_TABLE = RouteTable(ROUTES)


def called(method: str = "complete", **fields: object) -> dict[str, object]:
    """The body of a call, without a token."""
    return {"interface": "puter-chat-completion", "method": method, **fields}


def asking(*messages: object, **args: object) -> dict[str, object]:
    """The body of a call that has messages answered."""
    return called(args={"messages": list(messages), "model": "loom/echo", **args})


@dataclass(frozen=True)
class Puter:
    """Somebody with a token, who shows it as puter.js does: in the body."""

    server: Caller
    token: str = "puter"

    def send(self, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Answer:
        """Call a driver; the answer must be one that its route declares."""
        sent = json.dumps({**body, "auth_token": self.token}).encode()
        answer = self.server.call("POST", CALL, sent, headers={**PLAIN, **(headers or {})})
        check(answer, "POST", CALL)
        return answer

    def call(self, method: str, **args: object) -> Any:
        """The result of a call that must go well."""
        answer = self.send(called(method, args=args))
        assert answer.status == 200, answer.body
        return answer.json["result"]

    def chat(self, *messages: object, **args: object) -> Any:
        """The result of having messages answered."""
        return self.call("complete", **{"messages": list(messages), "model": "loom/echo", **args})

    def stream(
        self, *messages: object, headers: Mapping[str, str] | None = None, **args: object
    ) -> Events:
        """Have messages answered in pieces, to their end."""
        body = {**asking(*messages, stream=True, **args), "auth_token": self.token}
        sent = json.dumps(body).encode()
        given = {**PLAIN, **(headers or {})}
        with self.server.post(CALL, sent, key=self.token, headers=given) as response:
            return told(response)

    def get(self, path: str, method: str = "GET", body: object = None) -> Answer:
        """Ask for something, with the token in the head."""
        answer = self.server.call(method, path, body, key=self.token)
        check(answer, method, path)
        return answer


def check(answer: Answer, method: str, path: str) -> None:
    """An answer must be one that its route declares; a refusal, in Puter's form."""
    route = _TABLE.find(path)[0][method]
    assert answer.status in {route.status, *(STATUS[kind] for kind in route.refusals)}, answer.body
    if answer.status >= 400:
        refusal(answer)


def refusal(answer: Answer) -> tuple[int, str]:
    """The status and the code of a refusal, which must be as Puter's clients expect it."""
    body = answer.json
    assert body["error"] == body["message"] != ""
    assert isinstance(body["error"], str)
    assert "success" not in body
    assert answer.headers["content-type"] == "application/json"
    return answer.status, body["code"]


def lines(events: Events) -> list[Any]:
    """What each line of a stream says; there is nothing between them."""
    return [json.loads(line) for line in events.raw.split(b"\n")[:-1]]


def log_in(server: Caller, name: str, password: str = "first password", **headers: str) -> Answer:
    """Log in, and by the first login of a dev server's be somebody."""
    body = {"username": name, "password": password}
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    answer = server.call("POST", "/login", body, headers=named)
    check(answer, "POST", "/login")
    return answer


def session(server: Caller, name: str) -> Puter:
    """Somebody who has just logged in."""
    answer = log_in(server, name)
    assert answer.status == 200, answer.body
    return Puter(server, answer.json["token"])
