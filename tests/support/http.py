"""A plain HTTP caller on the standard library: it sends what it is told, odd or not."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Headers = Mapping[str, str] | list[tuple[str, str]]


@dataclass(frozen=True)
class Chunks:
    """A body of unknown length."""

    pieces: list[bytes]


@dataclass(frozen=True)
class Answer:
    """A whole answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        """The inner object of an error body; ChatRoutes tells the same beside a text."""
        told = self.json
        if isinstance(told["error"], str):
            return {**told["details"], "message": told["message"]}
        return told["error"]

    @property
    def text(self) -> str:
        """The text of a completion's first choice."""
        return str(self.json["choices"][0]["message"]["content"])


@dataclass(frozen=True)
class Events:
    """A streamed answer, read until nothing more came."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    ended: bool
    """Whether it was ended cleanly; False where the connection was cut."""

    @property
    def blocks(self) -> list[dict[str, str]]:
        """The fields of each event."""
        blocks = self.raw.decode().removesuffix("\n\n").split("\n\n")
        return [dict(_field(line) for line in block.split("\n") if line) for block in blocks]

    @property
    def data(self) -> list[str]:
        """The data of each event."""
        return [block["data"] for block in self.blocks if "data" in block]

    @property
    def chunks(self) -> list[Any]:
        """The data of each event, decoded, without the closing ``[DONE]``."""
        return [json.loads(data) for data in self.data if data != "[DONE]"]

    @property
    def text(self) -> str:
        """The text of the first choice."""
        choices = [choice for chunk in self.chunks for choice in chunk.get("choices", ())]
        told = [choice["delta"].get("content") for choice in choices if choice["index"] == 0]
        return "".join(text for text in told if text)


def _field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(": ")
    return name, value


class Caller:
    """Sends requests to one server, each on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = urlsplit(url).hostname or ""
        self.port = urlsplit(url).port or 80

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = None,
        headers: Headers | None = None,
    ) -> Answer:
        """Send a request and read the answer whole.

        *body* is bytes as they are, or chunks; anything else is sent as JSON.
        """
        with self._sent(method, path, body, key, headers) as response:
            return Answer(response.status, _lower(response), response.read())

    def complete(
        self,
        content: object,
        *,
        key: str = "any-key",
        headers: Headers | None = None,
        **fields: object,
    ) -> Answer:
        """Ask for a completion; *content* is the user's words, or all messages."""
        body = completion(content, **fields)
        return self.call("POST", "/v1/chat/completions", body, key=key, headers=headers)

    def events(
        self,
        content: object,
        *,
        key: str = "any-key",
        headers: Headers | None = None,
        **fields: object,
    ) -> Events:
        """Ask for a streamed completion, and read it to its end."""
        with self.stream(content, key=key, headers=headers, **fields) as response:
            return told(response)

    def follow(
        self, turn_id: str, after: int | None = None, *, key: str = "any-key", query: str = ""
    ) -> Events:
        """Read the events of a turn behind the one numbered *after*, to their end."""
        headers = {} if after is None else {"Last-Event-ID": str(after)}
        path = f"/v1/turns/{turn_id}/events{query}"
        with self._sent("GET", path, None, key, headers) as response:
            return told(response)

    @contextmanager
    def stream(
        self,
        content: object,
        *,
        key: str = "any-key",
        headers: Headers | None = None,
        **fields: object,
    ) -> Generator[http.client.HTTPResponse]:
        """Ask for a streamed completion, to be read as it comes."""
        body = completion(content, stream=True, **fields)
        with self.post("/v1/chat/completions", body, key=key, headers=headers) as response:
            yield response

    @contextmanager
    def post(
        self, path: str, body: object, *, key: str, headers: Headers | None = None
    ) -> Generator[http.client.HTTPResponse]:
        """Send *body*, and leave the answer to be read as it comes."""
        with self._sent("POST", path, body, key, headers) as response:
            yield response

    @contextmanager
    def _sent(
        self, method: str, path: str, body: object, key: str | None, headers: Headers | None
    ) -> Generator[http.client.HTTPResponse]:
        given = headers if isinstance(headers, list) else list((headers or {}).items())
        named = {name.lower() for name, _ in given}
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="host" in named)
            if key is not None:
                connection.putheader("Authorization", f"Bearer {key}")
            for name, value in given:
                connection.putheader(name, value)
            _send_body(connection, body, named)
            yield connection.getresponse()
        finally:
            connection.close()

    def send_and_leave(self, request: bytes) -> None:
        """Send bytes as they are, and wait for no answer."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(request)

    def raw(self, request: bytes) -> bytes:
        """Send bytes as they are, and read until the server closes."""
        with socket.create_connection((self.host, self.port), timeout=30) as connection:
            connection.sendall(request)
            pieces: list[bytes] = []
            while piece := connection.recv(65536):
                pieces.append(piece)
        return b"".join(pieces)


def told(response: http.client.HTTPResponse) -> Events:
    """Read a streamed answer to its end, clean or not."""
    try:
        raw, ended = response.read(), True
    except http.client.IncompleteRead as cut:
        raw, ended = cut.partial, False
    return Events(response.status, _lower(response), raw, ended)


def completion(content: object, **fields: object) -> dict[str, object]:
    """A request for a completion; *content* is the user's words, or all messages."""
    messages = [{"role": "user", "content": content}] if isinstance(content, str) else content
    return {"model": "loom/scribe", "messages": messages, **fields}


def _send_body(connection: http.client.HTTPConnection, body: object, named: set[str]) -> None:
    if body is None:
        connection.endheaders()
        return
    if isinstance(body, Chunks):
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders(iter(body.pieces), encode_chunked=True)
        return
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if "content-type" not in named:
        connection.putheader("Content-Type", "application/json")
    if "content-length" not in named:
        connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data)


def _lower(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}
