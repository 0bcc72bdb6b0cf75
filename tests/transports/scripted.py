"""A server whose every byte, silence and hang-up is written down in the test.

Each connection is one talk: a function that is given the server's end of it.
The first connection has the first talk, the second the second, and those
beyond the last have the last one again.
"""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeAlias

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

Talk: TypeAlias = "Callable[[Peer], None]"


@dataclass
class Asked:
    """A request, as it came."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name]


class Peer:
    """The server's end of a connection."""

    def __init__(self, sock: socket.socket, server: Server) -> None:
        self._socket = sock
        self._server = server
        self._unread = b""

    def asked(self) -> Asked:
        """Read a request; raises `ConnectionError` when the client went away instead."""
        head, _, self._unread = self._until(lambda held: b"\r\n\r\n" in held).partition(b"\r\n\r\n")
        first, *lines = head.decode("ascii").split("\r\n")
        method, target, _ = first.split(" ")
        headers = [(name, value.strip()) for name, _, value in (_.partition(":") for _ in lines)]
        request = Asked(method, target, headers, b"")
        size = int((request.all("content-length") or ["0"])[0])
        held = self._until(lambda held: len(held) >= size)
        request.body, self._unread = held[:size], held[size:]
        self._server.asked.append(request)
        return request

    def say(self, *blocks: bytes) -> None:
        for block in blocks:
            self._socket.sendall(block)

    def answer(self, body: bytes = b"", *headers: bytes, status: bytes = b"200 OK") -> None:
        """Give a whole answer."""
        lines = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *headers]
        self.say(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def answer_all(self, body: bytes = b"") -> None:
        """Give the same answer to whatever is asked."""
        while True:
            self.asked()
            self.answer(body)

    def echo_all(self) -> None:
        """Answer whatever is asked with its own path."""
        while True:
            self.answer(self.asked().target.encode("ascii"))

    def hold(self, seconds: float = 30) -> None:
        """Stay silent until the client has gone, the test is over, or the time is up."""
        self._socket.settimeout(seconds)
        with suppress(OSError):
            while self._socket.recv(65536):
                pass

    def reset(self) -> None:
        """Hang up as if the machine had crashed."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def close(self) -> None:
        self._socket.close()

    def relay(self, port: int) -> None:
        """Pass bytes on to another port, and back, until one side ends."""
        with socket.create_connection(("127.0.0.1", port)) as beyond:
            thread = threading.Thread(target=_pump, args=(beyond, self._socket))
            thread.start()
            _pump(self._socket, beyond)
            thread.join()

    def _until(self, is_enough: Callable[[bytes], bool]) -> bytes:
        held = self._unread
        while not is_enough(held):
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError
            held += piece
        return held


@dataclass
class Server:
    """What a test sees of the server."""

    port: int
    scheme: str = "http"
    asked: list[Asked] = field(default_factory=list[Asked])
    connections: int = 0

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextmanager
def serving(*talks: Talk, context: ssl.SSLContext | None = None) -> Generator[Server]:
    """Serve on a free port until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Server(listener.getsockname()[1], "https" if context else "http")
        open_sockets: list[socket.socket] = []
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    open_sockets.append(sock)
                    talk = talks[min(server.connections, len(talks) - 1)]
                    server.connections += 1
                    threads.append(threading.Thread(target=_talk, args=(talk, sock)))
                    threads[-1].start()

        def _talk(talk: Talk, sock: socket.socket) -> None:
            with suppress(OSError):
                if context is not None:
                    sock = context.wrap_socket(sock, server_side=True)
                    open_sockets.append(sock)
                with sock:
                    talk(Peer(sock, server))
            sock.close()

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            _hang_up(listener)
            accepting.join()
            for sock in open_sockets:
                _hang_up(sock)
            for thread in threads:
                thread.join()


def saying(*blocks: bytes) -> Talk:
    """Answer the first request with just these bytes, then hang up."""

    def talk(peer: Peer) -> None:
        peer.asked()
        peer.say(*blocks)

    return talk


def free_port() -> int:
    """Find a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _hang_up(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, drain: socket.socket) -> None:
    with suppress(OSError):
        while block := source.recv(65536):
            drain.sendall(block)
    _hang_up(drain)
