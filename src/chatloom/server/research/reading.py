"""What is read of a source: its text, in passages that bear on the question.

Pages are strangers' work, and reading one may take far longer than fetching it. So what
trafilatura is given is bounded in characters, elements and nesting, it works in threads of its
own, and it is not waited for beyond its time.
"""

from __future__ import annotations

import asyncio
import codecs
import re
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from chatloom.server.research.citing import Passage
from chatloom.server.research.planning import sense_of
from chatloom.server.research.sources import Page, SourceError

_LONGEST_TEXT = 400_000
"""Characters of a page that are read."""
_LONGEST_HTML = 1_000_000
"""Characters of HTML that are looked at: most of it is no text."""
_PATIENCE = 10.0
"""Seconds that are waited for the text of a page."""
_PASSAGE = 900
"""Characters of a passage, about."""
_HTML = ("text/html", "application/xhtml+xml")
_PLAIN = ("application/json", "application/xml")

_turns = threading.BoundedSemaphore(2)
"""Pages that are read at the same time."""


async def text_of(page: Page) -> str:
    """The readable text of a page. Raises `SourceError` where it has none."""
    kind = page.content_type.partition(";")[0].strip().lower()
    if kind in _HTML:
        text = await _apart(page)
    elif kind.startswith("text/") or kind in _PLAIN:
        text = _decoded(page)
    else:
        raise SourceError(f"{_named(kind)} is nothing that can be read here")
    if "\0" in text:
        raise SourceError("it holds bytes that are no text")
    if not text.strip():
        raise SourceError("the page has no text that could be read")
    return text[:_LONGEST_TEXT]


def _named(kind: str) -> str:
    return kind if _KIND.fullmatch(kind) else "something without a known type"


_KIND = re.compile(r"[a-z0-9.+-]{1,40}/[a-z0-9.+-]{1,80}")


async def _apart(page: Page) -> str:
    threads = ThreadPoolExecutor(1, thread_name_prefix="chatloom-pages")
    reading = asyncio.get_running_loop().run_in_executor(threads, _in_turn, page)
    threads.shutdown(wait=False)  # it ends with its page, so nothing is left of a closed server
    try:
        return await asyncio.wait_for(reading, _PATIENCE)
    except TimeoutError:
        raise SourceError("reading the page took too long") from None


def _in_turn(page: Page) -> str:
    with _turns:
        return _extract(page)


def _extract(page: Page) -> str:
    try:
        import trafilatura
    except ImportError as error:
        message = "web pages are read with trafilatura: pip install 'chatloom[knowledge]'"
        raise SourceError(message) from error
    html = _decoded(page)[:_LONGEST_HTML]
    if _is_laborious(html):
        raise SourceError("the page is built in a way that takes too long to read")
    try:
        return trafilatura.extract(html, include_comments=False) or ""
    except Exception as error:  # whatever it stumbles over, in a stranger's page
        raise SourceError("the page has no text that could be read") from error


def _is_laborious(html: str) -> bool:
    """Whether a page has too many elements, or too many within each other.

    trafilatura walks from elements to their ancestors, so depth counts for each of them.
    """
    if html.count("<") > _MOST_TAGS:
        return True
    depth = work = 0
    for tag in _TAG.finditer(html):
        depth = max(0, depth - 1) if tag[1] else depth + 1
        work += _EACH + depth
        if work > _MOST_WORK:
            return True
    return False


# Those whose end need not be written would look ever deeper.
_LOOSE = (
    "p|li|dt|dd|tr|td|th|thead|tbody|tfoot|option|optgroup|colgroup|html|head|body|rt|rp|br|hr"
    "|img|input|meta|link|area|base|col|embed|param|source|track|wbr|path|use|rect|circle|g"
)
_TAG = re.compile(rf"<(/?)(?!(?:{_LOOSE})[\s/>])[a-z][a-z0-9-]{{0,30}}[\s/>]", re.I)
_EACH = 10
_MOST_WORK = 1_500_000
_MOST_TAGS = 80_000
"""Either takes some three seconds."""


def _decoded(page: Page) -> str:
    """A page's bytes as text, in the encoding that it names, if that is a usual one."""
    named = _CHARSET.search(page.content_type.encode("utf-8", "replace"))
    if named is None and page.content_type.lower().startswith(_HTML):
        named = _CHARSET.search(page.body[:2048])
    return page.body.decode(_encoding(named[1].decode("ascii")) if named else "utf-8", "replace")


def _encoding(name: str) -> str:
    try:
        known = codecs.lookup(name).name
    except LookupError:
        return "utf-8"
    if known in {"iso8859-1", "ascii"}:
        return "cp1252"  # which is what everybody means by it (WHATWG Encoding, 4.2)
    return known if _USUAL.fullmatch(known) else "utf-8"


_CHARSET = re.compile(rb"charset\s{0,4}=\s{0,4}[\"']?([a-z0-9_-]{2,30})", re.I)
# Others take their time, or are no encodings of texts at all.
_USUAL = re.compile(
    r"utf-8|utf-16(-le|-be)?|iso8859-\d{1,2}|cp125\d|koi8-[ru]|gbk|gb2312|gb18030|big5|shift_jis"
    r"|cp932|euc_jp|euc_kr|cp949"
)


def passages_of(source: int, text: str, question: str, most: int) -> list[Passage]:
    """The *most* passages of a source's text that bear most on the question, as they stand there.

    Passages end at paragraphs where they can, else at sentences or words.
    """
    wanted = sense_of(question)
    parts = _split(text)
    weights = [len(wanted & sense_of(part)) for part in parts]
    ranked = sorted(range(len(parts)), key=lambda place: (-weights[place], place))[:most]
    return [Passage(source, parts[place]) for place in sorted(ranked)]


def _split(text: str) -> Sequence[str]:
    parts: list[str] = []
    start = 0
    while start < len(text):
        end = min(len(text), start + _PASSAGE)
        if end < len(text):
            end = _border(text, start, end)
        part = text[start:end].strip()
        if part:
            parts.append(part)
        start = end
    return parts


def _border(text: str, start: int, end: int) -> int:
    """Where to end a passage that would end at *end*: not before half of it."""
    half = start + _PASSAGE // 2
    for mark in ("\n\n", "\n", ". ", " "):
        found = text.rfind(mark, half, end)
        if found != -1:
            return found + len(mark)
    return end
