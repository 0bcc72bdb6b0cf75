"""A server in a process of its own, whose streams go as their model's name says.

Run as a program it says its port, and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_MODEL = re.compile(rb'"model" *: *"(\w+)"')


def _chunk(line: bytes) -> bytes:
    event = b"data: " + line + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


_WORD = _chunk(b'{"choices":[{"delta":{"content":"word "}}]}')
_TALKS = {
    b"goes_on": _HEAD + _WORD * 3,
    b"is_silent": _HEAD,
    b"hangs_up": _HEAD + _WORD * 3,
    b"crashes": _HEAD + _WORD * 3,
    b"fails": _HEAD + _WORD * 3 + _chunk(b'{"error":{"message":"no more"}}') + b"0\r\n\r\n",
    b"ends": _HEAD
    + _WORD * 3
    + _chunk(b'{"choices":[{"delta":{},"finish_reason":"stop"}]}')
    + _chunk(b"[DONE]")
    + b"0\r\n\r\n",
}


class _Talk(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._asked = b""

    def data_received(self, data: bytes) -> None:
        self._asked += data
        if not self._asked.endswith(b"}"):
            return
        found = _MODEL.search(self._asked)
        assert found is not None
        self._asked = b""
        self._transport.write(_TALKS[found[1]])
        if found[1] == b"hangs_up":
            self._transport.close()
        elif found[1] == b"crashes":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Talk, "127.0.0.1", 0, backlog=1000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@contextmanager
def wayward() -> Generator[str]:
    """Serve until the block ends; gives the address."""
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
        server.kill()


if __name__ == "__main__":
    asyncio.run(_serve())
