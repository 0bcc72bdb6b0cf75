"""Texts from what they came in: plain, Markdown, HTML, PDF.

What is not what its format says is refused. Reading HTML and PDF takes packages that are installed
with ``chatloom[knowledge]``; they are imported when they are first needed.
"""

from __future__ import annotations

import binascii
import logging
import re
from base64 import b64decode
from collections.abc import Mapping

from chatloom.server.store.knowledge import Format

LONGEST_TEXT = 10_000_000
"""Characters of a text."""
_LONGEST_HTML = 3_000_000
"""Characters of HTML: most of it is no text, and reading it takes long."""
_EXTRA = "pip install 'chatloom[knowledge]'"


class Unreadable(Exception):
    """It is not what its format says, or too much of it; its text says why."""


class NotInstalled(Exception):
    """What reads this format is not installed; its text says how to install it."""


KEPT_AS: Mapping[Format, Format] = {"html": "markdown", "pdf": "text"}
"""What a text is that was read from another format."""


def is_marked(format: Format) -> bool:
    """Whether what is read from this format has Markdown's headings and code."""
    return KEPT_AS.get(format, format) == "markdown"


def text_of(content: str, format: Format) -> str:
    """The text in *content*, which is Base64 for PDF. Raises `Unreadable` or `NotInstalled`."""
    if format == "pdf":
        text = _of_pdf(content)
    else:
        _check_text(content)
        text = _of_html(content) if format == "html" else content
    if not text.strip():
        raise Unreadable("there is no text in it")
    if len(text) > LONGEST_TEXT:
        raise Unreadable(f"its text has more than {LONGEST_TEXT:,} characters")
    return text


def _check_text(content: str) -> None:
    if content.lstrip("\ufeff \n\r\t").startswith("%PDF-"):
        raise Unreadable("it is a PDF file, not text: say so with the format pdf, in Base64")
    if "\0" in content:
        raise Unreadable("it holds bytes that are no text")


def _of_html(content: str) -> str:
    if len(content) > _LONGEST_HTML:
        raise Unreadable(f"HTML may have {_LONGEST_HTML:,} characters at most")
    if not _TAG.search(content):
        raise Unreadable("it is no HTML: there is no tag in it")
    try:
        import trafilatura
    except ImportError as error:
        raise NotInstalled(f"HTML is read with trafilatura: {_EXTRA}") from error
    quieten("trafilatura")
    page = content if _WHOLE.search(content) else f"<html><body>{content}</body></html>"
    text = trafilatura.extract(
        page, output_format="markdown", include_comments=False, favor_recall=True
    )
    return str(text or trafilatura.html2txt(page))


_WHOLE = re.compile(r"<(?:html|body)\b", re.I)


_TAG = re.compile(
    r"<(?:!doctype\s+html|html|head|title|meta|body|main|article|section|div|span|h[1-6]|p|br|ul|ol|li"
    r"|table|pre|code|a|b|i|em|strong|blockquote)\b[^<>]{0,2000}>",
    re.I,
)


def quieten(package: str) -> None:
    """Keep a package from logging every fault in what people send, unless somebody wished it."""
    log = logging.getLogger(package)
    if log.level == logging.NOTSET:
        log.setLevel(logging.CRITICAL)


def _of_pdf(content: str) -> str:
    try:
        data = b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("a PDF file is sent in Base64, and this is none") from error
    if b"%PDF-" not in data[:1024]:
        raise Unreadable("it is no PDF file: it does not begin as one")
    try:
        from chatloom.server.knowledge.pdf import text_of_pdf
    except ImportError as error:
        raise NotInstalled(f"PDF files are read with pypdf: {_EXTRA}") from error
    return text_of_pdf(data)
