"""In what two requests differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import msgspec

from chatloom.core.http import JSON
from chatloom.transports.recorded.tape import Asked

_LONGEST = 80


class Difference(msgspec.Struct, frozen=True):
    """One place where a request is another than the recorded one."""

    place: str
    recorded: object
    asked: object

    def __str__(self) -> str:
        recorded, asked = self.recorded, self.asked
        if isinstance(recorded, str) and isinstance(asked, str):
            start = max(0, _same(recorded, asked) - _LONGEST // 2)
            recorded, asked = recorded[start:], asked[start:]
        return f"{self.place}: recorded {_shown(recorded)}, asked {_shown(asked)}"

    @property
    def size(self) -> int:
        """How much of the two requests it takes up."""
        return len(_text(self.recorded)) + len(_text(self.asked))


def differences(recorded: Asked, asked: Asked) -> Iterator[Difference]:
    """Find where *asked* is another request than *recorded*: address, query, or body."""
    if str(recorded) != str(asked):
        yield Difference("address", str(recorded), str(asked))
    if sorted(recorded.query) != sorted(asked.query):
        yield Difference("query", _joined(recorded), _joined(asked))
    if recorded.body.json is not msgspec.UNSET and asked.body.json is not msgspec.UNSET:
        yield from _of_values("body", recorded.body.json, asked.body.json)
    elif recorded.body != asked.body:
        yield Difference("body", recorded.body.shown, asked.body.shown)


def _of_values(place: str, recorded: JSON, asked: JSON) -> Iterator[Difference]:
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in recorded | asked:
            if name in recorded and name in asked:
                yield from _of_values(f"{place}.{name}", recorded[name], asked[name])
            else:
                one, other = (side.get(name, msgspec.UNSET) for side in (recorded, asked))
                yield Difference(f"{place}.{name}", one, other)
    elif isinstance(recorded, list) and isinstance(asked, list) and len(recorded) == len(asked):
        for at, (one, other) in enumerate(zip(recorded, asked, strict=True)):
            yield from _of_values(f"{place}[{at}]", one, other)
    elif recorded != asked or isinstance(recorded, bool) != isinstance(asked, bool):
        yield Difference(place, recorded, asked)


def _joined(asked: Asked) -> str:
    return "&".join(f"{name}={value}" for name, value in asked.query)


def _same(one: str, other: str) -> int:
    """How many characters *one* and *other* begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _shown(value: object) -> str:
    text = _text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _text(value: object) -> str:
    return "nothing" if value is msgspec.UNSET else msgspec.json.encode(value).decode()
