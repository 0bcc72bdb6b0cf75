"""The headers of a request and of an answer, the same whatever carries them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from chatloom.core.errors import SettingsError
from chatloom.core.http import Request

NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
"""A method, or the name of a header (RFC 9110, 5.6.2)."""
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_USUAL = (
    ("accept", "*/*"),
    ("accept-encoding", "gzip, deflate"),
    ("user-agent", "chatloom"),
)


def complete(request: Request, host: str | None = None) -> list[tuple[str, str]]:
    """Give the headers of *request*, and those every request has; *host* where it names none.

    Raises `SettingsError` when one could be read as more than a header; the
    message names it and never shows its value.
    """
    if not _is_method(request.method):
        raise SettingsError(f"{request.method!r:.200} is not a method")
    headers = [*request.headers]
    given: set[str] = set()
    for name, value in headers:
        if not (_is_settable(name) and value.isascii() and value.isprintable()):
            raise _unfit(request, name)
        given.add(name)
    if host is not None and "host" not in given:
        headers.insert(0, ("host", host))
    headers += [header for header in _USUAL if header[0] not in given]
    if request.body and "content-type" not in given:
        headers.append(("content-type", "application/octet-stream"))
    return headers


def may_have_body(method: str) -> bool:
    """Whether a server expects to be told that the body is empty."""
    return method not in _BODILESS


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Give each header of an answer once, by its name in lower case."""
    once: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        once[name] = f"{once[name]}, {value}" if name in once else value
    return once


def _unfit(request: Request, name: str) -> SettingsError:
    if not _is_settable(name):
        return SettingsError(f"{request} has a header that is not the caller's to set: {name!r}")
    return SettingsError(
        f"{request}: the value of the header {name!r} holds a line break,"
        " or another character that cannot be sent"
    )


@lru_cache(maxsize=16)
def _is_method(name: str) -> bool:
    return NAME.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _is_settable(name: str) -> bool:
    return name not in _FRAMING and NAME.fullmatch(name) is not None
