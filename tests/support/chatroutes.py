"""Somebody who talks to a server over ChatRoutes, and checks every answer's form on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chatloom.server.app import ROUTES
from chatloom.server.protocols.envelopes import STATUS
from chatloom.server.routes import RouteTable
from support.http import Answer, Caller, Events, told
from transports.scripted import Peer

BASE = "/api/v1"
CONVERSATIONS = "/conversations"
_TABLE = RouteTable(ROUTES)


@dataclass(frozen=True)
class Member:
    """Somebody with a key."""

    server: Caller
    key: str = "member"

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send a request; its answer must be one that its route declares, in ChatRoutes' form."""
        answer = self.server.call(method, BASE + path, body, key=self.key, headers=headers)
        _check_declared(method, BASE + path, answer.status)
        assert answer.json["success"] == (answer.status < 300)
        return answer

    def data(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """What an answer holds that must be a success; ``x_y`` names the header ``x-y``."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.call(method, path, body, named)
        assert answer.status in {200, 201}, answer.body
        return answer.json.get("data")

    def get(self, path: str) -> Any:
        """What is to be read there."""
        return self.data("GET", path)

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        """How a request is refused: the status, and our own code."""
        return refusal(self.call(method, path, body))

    def begin(self, title: str = "A talk", model: str = "loom/echo", **fields: object) -> Talk:
        """Begin a conversation."""
        body = {"title": title, "model": model, **fields}
        return Talk(self, self.data("POST", CONVERSATIONS, body)["conversation"]["id"])

    def stream(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Events:
        """Read a streamed answer to its end."""
        with self.server.post(BASE + path, body, key=self.key, headers=headers) as response:
            return told(response)

    def pages(self, path: str, name: str, **query: object) -> Iterator[list[Any]]:
        """A list, page by page."""
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        more = ""
        while True:
            page = self.get(f"{path}?{asked}{more}")
            yield page[name]
            assert page["hasNext"] == (page["nextCursor"] is not None)
            if not page["hasNext"]:
                return
            more = f"&cursor={page['nextCursor']}"


@dataclass(frozen=True)
class Talk:
    """A conversation of somebody's."""

    member: Member
    id: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"{CONVERSATIONS}/{self.id}"

    @property
    def told(self) -> Any:
        """It, with its messages and branches."""
        return self.member.get(self.path)["conversation"]

    @property
    def main(self) -> Any:
        """Its main branch."""
        return next(one for one in self.branches() if one["isMain"])

    def send(self, content: str, branch: Any = None, **fields: object) -> Any:
        """Say something and be answered, on the main branch or *branch*."""
        body: dict[str, object] = {"content": content, **fields}
        if branch is not None:
            body["branchId"] = branch["id"]
        return self.member.data("POST", f"{self.path}/messages", body)

    def say(self, *contents: str, branch: Any = None) -> list[str]:
        """Say some things in turn; the ids of all messages."""
        ids: list[str] = []
        for content in contents:
            told = self.send(content, branch)
            ids += [told["userMessage"]["id"], told["message"]["id"]]
        return ids

    def fork(self, at: str, title: str = "A branch", **fields: object) -> Any:
        """Begin a branch at a message."""
        body = {"forkPointMessageId": at, "title": title, **fields}
        return self.member.data("POST", f"{self.path}/fork", body)["branch"]

    def branches(self) -> list[Any]:
        """Its branches, the main one first."""
        found: list[Any] = self.member.get(f"{self.path}/branches")["branches"]
        return found

    def branch(self, branch: Any) -> Any:
        """A branch as it is now."""
        return next(one for one in self.branches() if one["id"] == branch["id"])

    def change(self, branch: Any, **fields: object) -> Any:
        """Change a branch."""
        return self.member.data("PATCH", f"{self.path}/branches/{branch['id']}", fields)["branch"]

    def delete(self, branch: Any) -> None:
        """Delete a branch."""
        self.member.data("DELETE", f"{self.path}/branches/{branch['id']}")

    def merge(self, branch: Any, **fields: object) -> Any:
        """Merge a branch."""
        return self.member.data("POST", self.merging(branch), fields or None)

    def merging(self, branch: Any) -> str:
        """Where a branch is merged."""
        return f"{self.path}/branches/{branch['id']}/merge"

    def messages(self, branch: Any = None) -> list[Any]:
        """All that stands on a branch, from the beginning."""
        query = "" if branch is None else f"?branchId={branch['id']}"
        found: list[Any] = self.member.get(f"{self.path}/messages{query}")["messages"]
        return found

    def texts(self, branch: Any = None) -> list[str]:
        """What its messages say."""
        return [one["content"] for one in self.messages(branch)]


@dataclass(frozen=True)
class Grown:
    """A talk that has one of everything that has an id."""

    talk: Talk
    branch: str
    message: str
    """On the branch; it answers the main branch's question otherwise."""
    checkpoint: str

    @property
    def parts(self) -> dict[str, str]:
        """What stands in the places of addresses."""
        return {
            "conversation_id": self.talk.id,
            "branch_id": self.branch,
            "message_id": self.message,
            "checkpoint_id": self.checkpoint,
        }


def grown(member: Member) -> Grown:
    """A talk with a branch that can be merged, and a checkpoint."""
    talk = member.begin()
    branch = talk.fork(talk.say("One", "Two")[1], "Aside")
    message = talk.say("Aside", branch=branch)[1]
    body = {"branchId": branch["id"], "anchorMessageId": message}
    made = member.data("POST", f"{talk.path}/checkpoints", body)["checkpoint"]
    return Grown(talk, branch["id"], message, made["id"])


def refusal(answer: Answer) -> tuple[int, str]:
    """The status and our own code of a refusal, which must be as ChatRoutes' clients expect it."""
    body = answer.json
    assert body["success"] is False, body
    assert isinstance(body["error"], str)
    assert body["error"] == body["message"]
    assert body["code"].isupper()
    assert answer.headers["content-type"] == "application/json"
    return answer.status, body["details"]["code"]


def _check_declared(method: str, path: str, status: int) -> None:
    route = _TABLE.find(path.partition("?")[0])[0].get(method)
    if route is not None:
        declared = {route.status, *(STATUS[kind] for kind in route.refusals)}
        assert status in declared, f"{method} {route.path} does not declare {status}"


def answering(peer: Peer) -> None:
    """Be a provider: say ``answer N`` to the Nth question, and nothing else ever."""
    while True:
        asked = json.loads(peer.asked().body)
        number = len([one for one in asked["messages"] if one["role"] == "user"])
        message = {"role": "assistant", "content": f"answer {number}"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 12}
        told = json.dumps({"choices": [choice], "usage": usage}).encode()
        peer.answer(told, b"content-type: application/json")
