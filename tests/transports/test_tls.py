"""Whom the transports trust."""

from __future__ import annotations

import pytest

from chatloom.core.errors import ConnectError
from chatloom.core.http import Request
from transports.authorities import Authority
from transports.modes import Mode
from transports.scripted import Peer, serving


def test_a_server_nobody_vouches_for_is_refused(
    mode: Mode, get: Request, authority: Authority
) -> None:
    with (
        serving(Peer.answer_all, context=authority.server()) as server,
        pytest.raises(ConnectError, match=r"certificate is not trusted.*SSL_CERT_FILE") as told,
    ):
        mode.ask(server.url, get)
    assert str(told.value).startswith(f"GET /v1/x could not connect to 127.0.0.1:{server.port}")
    assert not server.asked


def test_a_certificate_for_another_name_is_refused(
    mode: Mode, get: Request, authority: Authority
) -> None:
    with (
        serving(Peer.answer_all, context=authority.server("elsewhere.example")) as server,
        pytest.raises(ConnectError, match="certificate is not trusted"),
    ):
        mode.ask(mode.make(server.url, ssl_context=authority.client()), get)


def test_a_context_may_trust_another_authority(
    mode: Mode, get: Request, authority: Authority
) -> None:
    body = bytes(range(256)) * 1000

    def talk(peer: Peer) -> None:
        peer.answer_all(body)

    with serving(talk, context=authority.server()) as server:
        outside = mode.make(server.url, ssl_context=authority.client())
        assert mode.ask(outside, get, Request("POST", "/", body=body), get).body == body
    assert server.connections == 1
    assert server.asked[1].body == body


def test_the_environment_may_name_the_authority(
    mode: Mode,
    get: Request,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    with serving(Peer.answer_all, context=authority.server()) as server:
        assert mode.ask(server.url, get).status == 200


def test_a_server_that_speaks_no_tls_cannot_be_reached(mode: Mode, get: Request) -> None:
    def talk(peer: Peer) -> None:
        peer.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        peer.hold(0.2)

    with serving(talk) as server, pytest.raises(ConnectError, match="no secure connection"):
        mode.ask(f"https://127.0.0.1:{server.port}", get)
