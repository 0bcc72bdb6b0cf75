"""What tokens cost: as the configuration says, else as the published price lists do."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from chatloom.server.models.driver import Price
from chatloom.server.settings import PriceSettings

PICO = Decimal(10) ** 12


def configured(prices: PriceSettings) -> Price:
    """Read *prices*, in dollars per million tokens."""
    cached = None if prices.cached is None else _per_token(prices.cached)
    return Price(
        prompt=_per_token(prices.prompt), completion=_per_token(prices.completion), cached=cached
    )


def read_lists() -> None:
    """Read the published price lists, so that `published` need not."""
    published("https://api.openai.com/v1", "gpt-4o")


@lru_cache(maxsize=1024)
def published(base_url: str, model: str) -> Price | None:
    """What *model* costs at the provider at *base_url*; `None` where no list knows it.

    Prices that rise with the length of the prompt count as for a short one.
    """
    from genai_prices import Usage, calc_price

    def cost(usage: Usage) -> tuple[int, int]:
        found = calc_price(usage, model, provider_api_url=base_url)
        return _pico(found.input_price), _pico(found.output_price)

    try:
        prompt, completion = cost(Usage(input_tokens=1, output_tokens=1))
        cached, _ = cost(Usage(input_tokens=1, cache_read_tokens=1))
    except LookupError:
        return None
    return Price(prompt=prompt, completion=completion, cached=cached)


def _per_token(dollars_per_million: float) -> int:
    # As it was written: 0.1, not the nearest number a float can be.
    return _pico(Decimal(str(dollars_per_million)) / 1_000_000)


def _pico(dollars: Decimal) -> int:
    return int((dollars * PICO).to_integral_value())
