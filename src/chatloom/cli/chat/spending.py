"""What a talk has taken so far."""

from __future__ import annotations

import math

import msgspec

from chatloom.wire.chatloom import Turn

_DOLLAR = 10**12
"""Pico-dollars in one."""


class Spending(msgspec.Struct):
    """Tokens and money of many turns."""

    tokens: int = 0
    picodollars: int = 0
    has_price: bool = False
    """Whether any turn had a price that somebody knows."""

    def add(self, turn: Turn) -> None:
        """Add what a settled *turn* took."""
        if turn.usage is not None:
            self.tokens += turn.usage.prompt_tokens + turn.usage.completion_tokens
        if turn.cost is not None:
            self.picodollars += turn.cost.picodollars
            self.has_price = True

    @property
    def cost(self) -> str:
        """The money, for people; empty where nobody knows."""
        return dollars(self.picodollars) if self.has_price else ""


def dollars(picodollars: int) -> str:
    """Write an amount to the cent; less than one, to two digits that say something."""
    amount = picodollars / _DOLLAR
    if not picodollars:
        return "$0"
    places = 2 if amount >= 0.01 else 1 - math.floor(math.log10(amount))
    return f"${amount:,.{places}f}"
