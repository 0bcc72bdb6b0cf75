"""Redirects: each one checked anew, and nothing carried where it does not belong."""

from __future__ import annotations

import pytest

from chatloom.server.egress import EgressRefused, EgressSettings, Fetched, FetchLimits
from chatloom.server.egress.asking import Method
from chatloom.server.egress.failures import Reason
from server.egress.outskirts import OTHER, PRIVATE, PUBLIC, World, world
from transports.scripted import Peer, Server, Talk, saying, serving

pytestmark = pytest.mark.anyio

SECRETS = {
    "Authorization": "Bearer secret",
    "Cookie": "session=secret",
    "X-Api-Key": "secret",
    "Webhook-Signature": "v1,secret",
}
HARMLESS = {"User-Agent": "loom", "Accept-Language": "en"}


def sending_to(location: str, status: int = 302) -> Talk:
    def talk(peer: Peer) -> None:
        peer.asked()
        line = b"location: " + location.encode("utf-8")
        peer.answer(b"moved", line, status=b"%d Moved" % status)

    return talk


def answering(peer: Peer) -> None:
    peer.asked()
    peer.answer(b"arrived")


async def refused(location: str, beyond: World, url: str = "http://a.example.com/") -> Reason:
    """Why a redirect to *location* is not followed, though all that is reached would answer."""
    with serving(sending_to(location), answering) as server:
        beyond.port = server.port
        with pytest.raises(EgressRefused) as refusal:
            await beyond.guard().get(url)
        assert server.connections == 1
    assert PRIVATE not in str(refusal.value)
    return refusal.value.reason


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://127.0.0.1/", "not_public"),
        ("//127.0.0.1/", "not_public"),
        ("http://169.254.169.254/latest/meta-data/", "not_public"),
        ("http://[::ffff:169.254.169.254]/", "not_public"),
        ("http://localhost/", "not_public"),
        ("http://inside.example.com/", "not_public"),
        ("//inside.example.com", "not_public"),
        ("http://nowhere.example.com/", "not_public"),
        ("http://0x7f000001/", "host"),
        ("http://2130706433/", "host"),
        ("http://b.example.com:22/", "port"),
        ("http://b.example.com@127.0.0.1/", "credentials"),
        ("//b.example.com@127.0.0.1/", "credentials"),
        ("ftp://b.example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://127.0.0.1:6379/", "scheme"),
        ("http:///etc/passwd", "host"),
        ("http:next", "url"),
        ("http:/next", "url"),
        ("/\\127.0.0.1/", "url"),
        ("\\\\127.0.0.1/", "url"),
        ("http://b.example.com/ http://c.example.com/", "url"),
        ("http://[::1/", "host"),
        ("//[::1/", "url"),
        ("http://b.example.com/" + "a" * 5000, "url"),
    ],
)
async def test_a_redirect_is_checked_as_if_somebody_had_named_it(
    location: str, reason: Reason
) -> None:
    beyond = world()
    beyond.names["inside.example.com."] = [[PRIVATE]]
    assert reason == await refused(location, beyond)
    assert beyond.addresses == [PUBLIC]


async def test_two_locations_are_none() -> None:
    said = b"HTTP/1.1 302 Found\r\nlocation: /a\r\nlocation: /b\r\n\r\n"
    with serving(saying(said)) as server, pytest.raises(EgressRefused) as refusal:
        await world(server.port).guard().get("http://a.example.com/")
    assert refusal.value.reason == "url"


async def test_a_name_is_looked_up_again_for_each_hop() -> None:
    beyond = World(a_example_com=[[PUBLIC], ["127.0.0.1"]])
    assert await refused("/again", beyond) == "not_public"
    assert beyond.looked_up == ["a.example.com."] * 2


async def test_an_exception_is_for_people_to_name_and_not_for_pages() -> None:
    settings = EgressSettings(allow=["10.0.0.0/8", "own.test:8443"])
    for location in (f"http://{PRIVATE}/", "http://own.test:8443/"):
        with serving(sending_to(location), answering) as server:
            beyond = world(server.port)
            beyond.names["own.test"] = [[PRIVATE]]
            with pytest.raises(EgressRefused) as refusal:
                await beyond.guard(settings).get("http://a.example.com/")
            assert (refusal.value.reason, server.connections) == ("redirect", 1)
    with serving(sending_to("http://own.test:8443/"), answering) as server:
        beyond.port = server.port
        fetched = await beyond.guard(settings).get(f"http://{PRIVATE}/")
    assert (fetched.body, fetched.url) == (b"arrived", "http://own.test:8443/")


async def test_loopback_in_dev_is_not_for_pages_either() -> None:
    with serving(sending_to("http://127.0.0.1:8888/")) as server:
        beyond = world(server.port)
        with pytest.raises(EgressRefused) as refusal:
            await beyond.guard(dev=True).get("http://a.example.com/")
    assert refusal.value.reason == "redirect"
    assert beyond.addresses == [PUBLIC]


async def test_a_loop_ends_after_as_many_hops_as_were_asked_for() -> None:
    with serving(
        sending_to("http://b.example.com/"), sending_to("http://a.example.com/")
    ) as server:
        server_world = world(server.port)
        with pytest.raises(EgressRefused) as refusal:
            await server_world.guard().get("http://a.example.com/", limits=FetchLimits(redirects=1))
        assert server.connections == 2
    with serving(sending_to("?again")) as server:
        with pytest.raises(EgressRefused):
            await world(server.port).guard().get("http://a.example.com/")
        assert server.connections == 6
    assert refusal.value.reason == "too_many_redirects"


async def test_without_redirects_one_is_an_answer() -> None:
    with serving(sending_to("http://127.0.0.1/", 307)) as server:
        limits = FetchLimits(redirects=0)
        fetched = await world(server.port).guard().get("http://a.example.com/", limits=limits)
    assert (fetched.status, fetched.body) == (307, b"moved")
    assert fetched.headers["location"] == "http://127.0.0.1/"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("next", "http://a.example.com/folder/next"),
        ("/next?x=1#there", "http://a.example.com/next?x=1"),
        ("../next", "http://a.example.com/next"),
        ("?q", "http://a.example.com/folder/page?q"),
        ("", "http://a.example.com/folder/page"),
        ("//b.example.com", "http://b.example.com/"),
        ("HTTP://B.Example.com/", "http://b.example.com/"),
        ("/\u00fc", "http://a.example.com/%C3%BC"),
    ],
)
async def test_a_location_is_read_beside_where_it_was_told(location: str, url: str) -> None:
    with serving(sending_to(location), answering) as server:
        fetched = await world(server.port).guard().get("http://a.example.com/folder/page#here")
    assert (b"arrived", url) == (fetched.body, fetched.url)


async def onward(
    status: int, method: Method, location: str, body: bytes = b""
) -> tuple[Server, Fetched]:
    with serving(sending_to(location, status), answering) as server:
        headers = {**SECRETS, **HARMLESS, **({"Content-Type": "text/x"} if body else {})}
        fetched = (
            await world(server.port)
            .guard()
            .request(method, "http://a.example.com/", headers=headers, body=body)
        )
    return server, fetched


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "GET", "GET"),
        (302, "HEAD", "HEAD"),
        (303, "HEAD", "HEAD"),
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (303, "DELETE", "GET"),
        (301, "PUT", "PUT"),
        (302, "DELETE", "DELETE"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (308, "PATCH", "PATCH"),
    ],
)
async def test_the_method_goes_on_as_the_status_says(
    status: int, method: Method, then: Method
) -> None:
    body = b"payload" if method in {"POST", "PUT", "PATCH"} else b""
    server, _ = await onward(status, method, "/next", body)
    first, second = server.asked
    kept = method == then
    assert (method, then) == (first.method, second.method)
    assert (body, body if kept else b"") == (first.body, second.body)
    assert (["text/x"] if kept and body else []) == second.all("content-type")
    # One's own origin knows them already.
    assert [value for name, value in SECRETS.items() if second.all(name.lower()) != [value]] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_another_origin_is_told_nothing_that_may_be_secret(status: int) -> None:
    server, _ = await onward(status, "GET", "http://b.example.com/")
    second = server.asked[1]
    assert "secret" not in str(second.headers)
    assert (second.all("user-agent"), second.all("accept-language")) == (["loom"], ["en"])
    assert second.all("host") == ["b.example.com"]


async def test_another_port_or_scheme_is_another_origin() -> None:
    settings = EgressSettings(ports=(80, 81))
    with serving(sending_to("http://a.example.com:81/"), answering) as server:
        beyond = world(server.port)
        await beyond.guard(settings).get("http://a.example.com/", headers=SECRETS)
    assert "secret" not in str(server.asked[1].headers)
    assert beyond.connected == [(PUBLIC, 80, "a.example.com"), (PUBLIC, 81, "a.example.com")]


@pytest.mark.parametrize("status", [307, 308])
async def test_a_body_does_not_leave_its_origin(status: int) -> None:
    with pytest.raises(EgressRefused) as refusal:
        await onward(status, "POST", "http://b.example.com/", b"payload")
    assert refusal.value.reason == "redirect"


@pytest.mark.parametrize("status", [200, 201, 300, 304, 305, 306, 404])
async def test_a_location_alone_is_no_redirect(status: int) -> None:
    _, fetched = await onward(status, "GET", "http://b.example.com/")
    assert (status, "http://a.example.com/") == (fetched.status, fetched.url)


async def test_a_redirect_goes_to_the_other_ones_address() -> None:
    with serving(sending_to("http://b.example.com/"), answering) as server:
        beyond = world(server.port)
        fetched = await beyond.guard().get("http://a.example.com/")
    assert (fetched.address, beyond.addresses) == (OTHER, [PUBLIC, OTHER])
