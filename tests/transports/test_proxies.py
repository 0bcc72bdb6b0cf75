"""Which way a request takes when the environment names a proxy."""

from __future__ import annotations

import pytest

from chatloom.core.errors import ConnectError, SettingsError
from chatloom.core.http import Request
from chatloom.transports.address import address_of
from chatloom.transports.proxies import proxy_for
from transports.authorities import Authority
from transports.modes import Can, Mode
from transports.scripted import Peer, free_port, serving

ELSEWHERE = "http://elsewhere.example:81/api"
LOGIN = "Basic bWU6c2VjcmV0IQ=="


def test_a_plain_request_names_the_whole_address(mode: Mode, get: Request) -> None:
    with serving(Peer.answer_all) as proxy:
        environment = {"http_proxy": f"http://me:secret%21@127.0.0.1:{proxy.port}"}
        mode.ask(mode.make(ELSEWHERE, environment), get, get)
    asked = proxy.asked[1]
    assert asked.target == "http://elsewhere.example:81/api/v1/x"
    assert asked.all("host") == ["elsewhere.example:81"]
    assert asked.all("proxy-authorization") == [LOGIN]
    assert proxy.connections == 1


def test_a_secure_request_goes_through_a_tunnel(
    mode: Mode, get: Request, authority: Authority
) -> None:
    def tunnel(peer: Peer) -> None:
        asked = peer.asked()
        assert asked.method == "CONNECT"
        peer.say(b"HTTP/1.1 200 Connection established\r\n\r\n")
        peer.relay(server.port)

    with serving(Peer.answer_all, context=authority.server()) as server, serving(tunnel) as proxy:
        environment = {"HTTPS_PROXY": f"http://me:secret!@127.0.0.1:{proxy.port}"}
        outside = mode.make(server.url, environment, authority.client())
        assert mode.ask(outside, get, get).status == 200
    assert [asked.target for asked in proxy.asked] == [f"127.0.0.1:{server.port}"]
    assert proxy.asked[0].all("proxy-authorization") == [LOGIN]
    assert [asked.all("proxy-authorization") for asked in server.asked] == [[], []]
    assert server.asked[0].target == "/v1/x"


def test_a_tunnel_may_be_refused(mode: Mode, get: Request) -> None:
    def refuse(peer: Peer) -> None:
        peer.asked()
        peer.answer(b"log in first", status=b"407 Proxy Authentication Required")

    with serving(refuse) as proxy:
        environment = {"https_proxy": f"http://me:secret@127.0.0.1:{proxy.port}"}
        with pytest.raises(ConnectError, match=rf"the proxy 127.0.0.1:{proxy.port}.*407") as told:
            mode.ask(mode.make("https://elsewhere.example", environment), get)
    assert "secret" not in str(told.value)


def test_a_proxy_that_is_not_there_is_named(mode: Mode, get: Request) -> None:
    environment = {"http_proxy": f"127.0.0.1:{free_port()}"}
    with pytest.raises(ConnectError, match="could not connect to the proxy") as told:
        mode.ask(mode.make(ELSEWHERE, environment), get)
    assert "serve --dev" not in str(told.value)


def test_an_excepted_host_is_reached_directly(mode: Mode, get: Request) -> None:
    with serving(Peer.answer_all) as server:
        environment = {"http_proxy": f"http://127.0.0.1:{free_port()}", "no_proxy": "127.0.0.1"}
        assert mode.ask(mode.make(server.url, environment), get).status == 200


PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("environment", "is_used"),
    [
        ({}, False),
        ({"http_proxy": PROXY}, True),
        ({"HTTP_PROXY": PROXY}, True),
        ({"http_proxy": "", "HTTP_PROXY": PROXY}, False),
        ({"https_proxy": PROXY}, False),
        ({"all_proxy": PROXY}, True),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, False),
        ({"http_proxy": PROXY, "REQUEST_METHOD": "GET"}, True),
        ({"http_proxy": PROXY, "no_proxy": "*"}, False),
        ({"http_proxy": PROXY, "NO_PROXY": "other.example, .example"}, False),
        ({"http_proxy": PROXY, "no_proxy": "elsewhere.example:81"}, False),
        ({"http_proxy": PROXY, "no_proxy": "elsewhere.example:82"}, True),
        ({"http_proxy": PROXY, "no_proxy": "where.example"}, True),
    ],
)
def test_the_environment_is_read_as_urllib_reads_it(
    environment: dict[str, str], is_used: bool
) -> None:
    proxy = proxy_for(address_of(ELSEWHERE), environment)
    assert (proxy is not None) == is_used
    if proxy is not None:
        assert (proxy.host, proxy.port, proxy.authorization) == ("proxy.example", 3128, None)


@pytest.mark.needs(Can.REFUSE_PROXIES)
@pytest.mark.parametrize("url", ["socks5://me:secret@proxy", "http://", "http://proxy:port"])
def test_a_proxy_of_another_kind_is_refused(mode: Mode, url: str) -> None:
    with pytest.raises(SettingsError) as told:
        mode.make(ELSEWHERE, {"all_proxy": url})
    assert "secret" not in str(told.value)
