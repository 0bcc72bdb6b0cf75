"""What a connection may send and hold before anybody knows who it is."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import pytest

from support.live import Live

HEAD = b"GET /health HTTP/1.1\r\nHost: localhost\r\n"


def opened(live: Live) -> socket.socket:
    place = urlsplit(live.url)
    assert place.port is not None
    return socket.create_connection(("127.0.0.1", place.port), timeout=20)


def test_a_head_without_end_is_cut(live: Live) -> None:
    with opened(live) as connection:
        connection.sendall(HEAD)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            connection.sendall((b"X-Filler: " + b"x" * 1000 + b"\r\n") * 50_000)
    assert live.call("GET", "/health").status == 200


def test_a_long_head_is_refused_as_such(live: Live) -> None:
    with opened(live) as connection:
        connection.sendall(HEAD + b"X-Filler: " + b"x" * 70_000)
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_a_head_in_pieces_and_a_body_beside_it_are_fine(live: Live) -> None:
    with opened(live) as connection:
        for byte in HEAD + b"\r\n":
            connection.sendall(bytes([byte]))
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
        body = b'{"x": "' + b"x" * 200_000
        length = str(len(body)).encode()
        connection.sendall(
            b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer k\r\n"
            b"Content-Length: " + length + b"\r\n\r\n" + body
        )
        answer = b""
        while b"invalid_json" not in answer:
            piece = connection.recv(65536)
            assert piece, answer
            answer += piece
