"""Texts are read from what they came in; what is something else is refused, in good time."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatloom.server.knowledge import pdf as reading
from chatloom.server.knowledge.formats import LONGEST_TEXT, NotInstalled, Unreadable, text_of
from chatloom.server.store.knowledge import Format
from support.papers import in_base64, of_streams, pdf

PAGE = """
<!doctype html><html><head><title>Looms</title><script>var x = "hidden"</script></head><body>
<nav><a href="/">Home</a> <a href="/shop">Shop</a></nav>
<article><h1>Of looms</h1><p>A loom is a device to weave cloth, and tapestry. It holds the warp.</p>
<h2>Setting up</h2><p>First the warp is wound, as in this listing:</p>
<pre><code>wind(warp)
tie(warp)</code></pre>
<ul><li>beams</li><li>heddles &amp; reeds</li></ul></article>
<footer>Imprint</footer></body></html>
"""


def test_a_text_is_itself() -> None:
    assert text_of(" Just\r\nthis.\n", "text") == " Just\r\nthis.\n"


def test_a_page_is_its_article() -> None:
    text = text_of(PAGE, "html")
    assert "## Setting up" in text
    assert "wind(warp)\ntie(warp)" in text
    assert "heddles & reeds" in text
    assert "hidden" not in text
    assert "Shop" not in text


def test_a_scrap_of_html_is_read_too() -> None:
    assert text_of("<p>Short.</p>", "html").strip() == "Short."


def test_a_file_is_its_pages() -> None:
    file = pdf("The first page\nhas two lines.", "The (second) one.")
    for told in (in_base64(file), in_base64(pdf("The first page\nhas two lines.", packed=True))):
        text = text_of(told, "pdf")
        assert text.startswith("The first page\nhas two lines.")
    assert text_of(in_base64(file), "pdf").endswith("\n\nThe (second) one.")


def test_words_divided_at_a_lines_end_are_whole() -> None:
    assert text_of(in_base64(pdf("A divi-\nded word")), "pdf") == "A divided word"


REFUSED: dict[str, tuple[str, Format, str]] = {
    "nothing": (" \n ", "text", "no text"),
    "zero bytes": ("a\0b", "markdown", "no text"),
    "a file as text": ("%PDF-1.7 …", "text", "is a PDF"),
    "a file as a page": ("\ufeff%PDF-1.7 …", "html", "is a PDF"),
    "text as a page": ("a < b, and c > d", "html", "no HTML"),
    "an empty page": ("<html><body></body></html>", "html", "no text"),
    "much of a page": ("<p>" + "x" * 3_000_000, "html", "at most"),
    "much text": ("x" * (LONGEST_TEXT + 1), "text", "more than"),
    "no base64": ("%PDF-1.4", "pdf", "Base64"),
    "no base64 at all": ("…", "pdf", "Base64"),
    "text as a file": (in_base64(b"Hello"), "pdf", "does not begin as one"),
    "a head alone": (in_base64(b"%PDF-1.4"), "pdf", "cannot be read"),
    "half a file": (in_base64(pdf("Text")[:200]), "pdf", "cannot be read"),
    "no page": (in_base64(of_streams([])), "pdf", "no text"),
    "empty pages": (in_base64(pdf("", "")), "pdf", "no text"),
}


@pytest.mark.parametrize(("content", "format", "why"), REFUSED.values(), ids=REFUSED)
def test_what_is_something_else_is_refused(content: str, format: Format, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        text_of(content, format)


def test_a_file_has_so_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_PAGES", 2)
    with pytest.raises(Unreadable, match="more than 2 pages"):
        text_of(in_base64(pdf("a", "b", "c")), "pdf")


def test_a_file_takes_so_long() -> None:
    endless = of_streams([b"BT /F1 1 Tf " + b"(x) Tj " * 400_000 + b"ET"] * 3, packed=True)
    assert len(endless) < 50_000
    before = time.monotonic()
    with pytest.raises(Unreadable, match="seconds"):
        reading.text_of_pdf(endless, seconds=0.3)
    assert time.monotonic() - before < 30


def test_a_bomb_is_not_unpacked() -> None:
    bomb = of_streams([b"(x) Tj\n" * 40_000_000], packed=True)
    assert len(bomb) < 2_000_000
    with pytest.raises(Unreadable):
        text_of(in_base64(bomb), "pdf")


@given(st.integers(0, 700), st.binary(min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_broken_file_is_read_or_refused(place: int, damage: bytes) -> None:
    file = bytearray(pdf("Some text", "and more"))
    file[place : place + len(damage)] = damage
    with suppress(Unreadable):
        assert text_of(in_base64(bytes(file)), "pdf").strip()


@pytest.mark.parametrize(
    ("module", "content", "format"),
    [("trafilatura", PAGE, "html"), ("pypdf", in_base64(pdf("a")), "pdf")],
)
def test_what_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, content: str, format: Format
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "chatloom.server.knowledge.pdf", raising=False)
    with pytest.raises(NotInstalled, match=rf"{module}: pip install 'chatloom\[knowledge\]'"):
        text_of(content, format)
