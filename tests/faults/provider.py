"""A provider in a process of its own, that says a known text slowly and counts what it is asked.

It speaks the OpenAI wire. Its models are named ``40x5``: 40 pieces, one every 5 milliseconds.
Run as a program it says its port, and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.http import Caller

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)
_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s"


def pieces(question: str, count: int) -> list[str]:
    """What is said to *question*: no two pieces are alike, and not all of it is ASCII."""
    return [f"{question}·{number} " for number in range(count)]


def answer(question: str, model: str) -> str:
    """All that *model* says to *question*."""
    return "".join(pieces(question, int(model.rpartition("/")[2].partition("x")[0])))


class _Provider:
    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = _LENGTH.search(head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                async for block in self._answer(body):
                    writer.write(block)
                    await writer.drain()
        writer.close()

    async def _answer(self, body: bytes) -> AsyncIterator[bytes]:
        if not body:
            told = json.dumps(self._asked).encode()
            yield _WHOLE % (len(told), told)
            return
        asked = json.loads(body)
        question = asked["messages"][-1]["content"]
        self._asked[question] += 1
        count, _, pause = asked["model"].partition("x")
        said = pieces(question, int(count))
        if asked.get("stream"):
            async for block in _stream(said, float(pause) / 1000):
                yield block
            return
        await asyncio.sleep(float(pause) / 1000 * len(said))
        message = {"role": "assistant", "content": "".join(said)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = json.dumps({"choices": [choice], "usage": _usage(said)}).encode()
        yield _WHOLE % (len(told), told)


async def _stream(said: list[str], pause: float) -> AsyncIterator[bytes]:
    yield _STREAM
    for piece in said:
        await asyncio.sleep(pause)
        yield _event({"choices": [{"index": 0, "delta": {"content": piece}}]})
    finish = {"index": 0, "delta": {"content": ""}, "finish_reason": "stop"}
    yield _event({"choices": [finish], "usage": _usage(said)})
    yield _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


def _event(data: object) -> bytes:
    return _chunk(b"data: " + json.dumps(data).encode() + b"\n\n")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _usage(said: list[str]) -> Mapping[str, int]:
    return {"prompt_tokens": 7, "completion_tokens": len(said), "total_tokens": 7 + len(said)}


async def _run() -> None:
    server = await asyncio.start_server(_Provider().serve, "127.0.0.1", 0, backlog=1000)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.close()


@dataclass(frozen=True)
class Provider:
    """The running provider."""

    port: int

    def asked(self) -> dict[str, int]:
        """How often each question was asked."""
        told: Any = Caller(f"http://127.0.0.1:{self.port}").call("GET", "/asked").json
        return {str(question): int(count) for question, count in told.items()}

    def config(self, port: int | None = None, model: str = "40x5") -> str:
        """A server's configuration that knows it as ``drip``, by another *port* if need be.

        The model ``drip`` is its *model*, with a price; any other is named ``drip/40x5``.
        """
        return f"""
            [providers.drip]
            base_url = "http://127.0.0.1:{port or self.port}/v1"
            max_retries = 0
            first_token_timeout = 2
            idle_timeout = 1
            [models.drip]
            provider = "drip"
            name = "{model}"
            price = {{ prompt = 1.0, completion = 2.0 }}
            """


@contextmanager
def providing() -> Generator[Provider]:
    """Run a provider until the block ends."""
    command = [sys.executable, "-m", "faults.provider"]
    tests = Path(__file__).parents[1]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tests
    ) as process:
        assert process.stdout is not None
        yield Provider(int(process.stdout.readline()))
        process.kill()


if __name__ == "__main__":
    asyncio.run(_run())
