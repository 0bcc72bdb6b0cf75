"""What is read first, and that neither time nor strangers' pages stop the rest."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatloom.core.errors import SettingsError
from chatloom.server.egress import EgressSettings
from chatloom.server.research import reading
from chatloom.server.research import study as studying
from chatloom.server.research.planning import EFFORTS
from chatloom.server.research.reading import text_of
from chatloom.server.research.service import Engines
from chatloom.server.research.settings import ResearchSettings
from chatloom.server.research.sources import Hit, Page, SearchProvider, SourceError
from chatloom.server.research.study import Study, page_of, ranked, study

pytestmark = pytest.mark.anyio

LISTS = st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), min_size=1, max_size=5)


def hit(name: str) -> Hit:
    return Hit(name, f"http://{name}.example/", "")


def places(found: Sequence[Sequence[str]]) -> list[tuple[str, float]]:
    listed = [("x", [hit(one) for one in some]) for some in found]
    return [(one.hit.title, one.relevance) for one in ranked(listed, len(listed))]


@given(LISTS)
def test_relevance_is_between_0_and_1_and_falls(found: list[list[str]]) -> None:
    told = places(found)
    relevance = [one for _, one in told]
    assert all(0 < one <= 1 for one in relevance)
    assert relevance == sorted(relevance, reverse=True)
    assert sorted(name for name, _ in told) == sorted({one for some in found for one in some})


@given(LISTS, st.sampled_from("abcdefgh"))
def test_to_be_found_once_more_never_harms(found: list[list[str]], name: str) -> None:
    plain = [list(dict.fromkeys(some)) for some in found]
    more = [[name, *(one for one in plain[0] if one != name)], *plain[1:]]
    before = dict(places(plain)).get(name, 0.0)
    assert dict(places(more))[name] >= before


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://a.example/x", "https://www.a.example/x/#top", True),
        ("https://A.example:443/", "https://a.example", True),
        ("https://a.example/x?a=1&utm_source=b&gclid=2", "https://a.example/x?a=1", True),
        ("https://a.example/x?a=1", "https://a.example/x?a=2", False),
        ("https://a.example/x", "https://a.example/X", False),
        ("https://a.example/x", "https://a.example:8443/x", False),
        ("knowledge:1", "knowledge:2", False),
        ("http://[::1", "http://[::1", True),
    ],
)
def test_which_addresses_are_one_page(one: str, other: str, same: bool) -> None:
    assert (page_of(one) == page_of(other)) is same


class Finds:
    """A provider that finds these, each after a while."""

    name = "finds"

    def __init__(self, *names: str, after: float = 0) -> None:
        self._hits = [hit(name) for name in names]
        self._after = after

    async def search(self, query: str, limit: int) -> Sequence[Hit]:
        await asyncio.sleep(self._after)
        return self._hits[:limit]


async def fetch(
    url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> Page:
    if "slow" in url:
        await asyncio.sleep(60)
    return Page(url, "text/plain", f"{url} says that oaks grow.".encode())


async def studied(*providers: SearchProvider, turn: asyncio.Semaphore | None = None) -> Study:
    turn = turn or asyncio.Semaphore(1)
    return await study("Do oaks grow?", ["oaks"], providers, fetch, EFFORTS["medium"], 6, turn)


async def test_what_came_in_time_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studying, "_MOST_SECONDS", 0.2)
    done = await studied(Finds("a", "slow", "b"))
    assert [one.hit.title for one in done.reads] == ["a", "b"]
    assert {gap.place for gap in done.gaps} == {"http://slow.example/", "research"}
    assert {one.source for one in done.passages} == {1, 2}


async def test_searching_and_waiting_for_a_turn_end_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(studying, "_MOST_SECONDS", 0.1)
    late = await studied(Finds("a", after=60))
    turn = asyncio.Semaphore(1)
    async with turn:
        waited = await studied(Finds("a"), turn=turn)
    for done in (late, waited):
        assert (done.reads, [gap.place for gap in done.gaps]) == ([], ["research"])
    assert not turn.locked()


async def test_who_is_cancelled_leaves_nothing_running() -> None:
    before = asyncio.all_tasks()
    task = asyncio.create_task(studied(Finds("slow", "slower")))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before


HOSTILE = {
    "divs": "<div>" * 600_000,
    "divs in divs": ("<div>" * 200 + "some words here " + "</div>" * 200) * 1000,
    "spans": "<p>" + "<span>a " * 300_000,
    "tables": "<table><tr><td>x " * 100_000,
    "lists": "<ul><li>a " * 200_000,
    "breaks": "<p>" + "word<br>" * 300_000,
    "links": "<p>" + "<a href=x>word</a> " * 150_000,
    "paragraphs": "<p>Some words are said here.</p>" * 90_000,
    "attributes": "<p" + " a=b" * 700_000 + ">word</p>",
    "brackets": "<" * 3_000_000,
    "ends": "</div>" * 500_000,
    "entities": "<p>" + "&amp;" * 600_000,
    "comments": "<!--" * 700_000,
    "styles": "<style>" * 400_000,
}


@pytest.mark.parametrize("html", HOSTILE.values(), ids=HOSTILE)
async def test_a_page_of_three_megabytes_takes_bounded_time(html: str) -> None:
    began, longest = time.monotonic(), 0.0
    task = asyncio.create_task(_read(html))
    while not task.done():
        before = time.monotonic()
        await asyncio.sleep(0.01)
        longest = max(longest, time.monotonic() - before)
    assert time.monotonic() - began < 12
    assert longest < 2, "nobody else got a word in"


async def _read(html: str) -> str:
    try:
        body = f"<html><body>{html}"[: 3 * 2**20].encode()
        return await text_of(Page("http://a.example/", "text/html", body))
    except SourceError as error:
        return str(error)


@pytest.mark.parametrize(
    ("kind", "body", "text"),
    [
        ("text/plain; charset=iso-8859-1", b"K\xe4fer \x80", "K\xe4fer \u20ac"),
        ("text/plain; charset=utf-16", "K\xe4fer".encode("utf-16"), "K\xe4fer"),
        ('text/plain; Charset = "Shift_JIS"', "\u6728".encode("shift_jis"), "\u6728"),
        ("text/plain; charset=punycode", b"abc-\xff", "abc-\ufffd"),
        ("text/plain; charset=rot13", b"abc", "abc"),
        ("text/plain; charset=no-such", b"abc", "abc"),
        ("TEXT/Plain", b"\xff\xfeabc", "\ufffd\ufffdabc"),
        ("application/json", b'{"a": 1}', '{"a": 1}'),
    ],
)
async def test_a_page_is_read_in_the_encoding_that_it_names(
    kind: str, body: bytes, text: str
) -> None:
    assert await text_of(Page("http://a.example/", kind, body)) == text


async def test_html_is_read_in_the_encoding_that_it_names() -> None:
    html = (
        '<html><head><meta charset="windows-1252"></head><body><article>'
        "<p>K\xe4fer leben in alten Eichen, und zwar viele hundert verschiedene Arten.</p>"
    )
    page = Page("http://a.example/", "text/html", html.encode("cp1252"))
    assert "K\xe4fer leben" in await text_of(page)


async def test_a_text_is_not_waited_for_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_PATIENCE", 0.05)

    def extract(_: Page) -> str:
        time.sleep(0.5)
        return ""

    monkeypatch.setattr(reading, "_extract", extract)
    with pytest.raises(SourceError, match="too long"):
        await text_of(Page("http://a.example/", "text/html", b"<p>a"))


ODD = [
    *("localhost:8080", "ftp://a.example", "http://", "http://a:b@c/", "http://a:99999"),
    *("//a", "", "http://a/?q=1", "http://a/#b", "http://[::1"),
]


@pytest.mark.parametrize("url", ODD)
@pytest.mark.parametrize("name", ["searxng", "brave_url", "tavily_url"])
def test_an_engine_has_a_plain_address(name: str, url: str) -> None:
    settings = ResearchSettings(**{name: url})
    with pytest.raises(SettingsError, match=f"research.{name}"):
        Engines(settings, EgressSettings(), {})


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8888/", "http://[::1]:8888", "https://a.example/sx", "http://sx"]
)
def test_an_engine_may_be_anywhere(url: str) -> None:
    engines = Engines(ResearchSettings(searxng=url), EgressSettings(), {})
    assert [one.name for one in engines.providers] == ["searxng"]
    engines.close()


def test_engines_without_their_keys_are_not_asked() -> None:
    settings = ResearchSettings(brave_key_env="A", tavily_key_env="B")
    engines = Engines(settings, EgressSettings(), {"A": "a"})
    assert [one.name for one in engines.providers] == ["brave"]
    engines.close()


async def test_without_trafilatura_it_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "trafilatura", None)
    with pytest.raises(SourceError, match=r"chatloom\[knowledge\]"):
        await text_of(Page("http://a.example/", "text/html", b"<p>a"))
