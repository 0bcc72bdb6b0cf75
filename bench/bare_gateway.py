"""The least a gateway can do: typed request in, typed answer out, nothing else.

    python -m bench.bare_gateway PORT UPSTREAM

A raw ASGI callable on uvicorn with httptools (and uvloop where it is installed), and
aiohttp towards the upstream. No accounts, no storage, no retries, no errors. Below
``/local`` it answers from memory, as a server without an upstream would.
"""

from __future__ import annotations

import sys

import aiohttp
import uvicorn
from starlette.types import Receive, Scope, Send

from bench import canned
from bench.shapes import read_chunk, read_completion, read_request, write

_JSON = [(b"content-type", b"application/json")]
_EVENTS = [(b"content-type", b"text/event-stream")]


class Gateway:
    """Passes completions on."""

    def __init__(self, upstream: str) -> None:
        self._url = upstream + "/chat/completions"
        self._session: aiohttp.ClientSession | None = None
        self._completion = read_completion(canned.reply())
        self._chunks = [read_chunk(event[6:]) for event in canned.stream(canned.SERVER_EVENTS)[:-1]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = read_request(await _body(receive))
        if scope["path"].startswith("/local"):
            await self._answer_from_memory(request.stream, send)
            return
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        async with self._session.post(
            self._url, data=write(request), headers={"content-type": "application/json"}
        ) as answer:
            if request.stream:
                await _send_stream(answer, send)
            else:
                await _send_whole(write(read_completion(await answer.read())), send)

    async def _answer_from_memory(self, stream: bool, send: Send) -> None:
        if not stream:
            await _send_whole(write(self._completion), send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
        for chunk in self._chunks:
            body = b"data: %s\n\n" % write(chunk)
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _send_whole(body: bytes, send: Send) -> None:
    headers = [*_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _send_stream(answer: aiohttp.ClientResponse, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": _EVENTS})
    unread = b""
    async for block in answer.content.iter_any():
        *events, unread = (unread + block).split(b"\n\n")
        if events:
            body = b"".join([_again(event) for event in events])
            await send({"type": "http.response.body", "body": body, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _again(event: bytes) -> bytes:
    data = event.removeprefix(b"data: ")
    if data != b"[DONE]":
        data = write(read_chunk(data))
    return b"data: %s\n\n" % data


def main(port: str, upstream: str) -> None:
    """Serve until told to stop."""
    config = uvicorn.Config(
        Gateway(upstream),
        port=int(port),
        backlog=2048,
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
    )
    uvicorn.Server(config).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
