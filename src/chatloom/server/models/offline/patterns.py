"""Text that matches a regular expression, written without ever running it.

A stranger's expression can keep a matcher busy for years; this reads it once,
left to right, and knows what JSON schemas use: characters, classes, groups,
alternatives, and how often each may come.
"""

from __future__ import annotations

import re
import string
from random import Random

from chatloom.server.models.offline.schema_merge import Unsatisfiable

MOST_STEPS = 20_000

_CLASSES = {
    "d": string.digits,
    "w": string.ascii_lowercase + string.digits,
    "s": " ",
    "D": string.ascii_lowercase,
    "W": "-.,",
    "S": string.ascii_lowercase + string.digits,
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_ANY = string.ascii_lowercase
_COUNTS = re.compile(r"\{(\d{1,6})(,)?(\d{1,6})?\}")
_CODE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")
_GROUP = re.compile(r"\(\?(?::|P?<[A-Za-z_]\w{0,60}>)")


def matching(pattern: str, chance: Random) -> str:
    """Write a text that matches *pattern*; raises `Unsatisfiable` for what is not understood."""
    reader = _Reader(pattern, chance)
    text = reader.alternatives()
    if reader.at < len(pattern):
        raise reader.lost()
    return text


class _Reader:
    def __init__(self, pattern: str, chance: Random) -> None:
        self.at = 0
        self._pattern, self._chance = pattern, chance
        self._left = MOST_STEPS

    def alternatives(self) -> str:
        """Write one of several, and go to their end."""
        written = [self._sequence()]
        while self._next() == "|":
            self.at += 1
            written.append(self._sequence())
        return written[int(self._chance.random() * len(written))]

    def lost(self) -> Unsatisfiable:
        """Say where reading ended."""
        return Unsatisfiable(f"the pattern {self._pattern[:100]!r} is beyond an offline model")

    def _next(self) -> str:
        return self._pattern[self.at : self.at + 1]

    def _sequence(self) -> str:
        written: list[str] = []
        while self._next() not in {"", "|", ")"}:
            start = self.at
            once = self._atom()
            after, times = self._how_often()
            again = [self._again(start) for _ in range(times - 1)]
            written += [once, *again] if times else []
            self.at = after
        return "".join(written)

    def _again(self, start: int) -> str:
        self.at = start
        text = self._atom()
        self._left -= self.at - start  # what is read over and over costs by its length
        return text

    def _how_often(self) -> tuple[int, int]:
        """Where a quantifier ends, and a number it allows."""
        counts = _COUNTS.match(self._pattern, self.at)
        least, most, end = 1, 1, self.at
        if counts:
            least, end = int(counts[1]), counts.end()
            most = int(counts[3]) if counts[3] else least + 2 if counts[2] else least
        elif self._next() in {"*", "+", "?"}:
            least, most = {"*": (0, 3), "+": (1, 4), "?": (0, 1)}[self._next()]
            end += 1
        if end > self.at and self._pattern[end : end + 1] in {"?", "+"}:
            end += 1
        return end, least + int(self._chance.random() * (min(most, least + 3) - least + 1))

    def _atom(self) -> str:
        self._left -= 1
        if self._left < 0:
            raise self.lost()
        first = self._next()
        if first == "(":
            return self._group()
        if first == "[":
            return self._pick(self._class())
        if first == "\\":
            return self._pick(self._escaped())
        self.at += 1
        if first in {"*", "+", "?"}:
            raise self.lost()
        return "" if first in {"^", "$"} else self._pick(_ANY) if first == "." else first

    def _group(self) -> str:
        opening = _GROUP.match(self._pattern, self.at)
        if opening is None and self._pattern.startswith("(?", self.at):
            raise self.lost()
        self.at = opening.end() if opening else self.at + 1
        text = self.alternatives()
        if self._next() != ")":
            raise self.lost()
        self.at += 1
        return text

    def _escaped(self) -> str:
        """All that the escape here stands for; nothing for the border of a word."""
        code = _CODE.match(self._pattern, self.at)
        if code:
            self.at = code.end()
            return chr(int(code[1] or code[2], 16))
        letter = self._pattern[self.at + 1 : self.at + 2]
        self.at += 2
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in {"b", "A", "Z", "z"}:
            return ""
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter == "" or letter.isalnum():
            raise self.lost()
        return letter

    def _class(self) -> str:
        """All that the class here stands for, as far as it is ASCII or named one by one."""
        self.at += 1
        negated = self._next() == "^"
        self.at += negated
        members = ""
        while self._next() != "]":
            start = self._member()
            if self._next() == "-" and self._pattern[self.at + 1 : self.at + 2] not in {"]", ""}:
                self.at += 1
                end = self._member()
                codes = range(ord(start[-1:] or "\0"), ord(end[:1] or "\0") + 1)
                start = "".join(chr(code) for code in codes[:256])
            members += start
        self.at += 1
        if negated:
            members = "".join(sorted({*string.ascii_letters, *string.digits, *" -"} - {*members}))
        if not members:
            raise self.lost()
        return members

    def _member(self) -> str:
        if self._next() == "":
            raise self.lost()
        if self._next() == "\\":
            return self._escaped()
        self.at += 1
        return self._pattern[self.at - 1]

    def _pick(self, choices: str) -> str:
        return choices[int(self._chance.random() * len(choices))] if choices else ""
