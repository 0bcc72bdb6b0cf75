"""The head of an answer (RFC 9112, 2 to 6).

Read strictly wherever two readers could see two answers in the same bytes: line
ends, names, and where the body ends. Read kindly elsewhere, as servers leave out
the reason, send empty values, and write Latin-1.

The standard library reads heads with its e-mail parser. That takes longer than
all else a request needs, and lets folded lines and contradicting lengths pass.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from chatloom.transports.failures import Garbled
from chatloom.transports.framing import Chunked, Framing, Sized, UntilClosed
from chatloom.transports.headers import NAME

MOST_LINES = 128
"""Headers, as many as others take."""

_START = re.compile(r"HTTP/1\.([0-9]) ([1-9][0-9]{2}) ?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_LONGEST_LENGTH = 18
"""Digits; `int` refuses to read thousands of them."""


class Head(msgspec.Struct, frozen=True):
    """What stands before a body."""

    status: int
    headers: dict[str, str]
    """Names in lower case; repeated ones joined by ``", "``."""
    framing: Framing
    """Finds the end of the body, which may be empty."""
    is_last: bool
    """Whether the connection ends with this answer."""


def head_of(block: bytes, method: str) -> Head:
    """Read *block*, all that is said up to the blank line, as the answer to a *method*.

    Raises `Garbled` when it is not HTTP, or contradicts itself.
    """
    start, *lines = _lines(block)
    # What is behind it is the reason, which servers may leave out.
    status, is_old = _status(start[:13])
    headers = _headers(lines)
    framing = _framing(method, status, headers)
    is_last = _ends(headers.get("connection", ""), is_old) or isinstance(framing, UntilClosed)
    # A chunked answer in HTTP/1.0 is not to be trusted further (RFC 9112, 6.1).
    is_last = is_last or (is_old and isinstance(framing, Chunked))
    return Head(status, headers, framing, is_last)


def _lines(block: bytes) -> list[str]:
    lines = block[:-4].decode("latin-1").split("\r\n")
    # Nearly every head is printable, which takes no time to see.
    text = "".join(lines)
    if not text.isprintable() and _CONTROL.search(text):
        raise _garbled("a control character is in it")
    return lines


@lru_cache(maxsize=64)
def _status(start: str) -> tuple[int, bool]:
    """The status, and whether this is HTTP/1.0."""
    begun = _START.fullmatch(start)
    if begun is None:
        raise _garbled("it does not begin with a status")
    return int(begun[2]), begun[1] == "0"


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > MOST_LINES:
        raise _garbled(f"it has more than {MOST_LINES} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise _garbled("a line is no header")
        name, value = _lowered(name), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@lru_cache(maxsize=128)
def _lowered(name: str) -> str:
    # A folded line begins with a blank, and a blank before the colon hides a header from others.
    if not NAME.fullmatch(name):
        raise _garbled("a line is no header")
    return name.lower()


def _framing(method: str, status: int, headers: dict[str, str]) -> Framing:
    """Choose how to find the end of the body (RFC 9112, 6.3)."""
    if status < 200 or status in {204, 304} or method == "HEAD":
        return Sized(0)
    if method == "CONNECT" and status < 300:
        return Sized(0)
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is None:
        return UntilClosed() if length is None else Sized(_length(length))
    if length is not None or coding.lower() != "chunked":
        raise _garbled("it leaves open where its body ends")
    return Chunked()


def _length(told: str) -> int:
    if "," in told:  # said several times, each time the same
        first, *more = (one.strip(" \t") for one in told.split(","))
        if any(one != first for one in more):
            raise _garbled("it tells two lengths of its body")
        told = first
    # `int` alone would take signs, underscores and blanks, `isdigit` alone a superscript two.
    if not (told.isdigit() and told.isascii()) or len(told) > _LONGEST_LENGTH:
        raise _garbled("its body's length is no number")
    return int(told)


def _ends(connection: str, is_old: bool) -> bool:
    """Whether the server hangs up behind this answer (RFC 9112, 9.3)."""
    if not connection:
        return is_old
    options = {option.strip(" \t").lower() for option in connection.split(",")}
    return "close" in options or (is_old and "keep-alive" not in options)


def _garbled(why: str) -> Garbled:
    return Garbled(f"the answer's head is not HTTP: {why}")
