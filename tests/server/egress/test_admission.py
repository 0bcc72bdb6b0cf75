"""What the operator allows, and no more than that."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from chatloom.core.errors import SettingsError
from chatloom.server.egress import Egress, EgressRefused, EgressSettings
from server.egress.outskirts import PRIVATE, PUBLIC, World
from transports.scripted import serving

pytestmark = pytest.mark.anyio


async def outcome(
    settings: EgressSettings, url: str, found: Sequence[str] = (), *, dev: bool = False
) -> str:
    """``"reached"``, or why not."""
    with serving(lambda peer: peer.answer_all()) as server:
        beyond = World(server.port)
        names = ("own.test", "own.test.", "searx", "searx.", "s.internal.", "a.example.com.")
        beyond.names.update((name, [found]) for name in names)
        try:
            await beyond.guard(settings, dev=dev).get(url)
        except EgressRefused as refusal:
            assert server.connections == 0
            return refusal.reason
        assert server.connections == 1
        return "reached"


@pytest.mark.parametrize(
    ("allow", "url", "found", "told"),
    [
        # A network, at the usual ports or its own.
        ("10.0.0.0/8", f"http://{PRIVATE}/", [], "reached"),
        ("10.0.0.0/8", f"http://{PRIVATE}:8080/", [], "port"),
        ("10.0.0.0/8", "http://11.0.0.1/", [], "reached"),
        ("10.0.0.0/8", "http://172.16.0.1/", [], "not_public"),
        ("10.0.0.0/8", "http://a.example.com/", [PRIVATE], "reached"),
        ("10.0.0.0/8", "http://a.example.com/", [PRIVATE, "172.16.0.1"], "not_public"),
        ("10.0.0.0/8", "http://s.internal/", [PRIVATE], "reached"),
        ("10.0.0.0/8", "http://searx/", [PRIVATE], "reached"),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.7]/", [], "not_public"),
        ("10.0.0.7:8080", f"http://{PRIVATE}:8080/", [], "reached"),
        ("10.0.0.7:8080", f"http://{PRIVATE}/", [], "not_public"),
        ("10.0.0.7:8080", "http://10.0.0.8:8080/", [], "not_public"),
        ("10.0.0.7:8080", "http://8.8.8.8:8080/", [], "port"),
        ("10.0.0.7", f"http://{PRIVATE}/", [], "reached"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", [], "reached"),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/", [], "port"),
        ("fd00::/8", "http://[fd12::1]/", [], "reached"),
        ("fd00::1", "http://[fd00::1]/", [], "reached"),
        ("[fd00::1]:81", "http://[fd00::1]:81/", [], "reached"),
        ("169.254.169.254/32", "http://169.254.169.254/", [], "reached"),
        # A name, wherever it leads within private networks.
        ("own.test", "http://own.test/", [PRIVATE], "reached"),
        ("own.test", "http://OWN.test/", ["127.0.0.1", "fd00::1", PUBLIC], "reached"),
        ("own.test", "http://own.test/", ["169.254.169.254"], "not_public"),
        ("own.test", "http://own.test/", ["100.100.100.200"], "not_public"),
        ("own.test", "http://own.test/", ["0.0.0.0"], "not_public"),
        ("own.test", "http://own.test/", ["::ffff:10.0.0.1"], "not_public"),
        ("own.test", "http://own.test:8080/", [PRIVATE], "port"),
        ("own.test", f"http://{PRIVATE}/", [], "not_public"),
        ("own.test", "http://sub.own.test/", [PRIVATE], "not_public"),
        ("own.test", "http://a.example.com/", [PRIVATE], "not_public"),
        ("own.test:8080", "http://own.test:8080/", [PRIVATE], "reached"),
        ("own.test:8080", "http://own.test:8080/", [PUBLIC], "reached"),
        ("own.test:8080", "http://own.test/", [PRIVATE], "not_public"),
        ("own.test:8080", "http://own.test/", [PUBLIC], "reached"),
        ("searx:8080", "http://searx:8080/", [PRIVATE], "reached"),
        ("localhost:8080", "http://localhost:8080/", [], "reached"),
        ("localhost:8080", "http://127.0.0.1:8080/", [], "port"),
    ],
)
async def test_an_exception_holds_for_what_it_says(
    allow: str, url: str, found: list[str], told: str
) -> None:
    assert told == await outcome(EgressSettings(allow=[allow]), url, found)


@pytest.mark.parametrize(
    ("url", "found", "told"),
    [
        ("http://127.0.0.1:1234/", [], "reached"),
        ("http://127.9.9.9:1234/", [], "reached"),
        ("http://[::1]:1234/", [], "reached"),
        ("http://localhost:1234/", ["8.8.8.8"], "reached"),
        ("http://a.localhost:1234/", [], "reached"),
        # Somebody's name for loopback is a trick, here as elsewhere.
        ("http://a.example.com/", ["127.0.0.1"], "not_public"),
        ("http://a.example.com:1234/", ["127.0.0.1"], "port"),
        ("http://[::ffff:127.0.0.1]:80/", [], "not_public"),
        ("http://0.0.0.0:80/", [], "not_public"),
        ("http://10.0.0.1:80/", [], "not_public"),
        ("http://169.254.169.254/", [], "not_public"),
    ],
)
async def test_dev_reaches_loopback_where_it_is_named(
    url: str, found: list[str], told: str
) -> None:
    assert told == await outcome(EgressSettings(), url, found, dev=True)
    assert told == await outcome(EgressSettings(allow_loopback=True), url, found)


async def test_localhost_is_this_machine_whatever_a_resolver_says() -> None:
    beyond = World(localhost=[[PUBLIC]])
    with pytest.raises(Exception, match="no connection"):
        await beyond.guard(dev=True).get("http://localhost:1/")
    assert (beyond.addresses, beyond.looked_up) == (["127.0.0.1", "::1"], [])


async def test_what_is_denied_is_not_reached_even_if_allowed() -> None:
    settings = EgressSettings(
        allow=["10.0.0.0/8", "own.test"], deny=["10.0.0.0/24", f"{PUBLIC}/32"]
    )
    assert await outcome(settings, "http://10.0.1.1/") == "reached"
    assert await outcome(settings, "http://10.0.0.1/") == "not_public"
    assert await outcome(settings, f"http://{PUBLIC}/") == "not_public"
    assert await outcome(settings, "http://own.test/", [PUBLIC]) == "not_public"


async def test_further_ports_are_the_operators_choice() -> None:
    settings = EgressSettings(ports=(443, 8443))
    assert await outcome(settings, "http://8.8.8.8:8443/") == "reached"
    assert await outcome(settings, "http://8.8.8.8/") == "port"


@pytest.mark.parametrize(
    "entry",
    ["", "10.0.0.1/8", "10.0.0.0/33", "127.1", "http://own.test", "own.test:", "own.test:0",
     "own.test:99999", "*.own.test", "a b", "u@own.test", "fd00::1:80:", "[fd00::1", "own.test."],
)  # fmt: skip
def test_an_entry_that_cannot_be_read_is_a_mistake_of_setup(entry: str) -> None:
    with pytest.raises(SettingsError, match=r"egress\.allow"):
        Egress(EgressSettings(allow=[entry]))
    with pytest.raises(SettingsError, match=r"egress\.deny"):
        Egress(EgressSettings(deny=[entry]))


def test_settings_are_read_from_a_file() -> None:
    told = {"allow": ["10.0.0.0/8"], "ports": [443], "allow_loopback": True, "most_at_once": 2}
    settings = msgspec.convert(told, EgressSettings)
    assert (settings.allow, settings.ports) == (["10.0.0.0/8"], (443,))
    wrongs: list[dict[str, object]] = [{"ports": [0]}, {"most_per_host": 0}, {"allowed": []}]
    for wrong in wrongs:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, EgressSettings)
