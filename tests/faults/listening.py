"""Clients that bring home what they were told, whatever became of the connection."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import TypeAlias
from urllib.parse import urlsplit

from chatserver_sdk import AsyncChatServerClient, ChatServerClient, ChatServerError
from support.http import Events, completion

KEY = "faults"
"""The account of all that is asked here."""


@dataclass(frozen=True)
class Told:
    """What one client was told in answer to one question."""

    question: str
    model: str
    turn: str | None
    """As the answer's head named it."""
    text: str
    error: str | None = None
    """What the client was told instead of an end, by the error's class."""
    raw: bytes | None = None
    """Every byte of the body, where somebody wrote them down."""


Listener: TypeAlias = Callable[[str, str, str], Told]
"""Asks one question at this address, of this model, and listens to the end."""


def listen(
    url: str,
    path: str,
    body: object = None,
    *,
    key: str = KEY,
    headers: Mapping[str, str] | None = None,
) -> Events:
    """Ask for a stream, and write down each byte until its end. Status 0 stands for no answer."""
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=30)
    raw, status, told, ended = b"", 0, dict[str, str](), False
    content = None if body is None else json.dumps(body).encode()
    given = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        **(headers or {}),
    }
    try:
        connection.request("GET" if body is None else "POST", path, content, given)
        response = connection.getresponse()
        status = response.status
        told = {name.lower(): value for name, value in response.getheaders()}
        while piece := response.read1():
            raw += piece
        ended = True
    except (OSError, HTTPException):
        pass
    finally:
        connection.close()
    return Events(status, told, raw, ended)


def by_hand(url: str, question: str, model: str) -> Told:
    """Listen with nothing but HTTP, and never come back."""
    body = completion(question, model=model, stream=True)
    events = listen(url, "/v1/chat/completions", body)
    text = whole_events(events).text
    error = None if events.ended and events.status == 200 else "cut"
    turn = events.headers.get("x-chatloom-turn")
    return Told(question, model, turn, text, error, events.raw if events.status == 200 else None)


def insisting(url: str, question: str, model: str) -> Told:
    """Listen with nothing but HTTP, and ask the same again from where it broke off."""
    body = completion(question, model=model, stream=True)
    raw, turn, last = b"", None, ""
    for _ in range(200):
        resuming = {"last-event-id": last} if last else {}
        headers = {"idempotency-key": question, **resuming}
        events = listen(url, "/v1/chat/completions", body, headers=headers)
        if events.status == 200:
            turn = events.headers.get("x-chatloom-turn")
            told = whole_events(events)
            raw += told.raw
            last = next((block["id"] for block in told.blocks[::-1] if "id" in block), last)
            if events.ended or b'"error":' in raw:
                text = Events(200, {}, raw, events.ended).text
                return Told(question, model, turn, text, None if events.ended else "told", raw)
        elif events.status and events.headers.get("x-should-retry") == "false":
            break
        time.sleep(0.05)
    return Told(question, model, turn, Events(200, {}, raw, False).text if raw else "", "cut", raw)


def whole_events(events: Events) -> Events:
    """Leave out what a cut has left of an event."""
    end = events.raw.rfind(b"\n\n") + 2
    return Events(events.status, events.headers, events.raw[: max(end, 0)], events.ended)


def blocking(url: str, question: str, model: str) -> Told:
    """Listen with our SDK, which resumes."""
    pieces: list[str] = []
    turn = None
    with ChatServerClient(KEY, url, max_retries=8) as client:
        try:
            with client.create_completion(model, [question], stream=True) as stream:
                turn = stream.headers.get("x-chatloom-turn")
                pieces.extend(stream)
        except ChatServerError as error:
            return Told(question, model, turn, "".join(pieces), type(error).__name__)
    return Told(question, model, turn, "".join(pieces))


def awaiting(url: str, question: str, model: str) -> Told:
    """Listen with our asyncio SDK, which resumes, too."""
    return asyncio.run(_awaited(url, question, model))


def plainly(url: str, question: str, model: str) -> Told:
    """Wait with our asyncio SDK for an answer in one piece."""
    return asyncio.run(_waited(url, question, model))


async def _waited(url: str, question: str, model: str) -> Told:
    async with AsyncChatServerClient(KEY, url, max_retries=8) as client:
        return await ask_plainly(client, question, model)


async def _awaited(url: str, question: str, model: str) -> Told:
    async with AsyncChatServerClient(KEY, url, max_retries=8) as client:
        return await ask(client, question, model)


async def ask(client: AsyncChatServerClient, question: str, model: str) -> Told:
    """Ask one question with our asyncio SDK, and listen."""
    pieces: list[str] = []
    turn = None
    try:
        async with client.create_completion(model, [question], stream=True) as stream:
            turn = stream.headers.get("x-chatloom-turn")
            async for piece in stream:
                pieces.append(piece)  # noqa: PERF401 - what came before an error is kept
    except ChatServerError as error:
        return Told(question, model, turn, "".join(pieces), type(error).__name__)
    return Told(question, model, turn, "".join(pieces))


async def ask_plainly(client: AsyncChatServerClient, question: str, model: str) -> Told:
    """Ask one question with our asyncio SDK, for an answer in one piece."""
    try:
        raw = await client.with_raw_response.create_completion(model, [question])
    except ChatServerError as error:
        return Told(question, model, None, "", type(error).__name__)
    turn = raw.headers.get("x-chatloom-turn")
    return Told(question, model, turn, raw.parsed.choices[0].message.content or "")
