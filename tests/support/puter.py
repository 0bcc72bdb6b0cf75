"""A service of Puter that answers by script over HTTP, and a client in either of its modes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from puter import PuterAI
from transports.scripted import Asked, Peer, serving

NDJSON = b"content-type: application/x-ndjson"
TOKEN = "a-token-that-nobody-may-see"
PASSWORD = "a-password-that-nobody-may-see"
LOGGED_IN = {"proceed": True, "next_step": "complete", "token": TOKEN, "user": {"username": "ann"}}
USAGE = {"type": "usage", "usage": {"prompt_tokens": 2, "completion_tokens": 3}}


@dataclass(frozen=True)
class Reply:
    """An answer that is no plain success with JSON."""

    body: bytes
    status: bytes = b"200 OK"
    headers: tuple[bytes, ...] = (b"content-type: application/json",)


Answer = Callable[[Asked], Any]
"""Answers a request: a `Reply`, or what is to be said as JSON."""


def said(text: object, **more: object) -> dict[str, Any]:
    """What a driver answers in words."""
    message = {"role": "assistant", "content": text, **more}
    usage = {"prompt_tokens": 2, "completion_tokens": 3}
    return {"success": True, "result": {"message": message, "usage": usage}}


def calling(*calls: tuple[str, object]) -> dict[str, Any]:
    """What a driver answers where the model calls tools."""
    told = [
        {
            "id": f"c{number}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments)},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    return said(None, tool_calls=told)


def refused(status: bytes, code: str, message: str, *headers: bytes) -> Reply:
    """What a newer service says where it says no."""
    body = json.dumps({"error": message, "message": message, "code": code}).encode()
    return Reply(body, status, (b"content-type: application/json", *headers))


def refused_by_200(status: int | None, code: str, message: str) -> dict[str, Any]:
    """What an older service says where it says no."""
    error: dict[str, Any] = {"$": "heyputer:api/APIError", "code": code, "message": message}
    return {"success": False, "error": error if status is None else {**error, "status": status}}


def lines(*told: object) -> Reply:
    """An answer line by line."""
    return Reply(b"".join(json.dumps(one).encode() + b"\n" for one in told), headers=(NDJSON,))


def text(*words: str) -> list[dict[str, str]]:
    """The lines of a text."""
    return [{"type": "text", "text": word} for word in words]


def echo(asked: Asked) -> Any:
    """Say what was said last, at once or line by line."""
    args = json.loads(asked.body)["args"]
    last = args["messages"][-1]["content"]
    return lines(*text(last), USAGE) if args.get("stream") else said(last)


@dataclass
class Service:
    """A scripted service, as a test sees it."""

    url: str
    answers: Sequence[Any]
    logins: Sequence[Any]
    asked: list[Asked] = field(default_factory=list[Asked])
    given: dict[str, int] = field(default_factory=dict[str, int])
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def targets(self) -> list[str]:
        """What was asked for."""
        return [f"{one.method} {one.target}" for one in self.asked]

    @property
    def bodies(self) -> list[Any]:
        """What was said to drivers."""
        return [json.loads(one.body) for one in self.asked if one.target == "/drivers/call"]

    def client(self, **options: Any) -> PuterAI:
        """Make a client that logs in, repeats at once, and sends as fast as it likes."""
        usual: dict[str, Any] = {"api_base": self.url}
        usual |= {"retry_delay": 0, "rate_limit_requests": None}
        if "token" not in options:
            usual |= {"username": "ann", "password": PASSWORD}
        return PuterAI(**{**usual, **options})

    def answer(self, asked: Asked) -> Reply:
        """Give the next answer of the kind; the last one stands for all that follow."""
        kind = "login" if asked.target.startswith("/login") else "call"
        script = self.logins if kind == "login" else self.answers
        with self.lock:
            self.asked.append(asked)
            number = self.given.get(kind, 0)
            self.given[kind] = number + 1
        told = script[min(number, len(script) - 1)]
        told = told(asked) if callable(told) else told
        return told if isinstance(told, Reply) else Reply(json.dumps(told).encode())


@contextmanager
def service(*answers: Any, logins: Sequence[Any] = (LOGGED_IN,)) -> Generator[Service]:
    """Serve these answers in turn; one that is `None` hangs up instead."""

    def talk(peer: Peer) -> None:
        while True:
            reply = told.answer(peer.asked())
            if reply.body == b"null":
                return peer.reset()
            peer.answer(reply.body, *reply.headers, status=reply.status)

    with serving(talk) as server:
        told = Service(server.url, answers, logins)
        yield told


@dataclass(frozen=True)
class Either:
    """A client, used in one of its modes."""

    client: PuterAI
    is_async: bool

    def chat(self, *args: Any, **asked: Any) -> str:
        if self.is_async:
            return asyncio.run(self.client.async_chat(*args, **asked))
        answer: str = self.client.chat(*args, **asked)
        return answer

    def stream(self, *args: Any, **asked: Any) -> list[str]:
        """Be told the answer piece by piece."""
        if self.is_async:
            return asyncio.run(_pieces(self.client, *args, **asked))
        return list(self.client.chat(*args, stream=True, **asked))

    def login(self, **asked: Any) -> bool:
        if self.is_async:
            return asyncio.run(self.client.async_login(**asked))
        return self.client.login(**asked)

    def models(self) -> list[str]:
        if self.is_async:
            return asyncio.run(self.client.async_get_available_models())
        return self.client.get_available_models()


async def _pieces(client: PuterAI, *args: Any, **asked: Any) -> list[str]:
    return [piece async for piece in client.astream(*args, **asked)]


Using = Callable[[PuterAI], Either]


@pytest.fixture(params=["blocking", "awaited"])
def using(request: pytest.FixtureRequest) -> Using:
    """Use a client in either mode."""
    return lambda client: Either(client, request.param == "awaited")


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A user who has set up nothing."""
    names = ["TOKEN", "USERNAME", "PASSWORD", "API_BASE", "LOGIN_URL", "TIMEOUT", "MAX_RETRIES"]
    names += ["RETRY_DELAY", "BACKOFF_FACTOR", "RATE_LIMIT_REQUESTS", "RATE_LIMIT_PERIOD"]
    for name in names:
        monkeypatch.delenv(f"PUTER_{name}", raising=False)
    for name in ("API_KEY", "BASE_URL", "TIMEOUT", "MAX_RETRIES", "LOG", "CONFIG"):
        monkeypatch.delenv(f"CHATLOOM_{name}", raising=False)
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
