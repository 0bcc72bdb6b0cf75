"""The text of PDF files, by pypdf: so many pages, so much text, so long, and no more.

pypdf itself bounds what a stream of a file may become when it is unpacked.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from io import BytesIO

import pypdf
from pypdf.errors import PyPdfError

from chatloom.server.knowledge import formats

MOST_PAGES = 2_000
SECONDS = 30.0
"""How long reading a file may take."""


class _Slow(Exception):
    """It took too long."""


def text_of_pdf(data: bytes, seconds: float = SECONDS) -> str:
    """The text of a file, page by page. Raises `Unreadable`."""
    formats.quieten("pypdf")
    try:
        return "\n\n".join(_pages(data, time.monotonic() + seconds))
    except formats.Unreadable:
        raise
    except _Slow:
        raise formats.Unreadable(f"reading it takes more than {seconds:g} seconds") from None
    except PyPdfError as error:
        raise formats.Unreadable(f"it cannot be read as a PDF file: {error}") from error
    except Exception as error:  # whatever a file made by hand can bring about
        raise formats.Unreadable("it cannot be read as a PDF file") from error


def _pages(data: bytes, until: float) -> Iterator[str]:
    reader = pypdf.PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise formats.Unreadable("it is protected by a password")
    if len(reader.pages) > MOST_PAGES:
        raise formats.Unreadable(f"it has more than {MOST_PAGES:,} pages")

    def look(*_: object) -> None:
        """Look at the clock, before whatever a page has drawn."""
        if time.monotonic() > until:
            raise _Slow

    size = 0
    for page in reader.pages:
        look()
        text = _cleaned(page.extract_text(visitor_operand_before=look))
        size += len(text)
        if size > formats.LONGEST_TEXT:
            raise formats.Unreadable(f"its text has more than {formats.LONGEST_TEXT:,} characters")
        if text:
            yield text


def _cleaned(text: str) -> str:
    """Without halves of characters, and with words whole that were divided at a line's end."""
    text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "")
    return _DIVIDED.sub("", text).strip()


_DIVIDED = re.compile(r"(?<=[^\W\d_])-\n(?=[^\W\d_A-Z])")
