"""A proxy that treats TCP connections badly, as planned.

    python -m faults.proxy --to HOST:PORT --listen PORT --cut-after 100..5000 --how reset --seed 7

It stands before any server and knows no protocol: it counts bytes.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import get_args

from faults.plan import Fault, How, Plan, Way, at_random

_BLOCK = 65536


class _Cut(Exception):
    """As many bytes have passed as were to pass."""


class Proxy:
    """Stands between clients and one server, and treats each connection as its *plan* says."""

    def __init__(self, host: str, port: int, plan: Plan, *, listen: int = 0) -> None:
        self.plan = plan
        """May be replaced at any time; it counts for connections to come."""
        self.done: Counter[str] = Counter()
        """How many connections there were, how many ended how, how many bytes went which way."""
        self._beyond = (host, port)
        self._socket = socket.create_server(("127.0.0.1", listen), backlog=1000)
        self.port = int(self._socket.getsockname()[1])
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Its address, for who speaks HTTP through it."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def cuts(self) -> int:
        """How many connections it ended early."""
        return sum(self.done[how] for how in get_args(How))

    async def run(self, stop: asyncio.Event) -> None:
        """Pass connections on until told to stop, then reset those that are left."""
        server = await asyncio.start_server(self._accept, sock=self._socket)
        await stop.wait()
        server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.add(relay)
        fault = self.plan(self.done["connections"])
        self.done["connections"] += 1
        try:
            await self._relay(_End(reader, writer), fault)
        finally:
            self._relays.discard(relay)
            _reset(writer)

    async def _relay(self, near: _End, fault: Fault) -> None:
        if fault.how == "refuse":
            self.done["refuse"] += 1
            return
        try:
            far = _End(*await asyncio.open_connection(*self._beyond))
        except OSError:
            self.done["unreachable"] += 1
            return
        try:
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass("request", near.reader, far.writer, fault))
                ways.create_task(self._pass("answer", far.reader, near.writer, fault))
            await _close(near, far)
        except* _Cut:
            if fault.how == "close":
                await _close(near, far)
            elif fault.how == "stall":
                await _drop(near.reader)
        except* OSError:  # one side was reset, and so the other shall be
            self.done["lost"] += 1
        finally:
            _reset(far.writer)

    async def _pass(
        self, way: Way, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault
    ) -> None:
        """Pass on what comes, to its end. Raises `_Cut` once as much has passed as may."""
        writer.transport.set_write_buffer_limits(high=0)  # so that a drain leaves nothing behind
        left = fault.after if fault.how != "none" and fault.way == way else None
        size = _BLOCK if fault.rate is None else max(1, int(fault.rate / 20))
        while block := await reader.read(size):
            passing = block[:left]
            if pause := fault.latency + (len(passing) / fault.rate if fault.rate else 0):
                await asyncio.sleep(pause)
            writer.write(passing)
            await writer.drain()
            self.done[f"{way} bytes"] += len(passing)
            if left is not None:
                left -= len(passing)
                if not left:
                    self.done[fault.how] += 1
                    if fault.how != "half":
                        raise _Cut
                    break
        writer.write_eof()
        await _drop(reader)  # what a half closed way is still given, or nothing


@dataclass(frozen=True)
class _End:
    """The proxy's end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


async def _drop(reader: asyncio.StreamReader) -> None:
    """Read what comes until nobody is there any more, and forget it."""
    with suppress(OSError):
        while await reader.read(_BLOCK):
            pass


async def _close(*ends: _End) -> None:
    """Close as after a job well done."""
    for end in ends:
        end.writer.close()
    for end in ends:
        with suppress(OSError):
            await end.writer.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Break a connection that is not closed yet; its other end is told so."""
    if writer.is_closing():
        return
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@contextmanager
def proxied(host: str, port: int, plan: Plan, *, listen: int = 0) -> Generator[Proxy]:
    """Run a proxy before a server, in a thread of its own, until the block ends."""
    proxy = Proxy(host, port, plan, listen=listen)
    stop, loop = asyncio.Event(), asyncio.new_event_loop()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(proxy.run(stop))

    thread = threading.Thread(target=serve, name="fault proxy")
    thread.start()
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a proxy until Ctrl-C, then say what it did."""
    told = _parser().parse_args(arguments)
    plan = at_random(
        told.seed,
        told.cut_after,
        told.how,
        told.way,
        share=told.share,
        latency=told.latency,
        rate=told.rate,
    )
    host, _, port = told.to.rpartition(":")
    with proxied(host, int(port), plan, listen=told.listen) as proxy:
        _say(f"listening at {proxy.url}, before {told.to}")
        with suppress(KeyboardInterrupt):
            threading.Event().wait()
    _say("  ".join(f"{what}: {count}" for what, count in proxy.done.items()))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="faults.proxy", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("--to", required=True, metavar="HOST:PORT", help="the server to stand before")
    add("--listen", type=int, default=0, metavar="PORT", help="any free one unless given")
    add("--cut-after", type=_range, default=(1, 5000), metavar="N..M", help="bytes that pass")
    add("--how", nargs="+", choices=get_args(How), default=["none"], help="how connections end")
    add("--way", nargs="+", choices=get_args(Way), default=["answer"], help="whose bytes count")
    add("--share", type=float, default=1.0, help="of connections that end early")
    add("--latency", type=float, default=0.0, metavar="SECONDS", help="before each block")
    add("--rate", type=float, metavar="BYTES", help="a second, each way")
    add("--seed", type=int, default=0)
    return parser


def _range(text: str) -> tuple[int, int]:
    least, _, most = text.partition("..")
    return int(least), int(most or least)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
