"""What must not be written down, and where it stands in a text.

A secret is known by the header or field that carries it, or by its looks. One
that was carried once is looked for everywhere, in whichever way it is spelled.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import TypeAlias

import msgspec

SCRUBBED = b"SCRUBBED"
"""Stands for any secret: one word, so that what was taken from a recorded answer fits again."""

Span: TypeAlias = "tuple[int, int, bytes]"
"""From where to where, and what stands there instead."""

_SHORTEST = 8
"""Characters from which on a secret is looked for everywhere; shorter ones occur in any text."""
_SHORTEST_WORD = 12
"""The same for one of letters only, or of digits only."""

_SHORTEST_OWN = 4
"""The same for what a client shows for itself, whatever it looks like."""

_HARMLESS = frozenset({"idempotency-key", "www-authenticate"})
_CREDENTIAL = re.compile(
    r"\bauth(?!or)|authoriz|cookie|key|pass|pwd|secret|token(?!s)|credential|\bsession\b"
)
_OWN = re.compile(r"(?:.*-)?(?:auth|authorization|(?:api)?key|token|secret|password|pwd|session)")
_LITERALS = frozenset({"true", "false", "null"})
_COOKIE = re.compile(r"(?:^|[;,]\s*)[^=;,\s]+=\"?([^;,\"]+)")

_NAME = (
    rb"(?!(?:(?:next|page|continuation|resume|cursor|sync|bos|eos|pad|stop)[_-]?)+token\b)"
    rb"[\w-]{0,40}?(?:pass(?:word|wd|phrase|code)|(?<![a-z])pass|pwd|secret|token|otp|jwt|cookie"
    rb"|(?<![a-z])session"
    rb"|credentials?|authorization"
    rb"|(?:api|private|access|secret|signing|auth|session|encryption)[_-]?key|(?<![\w-])key)"
)
_QUOTED = (
    (rb'"', rb'[^"\\]*(?:\\.[^"\\]*)*'),
    # JSON within a string of JSON, such as the arguments of a tool call.
    (rb'\\"', rb'(?:[^"\\]|\\u[0-9a-f]{4}|\\\\(?:\\\\|\\"|[^"\\]))*'),
)
_FIELDS = tuple(
    re.compile(
        quote + b"(?P<name>" + _NAME + b")" + quote + rb"\s*:\s*"
        b"(?:" + quote + b"(?P<text>" + inside + b")" + quote + rb"|(?P<number>-?\d[\d.e+-]*))"
        # OpenAI's log-probabilities name each part of an answer's text "token".
        rb"(?!\s*,\s*" + quote + b"(?:logprob|bytes)" + quote + b")",
        re.IGNORECASE | re.DOTALL,
    )
    for quote, inside in _QUOTED
)
_CONTAINERS = tuple(
    (
        re.compile(
            quote + b"(?P<name>" + _NAME + b")" + quote + rb"\s*:\s*(?=[\[{])", re.IGNORECASE
        ),
        re.compile(
            quote + b"(?P<text>" + inside + b")" + quote + rb"(?P<colon>\s*:)?|[\[\]{}\"]",
            re.IGNORECASE | re.DOTALL,
        ),
    )
    for quote, inside in _QUOTED
)
"""Where a list or an object begins that is named like a secret, and what it is made of."""
_DESCRIBING = frozenset({b"type", b"title", b"description", b"format"})
"""Fields of a JSON schema, such as that of a tool which takes a password."""
_PARAMETER = re.compile(
    rb"(?:^|[?&])(?P<name>" + _NAME + rb")=(?P<text>[^&#\s\"'<>\\]+)", re.IGNORECASE
)
_LOOKS = re.compile(
    rb"\bbearer\s+(?P<bearer>(?=[^\d\s]*\d)[\w.~+/=-]{8,})"
    rb"|://[^/\s:@\"]*:(?P<password>[^/\s@\"]+)@"
    rb"|\b(?P<jwt>eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    rb"|\b(?P<key>(?:sk|loom|ia|ghp|whsec)[-_](?=[^\d\s]*\d)[\w-]{16,})",
    re.IGNORECASE,
)
_ESCAPED = re.compile(
    rb"\\+u00(?P<unit>[0-9a-f]{2})|\\+(?P<itself>[\"\\/])|%(?P<byte>[0-9a-f]{2})", re.IGNORECASE
)
_RANDOM = re.compile(r"(?=\D*\d)(?=[^a-z]*[a-z])[\w.~+/=-]{16,}", re.IGNORECASE)


class Secrets:
    """All secrets known so far, and how to take them out of a text."""

    def __init__(self, further: Iterable[str | re.Pattern[str]] = ()) -> None:
        further = list(further)
        self._patterns = [secret for secret in further if not isinstance(secret, str)]
        self._known: set[str] = set()
        self._sought: list[_Sought] = []
        """Only ever added to: another thread may be looking through them."""
        self._learn(text for text in further if isinstance(text, str))

    @property
    def known(self) -> int:
        """How many are known; what was scrubbed when they were fewer may hold others."""
        return len(self._sought)

    def may_be_in(self, plain: bytes, since: int) -> bool:
        """Whether one that is known *since* can be in a text; *plain* as `plain` gives it."""
        return any(sought.sure in plain for sought in self._sought[since:])

    def learn_from_request(self, headers: Sequence[tuple[str, str]], body: bytes) -> None:
        """Take note of the secrets of a request, be its credentials as short as a word."""
        found = (
            secret
            for name, value in headers
            if _OWN.fullmatch(name)
            for secret in _credentials(name, value)
        )
        self._learn(
            secret for secret in found if len(secret) >= _SHORTEST_OWN and secret not in _LITERALS
        )
        self.learn_from(headers, body)

    def learn_from(self, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        """Take note of the secrets that *headers*, names in lower case, and *body* carry."""
        found = [secret for name, value in headers for secret in _credentials(name, value)]
        found += [_unescaped(body[start:end]) for start, end, _ in _named(body)]
        self._learn(filter(_is_telling, found))

    def _learn(self, secrets: Iterable[str]) -> None:
        for secret in secrets:
            if secret not in self._known:
                self._known.add(secret)
                self._sought.append(_Sought(secret))

    def scrub(self, text: str) -> str:
        """Take the secrets out of *text*."""
        return b"".join(self.scrub_pieces([text.encode()])).decode()

    def scrub_header(self, name: str, value: str) -> str:
        """Take the secrets out of the value of a header; *name* in lower case."""
        return SCRUBBED.decode() if _CREDENTIAL.search(name) else self.scrub(value)

    def scrub_parameter(self, name: str, value: str) -> str:
        """Take the secrets out of the value of a query's parameter."""
        if re.fullmatch(_NAME, name.encode(), re.IGNORECASE) and _holds(name, value):
            return SCRUBBED.decode()
        return self.scrub(value)

    def scrub_pieces(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Take the secrets out of a text in *pieces*, also those in two pieces at once."""
        whole = b"".join(pieces)
        spans = _apart(self._spans(whole))
        scrubbed: list[bytes] = []
        end = 0
        for piece in pieces:
            start, end = end, end + len(piece)
            if left := _without(spans, whole, start, end):
                scrubbed.append(left)
        return scrubbed

    def _spans(self, text: bytes) -> Iterator[Span]:
        yield from _named(text)
        for match in _LOOKS.finditer(text):
            yield (*match.span(match.lastgroup or 0), SCRUBBED)
        unescaped = plain(text)
        for sought in [*self._sought]:
            if sought.sure in unescaped:
                for match in sought.spellings.finditer(text):
                    yield (*match.span(), SCRUBBED)
        if self._patterns:
            yield from _matched(self._patterns, text)


class _Sought:
    """A secret that is looked for."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        runs = re.split(r"[^!-~]|[%\\]", secret)
        # A "%" or "\\u00" right before it takes up to five of its characters for its own.
        self.sure = max((run[5:] for run in runs), key=len).encode()
        """A part that is in the `plain` form of any text the secret is in."""

    @cached_property
    def spellings(self) -> re.Pattern[bytes]:
        return _spellings(self._secret)


def plain(text: bytes) -> bytes:
    """Undo how ASCII may be escaped: what a secret is quickly looked for in."""
    return _ESCAPED.sub(_meant, text) if b"\\" in text or b"%" in text else text


def _meant(escaped: re.Match[bytes]) -> bytes:
    return escaped["itself"] or bytes.fromhex((escaped["unit"] or escaped["byte"]).decode())


def _holds(name: str, value: str) -> bool:
    """Whether *value* is a secret, where *name* is one of those that may hold one."""
    if name.lower() == "key":  # or it names an entry of some table
        return _RANDOM.fullmatch(value) is not None
    # Or it is a word of an answer, or what a talk is about.
    if name.lower() == "token" or name.lower().endswith("session"):
        return len(value) >= _SHORTEST and not re.search(r"\s", value)
    return bool(value)


def _is_telling(secret: str) -> bool:
    """Whether *secret* can be looked for everywhere, and hardly meets what is none."""
    is_mixed = not secret.isalpha() and not secret.isdigit()
    return len(secret) >= (_SHORTEST if is_mixed else _SHORTEST_WORD)


def _credentials(name: str, value: str) -> Iterator[str]:
    """The secrets within the value of a header."""
    if name in _HARMLESS or not _CREDENTIAL.search(name):
        return
    if "cookie" in name:
        yield from _COOKIE.findall(value)
        return
    scheme, _, secret = value.strip().rpartition(" ")
    yield secret
    if scheme.lower() == "basic":
        try:
            yield b64decode(secret).decode().partition(":")[2]
        except ValueError:
            return


def _unescaped(text: bytes) -> str:
    try:
        return msgspec.json.decode(b'"' + text.replace(rb"\\", b"\\") + b'"', type=str)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return text.decode(errors="replace")


def _spellings(secret: str) -> re.Pattern[bytes]:
    """Find *secret* as it is, escaped for JSON, or percent-encoded; each character as it may be."""
    return re.compile(b"".join(map(_spelling, secret)))


def _spelling(character: str) -> bytes:
    encoded = character.encode()
    units = character.encode("utf-16-be").hex()
    ways = [
        re.escape(encoded),
        b"(?i:" + b"".join(b"%%%02x" % byte for byte in encoded) + b")",
        b"".join(rb"\\+u(?i:%s)" % units[at : at + 4].encode() for at in range(0, len(units), 4)),
    ]
    if character in '"\\/':
        ways.append(rb"\\+" + re.escape(encoded))
    if character == " ":
        ways.append(rb"\+")
    return b"(?:" + b"|".join(ways) + b")"


def _named(text: bytes) -> Iterator[Span]:
    """Find the fields of JSON, and the parameters of addresses and forms, that name a secret."""
    for fields in _FIELDS:
        for match in fields.finditer(text):
            if match["number"]:
                quote = text[match.start() : match.start("name")]
                yield (*match.span("number"), quote + SCRUBBED + quote)
            elif _holds(match["name"].decode(), match["text"].decode(errors="replace")):
                yield (*match.span("text"), SCRUBBED)
    for begins, parts in _CONTAINERS:
        yield from _beneath(begins, parts, text)
    for match in _PARAMETER.finditer(text):
        if _holds(match["name"].decode(), match["text"].decode(errors="replace")):
            yield (*match.span("text"), SCRUBBED)


def _beneath(begins: re.Pattern[bytes], parts: re.Pattern[bytes], text: bytes) -> Iterator[Span]:
    """Find the strings of the lists and objects that are named like a secret."""
    end = 0
    while found := begins.search(text, end):
        name = found["name"].decode()
        end = found.end()
        # A session has a name, but what is in it may be a whole talk.
        if name.lower().endswith("session"):
            continue
        depth, field = 0, b""
        for part in parts.finditer(text, end):
            end = part.end()
            if part["colon"]:
                field = part["text"].lower()
            elif part["text"] is not None:
                value = part["text"].decode(errors="replace")
                if field not in _DESCRIBING and _holds(name, value):
                    yield (*part.span("text"), SCRUBBED)
            else:
                depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(part[0], -depth)
                field = b""
                if depth <= 0:
                    break


def _matched(patterns: Sequence[re.Pattern[str]], text: bytes) -> Iterator[Span]:
    # The patterns are of text, the places of bytes; surrogates stand for what is no text.
    readable = text.decode(errors="surrogateescape")
    for pattern in patterns:
        for match in pattern.finditer(readable):
            start = len(readable[: match.start()].encode(errors="surrogateescape"))
            size = len(match[0].encode(errors="surrogateescape"))
            yield start, start + size, SCRUBBED


def _apart(spans: Iterable[Span]) -> list[Span]:
    """Put *spans* in order, and those that overlap into one."""
    apart: list[Span] = []
    for start, end, instead in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start == end:
            continue
        if apart and start < apart[-1][1]:
            first, last, word = apart[-1]
            apart[-1] = (first, max(last, end), word)
        else:
            apart.append((start, end, instead))
    return apart


def _without(spans: Sequence[Span], whole: bytes, start: int, end: int) -> bytes:
    """The part of *whole* from *start* to *end*; what replaces a span stands where it begins."""
    parts: list[bytes] = []
    for first, last, instead in spans:
        if last <= start:
            continue
        if first >= end:
            break
        if first >= start:
            parts += whole[start:first], instead
        start = last
    parts.append(whole[start:end])
    return b"".join(parts)
