"""A provider that has all its answers ready: pre-rendered bytes, one process, one thread.

    python -m bench.upstream PORT

The first part of a path says how a streamed answer comes, and of how many events:
``/burst-200/...`` or ``/paced-1001/...``. A request that asks for no stream gets the
plain reply from either. Who asks for ``/messages`` is answered in Anthropic's format.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import threading
import time
from functools import cache
from typing import cast

from bench import canned, canned_anthropic
from bench.processes import run

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ASKED = re.compile(rb"POST /(burst|paced)-(\d+)/v1/(messages)?")
_STREAMED = re.compile(rb'"stream": ?true')

_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Thu, 20 Nov 2026 12:00:00 GMT\r\nserver: canned\r\n"
    b"x-request-id: req_0123456789abcdef\r\n"
)
_STREAM_HEAD = _HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_MODELS = b'{"object":"list","data":[{"id":"model","object":"model","created":0,"owned_by":"me"}]}'


def _whole(body: bytes) -> bytes:
    head = b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    return _HEAD + head + body


@cache
def _stream(events: int, anthropic: bool) -> list[bytes]:
    """What is sent, each entry by itself; the head goes with the first event."""
    told = (canned_anthropic if anthropic else canned).stream(events)
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in told]
    chunks[0] = _STREAM_HEAD + chunks[0]
    chunks[-1] += b"0\r\n\r\n"
    return chunks


class Upstream(asyncio.Protocol):
    """One connection."""

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._unread = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket = cast("socket.socket", transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n") + 4) >= 4:
            length = _LENGTH.search(self._unread, 0, end)
            end += int(length[1]) if length else 0
            if len(self._unread) < end:
                return
            request, self._unread = self._unread[:end], self._unread[end:]
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        asked = _ASKED.match(request)
        if asked is None:
            self._transport.write(_whole(_MODELS))
        elif not _STREAMED.search(request):
            reply = (canned_anthropic if asked[3] else canned).reply()
            self._transport.write(_whole(reply))
        else:
            self._tell(asked[1] == b"burst", _stream(int(asked[2]), asked[3] is not None))

    def _tell(self, in_a_burst: bool, pieces: list[bytes]) -> None:
        if in_a_burst:
            self._burst(pieces)
        else:
            threading.Thread(target=self._pace, args=[pieces], daemon=True).start()

    def _burst(self, pieces: list[bytes]) -> None:
        # One `send` each, which neither asyncio nor uvloop promises.
        if os.name != "posix":
            self._transport.write(b"".join(pieces))
            return
        number = self._socket.fileno()
        for at, piece in enumerate(pieces):
            try:
                taken = os.write(number, piece)
            except BlockingIOError:
                taken = 0
            if taken < len(piece):
                self._transport.write(b"".join((piece[taken:], *pieces[at + 1 :])))
                return

    def _pace(self, pieces: list[bytes]) -> None:
        # In a thread: event loops count in whole milliseconds.
        number = self._socket.fileno()
        for piece in pieces:
            time.sleep(canned.PACE)
            os.write(number, piece)


async def serve(port: int) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    run(serve(int(sys.argv[1])))
