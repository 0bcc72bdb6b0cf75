"""Everything that was ever used to lead a server home, refused before a packet leaves."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from chatloom.server.egress import Egress, EgressRefused, EgressSettings
from chatloom.server.egress.failures import Reason
from server.egress.outskirts import world
from transports.scripted import serving

pytestmark = pytest.mark.anyio

REFUSED: dict[Reason, list[str]] = {
    "url": [
        "",
        "example.com",
        "//example.com/",
        "http:/example.com",
        "http:example.com",
        " http://example.com",
        "http://example.com ",
        "http://exam\tple.com",
        "http://example.com/\r\nhost: localhost",
        "http://example.com/\x00",
        "http://example.com\\@localhost/",
        "http://localhost\\.example.com/",
        "http:\\\\localhost/",
        "http://example.com/\u202e",
        "http://exam\u00adple.com/",
        "http://example.com/\ud800",
        "http://example.com/" + "a" * 5000,
        "http://example.com/" + "\u00e9" * 1500,
    ],
    "scheme": [
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "dict://127.0.0.1:11211/",
        "javascript:alert(1)",
        "data:text/plain,hello",
        "ws://example.com/",
        "unix:///var/run/docker.sock",
        "http+unix://%2Fvar%2Frun%2Fdocker.sock/info",
        "jar:http://example.com!/",
    ],
    "credentials": [
        "http://user@example.com/",
        "http://user:pass@example.com/",
        "http://@example.com/",
        "http://example.com@127.0.0.1/",
        "http://example.com:80@127.0.0.1/",
        "http://127.0.0.1:80@example.com:80@localhost/",
        "http://a@[::1]/",
    ],
    "host": [
        "http://",
        "http:///path",
        "http://?q",
        "http://#f",
        "http://:80/",
        "http://.example.com/",
        "http://example..com/",
        "http://example.com./",
        "http://localhost./",
        "http://127.0.0.1./",
        "http://169.254.169.254./",
        "http://example.com:/",
        "http://example.com:80:80/",
        "http://example.com:+80/",
        "http://example.com:\u0668\u0660/",
        "http://-example.com/",
        "http://example-.com/",
        "http://exa%6dple.com/",
        "http://127.0.0.1%2f.example.com/",
        "http://localhost%00.example.com/",
        "http://exam,ple.com/",
        "http://a\u2100b.com/",
        "http://" + "a" * 64 + ".com/",
        "http://" + "a." * 130 + "com/",
        "http://" + "\u00fc" * 300 + ".com/",
        "http://xn--\u00fc.com/",
        # Numbers that resolvers take for addresses.
        "http://0/",
        "http://127.1/",
        "http://127.0.1/",
        "http://2130706433/",
        "http://017700000001/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0x7f.0x0.0x0.0x1/",
        "http://0177.0.0.1/",
        "http://0177.0.0.01/",
        "http://127.0.0.01/",
        "http://127.0.0.0x1/",
        "http://127.000.000.001/",
        "http://256.256.256.256/",
        "http://425.510.425.510/",
        "http://4294967296/",
        "http://1.2.3.4.5/",
        "http://example.1/",
        "http://example.0x/",
        "http://2852039166/",
        "http://0xA9FEA9FE/",
        "http://025177524776/",
        "http://169.254.43518/",
        "http://0251.0376.0251.0376/",
        "http://\uff10\uff58\uff17\uff46.1/",
        # IPv6 that is none, or not to be told apart.
        "http://::1/",
        "http://[::1/",
        "http://::1]/",
        "http://[::1]x/",
        "http://[[::1]]/",
        "http://[]/",
        "http://[1:2:3:4:5:6:7:8:9]/",
        "http://[127.0.0.1]/",
        "http://[localhost]/",
        "http://[v1.fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[::1%251]/",
        "http://[::ffff:127.1]/",
        "http://[::ffff:0177.0.0.1]/",
    ],
    "port": [
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:99999/",
        "http://example.com:22/",
        "http://example.com:6379/",
        "http://example.com:8080/",
        "http://127.0.0.1:8080/",
        "http://localhost:8080/",
        "http://[::1]:8080/",
    ],
    "not_public": [
        "http://localhost/",
        "http://LOCALHOST/",
        "http://LocalHost:80/",
        "http://anything.localhost/",
        "http://localhost.localdomain/",
        "http://\uff4c\uff4f\uff43\uff41\uff4c\uff48\uff4f\uff53\uff54/",
        "http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3/",
        "http://metadata/",
        "http://metadata.google.internal/",
        "http://instance-data.ec2.internal/",
        "http://kubernetes.default.svc.cluster.local/",
        "http://router.lan/",
        "http://printer.home.arpa/",
        "http://facebookcorewwwi.onion/",
        "http://intranet/",
        # IPv4, and what IDNA turns into it.
        "http://0.0.0.0/",
        "http://0.1.2.3/",
        "http://10.0.0.1/",
        "http://100.64.0.1/",
        "http://100.100.100.200/latest/meta-data/",
        "http://127.0.0.1/",
        "http://127.0.0.1:80/",
        "http://127.127.127.127/",
        "http://168.63.129.16/",
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/v2/credentials",
        "http://172.16.0.1/",
        "http://172.31.255.255/",
        "http://192.0.0.8/",
        "http://192.0.0.192/",
        "http://192.0.2.1/",
        "http://192.88.99.1/",
        "http://192.168.0.1/",
        "http://198.18.0.1/",
        "http://198.19.255.255/",
        "http://198.51.100.1/",
        "http://203.0.113.1/",
        "http://224.0.0.1/",
        "http://239.255.255.250/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11/",
        "http://127\u30020\u30020\u30021/",
        "http://127\uff0e0\uff610\u30021/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://\u00b9\u00b2\u2077.0.0.1/",
        # IPv6.
        "http://[::]/",
        "http://[::1]/",
        "http://[0:0:0:0:0:0:0:1]/",
        "http://[0000:0000:0000:0000:0000:0000:0000:0001]/",
        "http://[::127.0.0.1]/",
        "http://[::7f00:1]/",
        "http://[::8.8.8.8]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::FFFF:A9FE:A9FE]/",
        "http://[0:0:0:0:0:ffff:169.254.169.254]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[64:ff9b::127.0.0.1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[64:ff9b:1::8.8.8.8]/",
        "http://[100::1]/",
        "http://[2001::1]/",
        "http://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/",
        "http://[2001:2::1]/",
        "http://[2001:10::1]/",
        "http://[2001:db8::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://[2002:808:808::1]/",
        "http://[2606:2800:21f::5efe:10.0.0.1]/",
        "http://[3fff::1]/",
        "http://[4000::1]/",
        "http://[5f00::1]/",
        "http://[fc00::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fd20:ce::254]/",
        "http://[fe80::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[ffff::1]/",
    ],
}
CASES = [(reason, url) for reason, urls in REFUSED.items() for url in urls]


@pytest.mark.parametrize(("reason", "url"), CASES, ids=[ascii(url)[:70] for _, url in CASES])
async def test_it_is_refused_with_nothing_looked_up_or_connected(reason: Reason, url: str) -> None:
    beyond = world()
    guard = beyond.guard()
    for fetch in (guard.get(url), guard.request("POST", url, body=b"x")):
        with pytest.raises(EgressRefused) as refusal:
            await fetch
        assert reason == refusal.value.reason
    with pytest.raises(EgressRefused):
        guard.check(url)
    assert (beyond.looked_up, beyond.connected) == ([], [])


def at(port: int) -> Iterator[str]:
    """Ways to say this machine."""
    yield from (
        f"http://{host}:{port}/"
        for host in (
            *("localhost", "127.0.0.1", "127.0.0.2", "127.1", "0", "0.0.0.0", "2130706433"),
            *("0x7f000001", "0177.0.0.1", "localhost.", "a.localhost", "[::1]", "[::]"),
            *("[::ffff:127.0.0.1]", "[::127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]"),
            *("\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021", "x@127.0.0.1"),
            *(socket.gethostname(), "ip6-localhost", "localhost.localdomain"),
        )
    )


async def test_a_listening_socket_on_this_machine_hears_nothing() -> None:
    with serving(lambda peer: peer.answer_all()) as server:
        guard = Egress(EgressSettings(ports=(server.port,)))
        for url in at(server.port):
            with pytest.raises(EgressRefused):
                await guard.get(url)
        guard.close()
        assert server.connections == 0


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTPS://Example.COM:443/A?b#c", "https://example.com/A?b"),
        ("http://example.com?q=1", "http://example.com/?q=1"),
        ("https://example.com:80", "https://example.com:80/"),
        ("http://b\u00fccher.example.com/\u00fc?\u00e9", "http://xn--bcher-kva.example.com/%C3%BC?%C3%A9"),
        ("http://\u24d4xample\u3002com/", "http://example.com/"),
        ('http://example.com/%41"<>{}|^`', "http://example.com/%41%22%3C%3E%7B%7D%7C%5E%60"),
        ("http://a_b.example.com/", "http://a_b.example.com/"),
        ("http://8.8.8.8/", "http://8.8.8.8/"),
        ("http://[2606:2800:0:0:0:0:0:1]/", "http://[2606:2800::1]/"),
        ("http://[64:ff9b::8.8.8.8]/", "http://[64:ff9b::808:808]/"),
        ("http://example.com/a/../b//c", "http://example.com/a/../b//c"),
    ],
)  # fmt: skip
def test_what_is_public_has_one_spelling(url: str, spelled: str) -> None:
    assert spelled == world().guard().check(url)
    assert spelled == world().guard().check(spelled)
