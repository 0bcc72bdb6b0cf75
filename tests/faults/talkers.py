"""Clients of all protocols who make something happen, and know afterwards what did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any, TypeAlias

from faults.listening import KEY, listen
from support.http import Answer, Caller, completion

_PATIENCE = 60.0


@dataclass
class Known:
    """What a client was told."""

    turns: set[str] = field(default_factory=set[str])
    """All that it was told of, also where it did not hear their end."""
    said: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """What was asked and answered in turns it heard to their end."""
    remembered: set[str] = field(default_factory=set[str])
    edited: set[str] = field(default_factory=set[str])
    """Messages that stand in place of others."""

    def note(self, answer: Answer, question: str, text: str) -> None:
        """Take note of an answer."""
        turn = answer.headers["x-chatloom-turn"]
        self.turns.add(turn)
        self.said[turn] = (question, text)

    def learn(self, other: Known) -> None:
        """Know what another knows."""
        self.turns |= other.turns
        self.said |= other.said
        self.remembered |= other.remembered
        self.edited |= other.edited


Talker: TypeAlias = Callable[[Caller, str, int], Known]
"""Says so many things about a topic that nobody else speaks of."""


def _ask(
    server: Caller,
    path: str,
    body: object,
    *,
    method: str = "POST",
    once: str | None = None,
) -> Answer | None:
    """Ask, and be told; `None` where the connection was lost, and it may have been done or not.

    What carries an idempotency key, *once*, is asked again until it is answered.
    """
    headers: Mapping[str, str] = {} if once is None else {"Idempotency-Key": once}
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        try:
            return server.call(method, path, body, key=KEY, headers=headers)
        except ConnectionRefusedError:
            pass  # nobody is there, who could have done it
        except (OSError, HTTPException):
            if once is None:
                return None
        time.sleep(0.02)
    raise AssertionError(f"nobody answered {method} {path}")


MODELS = (
    "loom/scribe?tokens=20",
    "loom/echo",
    "loom/scribe?cut=5",
    "loom/scribe?tokens=30&delay=3",
)


def by_completions(server: Caller, topic: str, times: int) -> Known:
    """Go on as long as all goes well, and ask again whatever was not answered."""
    known, history = Known(), list[Any]()
    for number in range(times):
        question = f"{topic}, {number}"
        history.append({"role": "user", "content": question})
        model, more = MODELS[number % len(MODELS)], {"n": 2} if number % 3 == 0 else {}
        body = completion(history, model=model, **more)
        answer = _ask(server, "/v1/chat/completions", body, once=question)
        if answer is None or answer.status != 200:
            history.clear()
            continue
        known.note(answer, question, answer.text)
        history.append({"role": "assistant", "content": answer.text})
    return known


def by_streams(server: Caller, topic: str, times: int) -> Known:
    """Listen to what is said slowly, and never come back."""
    known = Known()
    for number in range(times):
        question = f"{topic}, {number}"
        body = completion(question, model="loom/scribe?tokens=40&delay=5", stream=True)
        events = listen(server.url, "/v1/chat/completions", body)
        if turn := events.headers.get("x-chatloom-turn"):
            known.turns.add(turn)
            if events.ended:
                known.said[turn] = (question, events.text)
    return known


def by_messages(server: Caller, topic: str, times: int) -> Known:
    """Talk as to Anthropic, and be cut short by a limit now and then."""
    known, history = Known(), list[Any]()
    for number in range(times):
        question = f"{topic}, {number}"
        history.append({"role": "user", "content": question})
        limit = 3 if number % 2 else 100
        body = {"model": "loom/scribe?tokens=20", "max_tokens": limit, "messages": history}
        answer = _ask(server, "/v1/messages", body, once=question)
        if answer is None or answer.status != 200:
            history.clear()
            continue
        (block,) = answer.json["content"]
        known.note(answer, question, block["text"])
        history.append({"role": "assistant", "content": block["text"]})
    return known


def by_chatroutes(server: Caller, topic: str, times: int) -> Known:
    """Talk in one conversation, and take back what was said first."""
    known, base = Known(), "/api/v1"
    made = _ask(server, f"{base}/conversations", {"title": topic, "model": "loom/echo"}, once=topic)
    assert made is not None
    assert made.status == 201, made.body
    path = f"{base}/conversations/{made.json['data']['conversation']['id']}/messages"
    for number in range(times):
        question = f"{topic}, {number}"
        answer = _ask(server, path, {"content": question})
        if answer is None or answer.status != 200:
            continue
        told = answer.json["data"]
        known.note(answer, question, told["message"]["content"])
        if number == times // 2:
            place = f"{base}/messages/{told['userMessage']['id']}"
            edited = _ask(server, place, {"content": f"{question} or so"}, method="PATCH")
            if edited is not None:
                assert edited.status == 200, edited.body
                known.edited.add(edited.json["data"]["message"]["id"])
    return known


def by_assistant(server: Caller, topic: str, times: int) -> Known:
    """Talk to the assistant, and have it remember something each time."""
    known, conversation = Known(), None
    for number in range(times):
        question = f"{topic}, {number}"
        key = f"preferences.{topic}" if number == 1 else question
        stored = _ask(server, "/api/memory/store", {"key": key, "value": {"of": question}})
        if stored is not None:
            assert stored.status == 200, stored.body
            known.remembered.add(key)
        body: dict[str, object] = {"message": question, "model": "loom/echo"}
        if conversation is not None:
            body["conversationId"] = conversation
        answer = _ask(server, "/api/chat", body)
        if answer is not None and answer.status == 200:
            conversation = answer.json["conversationId"]
            known.note(answer, question, answer.json["response"])
    return known


TALKERS: Sequence[Talker] = [by_completions, by_streams, by_messages, by_chatroutes, by_assistant]
