from __future__ import annotations

import pytest

from chatloom.server.models.driver import Price, Usage
from chatloom.server.models.offline.echo import Echo
from chatloom.server.models.offline.scribe import Scribe
from chatloom.server.models.pricing import configured, published
from chatloom.server.settings import PriceSettings

OPENAI = "https://api.openai.com/v1"


@pytest.mark.parametrize(
    ("dollars", "pico"),
    [(0.1, 100_000), (15, 15_000_000), (0.000001, 1), (0.07, 70_000), (1e-7, 0), (0.0375, 37_500)],
)
def test_configured_prices_are_exact(dollars: float, pico: int) -> None:
    price = configured(PriceSettings(prompt=dollars, completion=dollars))
    assert price == Price(prompt=pico, completion=pico)


def test_published_prices_are_exact() -> None:
    expected = Price(prompt=150_000, completion=600_000, cached=75_000)
    assert published(OPENAI, "gpt-4o-mini") == expected


@pytest.mark.parametrize(
    ("base_url", "model"),
    [(OPENAI, "no-such-model"), ("http://localhost:11434/v1", "gpt-4o"), (OPENAI, "")],
)
def test_what_no_list_knows_has_no_price(base_url: str, model: str) -> None:
    assert published(base_url, model) is None


def test_cached_tokens_cost_what_cached_tokens_cost() -> None:
    price = Price(prompt=10, completion=100, cached=1)
    assert price.of(Usage(20, 3, cached_tokens=5)) == 15 * 10 + 5 + 300


def test_the_offline_models_have_nominal_prices() -> None:
    assert Echo().price("loom/echo") == Price(prompt=0, completion=0)
    assert Scribe().price("loom/scribe") == Price(prompt=100_000, completion=400_000)
