"""Who reads slowly, or not at all, holds nobody up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPResponse, IncompleteRead
from io import BytesIO
from typing import Any, cast

import pytest

from faults.judging import check_books
from faults.listening import KEY, listen
from faults.sizes import size
from support.http import Events, completion
from support.live import Live

LONG = "loom/scribe?tokens=20000"
"""Six megabytes of events: more than all the buffers on the way hold."""
SLOW = "loom/scribe?tokens=300&delay=2"
READERS = size(4, 40)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[Live]:
    server = Live(tmp_path_factory.mktemp("slow") / "own.db", "--grace", "1")
    yield server
    server.stop()


class SlowReader:
    """Has asked for a stream, and is in no hurry."""

    def __init__(self, server: Live, connection: socket.socket, path: str, body: object) -> None:
        self._connection = connection
        self._told = b""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: {server.host}"]
        lines += [
            f"Authorization: Bearer {KEY}",
            f"Content-Length: {len(content)}",
            "Connection: close",
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + content)
        self.turn = self._head().getheader("x-chatloom-turn") or ""

    def _head(self) -> HTTPResponse:
        while b"\r\n\r\n" not in self._told:
            self._told += self._connection.recv(1)
        return self._answer()

    def _answer(self) -> HTTPResponse:
        response = HTTPResponse(cast("socket.socket", _Told(self._told)))
        response.begin()
        return response

    def read_a_byte(self) -> None:
        self._told += self._connection.recv(1)

    def read_the_rest(self) -> Events:
        """Hurry up after all."""
        with suppress(ConnectionResetError):
            while piece := self._connection.recv(65536):
                self._told += piece
        response = self._answer()
        headers = {name.lower(): value for name, value in response.getheaders()}
        try:
            return Events(response.status, headers, response.read(), True)
        except IncompleteRead as cut:
            return Events(response.status, headers, cut.partial, False)


class _Told:
    """What a connection has told, to be read again: as much of a socket as a response needs."""

    def __init__(self, told: bytes) -> None:
        self._told = told

    def makefile(self, _: str) -> BytesIO:
        return BytesIO(self._told)


@contextmanager
def slow_reader(server: Live, path: str, body: object = None) -> Generator[SlowReader]:
    """Ask, with a buffer for next to nothing."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect((server.host, server.port))
        yield SlowReader(server, connection, path, body)


@contextmanager
def a_byte_a_second(reader: SlowReader) -> Generator[None]:
    """Have somebody read at that pace while the block lasts."""
    over = threading.Event()

    def read() -> None:
        while not over.wait(1):
            reader.read_a_byte()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def settled(server: Live, turn: str) -> Any:
    """The turn once it has ended, which it must by itself."""
    for _ in range(600):
        told = server.call("GET", f"/v1/turns/{turn}", key=KEY).json
        if told["outcome"] is not None:
            return told
        time.sleep(0.05)
    raise AssertionError("the turn does not end")


def test_slow_readers_delay_neither_their_turn_nor_anybody(server: Live) -> None:
    path, asked = "/v1/chat/completions", completion("Go on.", model=LONG, stream=True)
    with slow_reader(server, path, asked) as reader, slow_reader(server, path, asked) as deaf:
        with a_byte_a_second(reader):
            whole = [settled(server, one.turn) for one in (reader, deaf)]
            events = f"/v1/turns/{reader.turn}/events"
            replay = listen(server.url, events)
            assert server.complete("Hello!", key=KEY, model="loom/echo").text == "Hello!"
        told = reader.read_the_rest()
    assert [turn["outcome"] for turn in whole] == ["complete", "complete"]
    assert told.ended
    assert told.raw == replay.raw
    assert told.text == whole[0]["text"]


def test_readers_of_one_turn_are_told_the_same_bytes(server: Live) -> None:
    asked = completion("Tell everybody.", model=SLOW, stream=True)
    with slow_reader(server, "/v1/chat/completions", asked) as first:
        events = f"/v1/turns/{first.turn}/events"
        with slow_reader(server, events) as reader, slow_reader(server, events):
            with a_byte_a_second(reader), ThreadPoolExecutor(READERS) as threads:
                reading = [threads.submit(listen, server.url, events) for _ in range(READERS)]
                told = [one.result() for one in reading]
            late = listen(server.url, events)
            rest = [first.read_the_rest(), reader.read_the_rest()]
    stored = server.call("GET", f"/v1/turns/{first.turn}", key=KEY).json
    assert stored["outcome"] == "complete"
    assert late.ended
    assert late.text == stored["text"]
    assert {one.raw for one in (*told, *rest)} == {late.raw}


def test_nothing_is_amiss_afterwards(server: Live) -> None:
    check_books(server.database)
