"""Ids: one UUIDv7 (RFC 9562) for everything, in all protocols."""

from __future__ import annotations

import os
import struct
import time

_last = 0
_chance: list[int] = []


def new_id() -> str:
    """Mint an id; within one process, later ones sort later."""
    global _last
    # Milliseconds and a 12-bit fraction, as RFC 9562 6.2 method 3 has it.
    moment = time.time_ns() * 4096 // 1_000_000
    if moment <= _last:
        moment = _last + 1
    _last = moment
    chance = _draw() & 0x3FFF_FFFF_FFFF_FFFF
    number = (moment >> 12) << 80 | 0x7000 << 64 | (moment & 0xFFF) << 64
    text = f"{number | 0x8000_0000_0000_0000 | chance:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _draw() -> int:
    """Fetch chance for many ids at once: the system call costs more than all the rest."""
    while True:
        try:
            return _chance.pop()
        except IndexError:  # also where another thread took the last one meanwhile
            _chance.extend(struct.unpack("512Q", os.urandom(4096)))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_chance.clear)


def first_id_at(moment: int) -> str:
    """What sorts before all ids of *moment*, in milliseconds since 1970, and behind older ones."""
    digits = f"{moment:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def is_id(text: str) -> bool:
    """Whether *text* has the form of an id."""
    return len(text) == 36 and text.count("-") == 4 and _HEX.issuperset(text)


_HEX = frozenset("0123456789abcdef-")


def milliseconds() -> int:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
