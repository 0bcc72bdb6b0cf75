"""What goes out."""

from __future__ import annotations

import pytest

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request
from transports.modes import Mode
from transports.scripted import Asked, Peer, serving


def sent(mode: Mode, request: Request, below: str = "") -> Asked:
    with serving(Peer.answer_all) as server:
        mode.ask(server.url + below, request)
    return server.asked[0]


def test_a_post_arrives_as_it_was_made(mode: Mode) -> None:
    asked = sent(mode, Request("POST", "/v1/x", headers=(("x-name", "loom"),), body=b'{"a":1}'))
    assert (asked.method, asked.target, asked.body) == ("POST", "/v1/x", b'{"a":1}')
    assert asked.all("x-name") == ["loom"]
    assert asked.all("content-length") == ["7"]


def test_a_long_body_arrives_whole(mode: Mode) -> None:
    body = bytes(range(256)) * 8192
    assert sent(mode, Request("POST", "/", body=body)).body == body


def test_an_empty_post_says_that_it_is_empty(mode: Mode) -> None:
    assert sent(mode, Request("POST", "/")).all("content-length") == ["0"]


def test_a_get_has_no_length(mode: Mode) -> None:
    assert sent(mode, Request("GET", "/")).all("content-length") == []


@pytest.mark.parametrize("below", ["/api", "/api/"])
def test_the_path_of_the_base_address_comes_first(mode: Mode, below: str) -> None:
    assert sent(mode, Request("GET", "/v1/x"), below).target == "/api/v1/x"


def test_a_query_is_quoted(mode: Mode) -> None:
    request = Request("GET", "/x", query=(("q", "a b&c=é"), ("page", "2"), ("page", "3")))
    assert sent(mode, request).target == "/x?q=a%20b%26c%3D%C3%A9&page=2&page=3"


@pytest.mark.parametrize("path", ["/a%2Fb%20c", "/a%7eb", "/a+b", "//x", "/x?y=%20"])
def test_a_quoted_path_is_left_alone(mode: Mode, path: str) -> None:
    assert sent(mode, Request("GET", path)).target == path


def test_repeated_headers_are_all_sent(mode: Mode) -> None:
    asked = sent(mode, Request("GET", "/", headers=(("x-tag", "a"), ("x-tag", "b"))))
    assert asked.all("x-tag") == ["a", "b"]


def test_the_host_is_named_with_its_port(mode: Mode) -> None:
    with serving(Peer.answer_all) as server:
        mode.ask(server.url, Request("GET", "/"))
    assert server.asked[0].all("host") == [f"127.0.0.1:{server.port}"]


def test_a_host_header_of_the_callers_own_wins(mode: Mode) -> None:
    asked = sent(mode, Request("GET", "/", headers=(("host", "elsewhere.example"),)))
    assert asked.all("host") == ["elsewhere.example"]


def test_what_can_be_unpacked_is_asked_for(mode: Mode) -> None:
    assert sent(mode, Request("GET", "/")).all("accept-encoding") == ["gzip, deflate"]


def test_the_callers_headers_replace_the_usual_ones(mode: Mode) -> None:
    own = (("accept", "text/event-stream"), ("accept-encoding", "identity"), ("user-agent", "me"))
    asked = sent(mode, Request("POST", "/", headers=(*own, ("content-type", "x/y")), body=b"-"))
    assert [asked.all(name) for name, _ in own] == [[value] for _, value in own]
    assert asked.all("content-type") == ["x/y"]


@pytest.mark.parametrize(
    "header",
    [
        ("authorization", "secret\r\nx-evil: 1"),
        ("authorization", "secret\n"),
        ("authorization", "secret\0"),
        ("authorization", "secret\N{RIGHT DOUBLE QUOTATION MARK}"),
        ("x-evil: 1\r\nx", "secret"),
        ("", "secret"),
        ("content-length", "secret"),
        ("transfer-encoding", "secret"),
    ],
)
def test_a_header_that_could_be_more_than_one_is_refused(
    mode: Mode, header: tuple[str, str]
) -> None:
    with serving(Peer.answer_all) as server, pytest.raises(SettingsError) as caught:
        mode.ask(server.url, Request("GET", "/", headers=(header,)))
    assert not server.asked
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("path", ["", "x", "/a b", "/a\r\nx: 1", "/é", "/a\0", "/a#b"])
def test_a_path_that_is_more_than_a_path_is_refused(mode: Mode, path: str) -> None:
    with pytest.raises(SettingsError):
        mode.ask("http://127.0.0.1:9", Request("GET", path))


def test_a_method_that_is_more_than_a_method_is_refused(mode: Mode) -> None:
    with pytest.raises(SettingsError):
        mode.ask("http://127.0.0.1:9", Request("GET / HTTP/1.1\r\nx:", "/"))


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "localhost:3284",
        "ftp://host",
        "http://",
        "http://host:port",
        "http://me:secret@host",
        "http://host?x=1",
        "http://host/a b",
        f"http://{'x' * 64}.example",
    ],
)
def test_an_address_nobody_can_live_at_is_refused(mode: Mode, base_url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mode.make(base_url)
    assert "secret" not in str(caught.value)
