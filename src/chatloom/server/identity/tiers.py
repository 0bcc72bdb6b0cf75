"""What accounts are given: tiers, their bands of models, their credits for each period."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase

import msgspec

from chatloom.core.errors import SettingsError
from chatloom.server.models.registry import Registry, UnknownModel
from chatloom.server.refusal import Refusal
from chatloom.server.settings import ServerSettings, TierSettings
from chatloom.server.store.keys import RateLimit
from chatloom.server.store.spending import Allowance

UNLIMITED = "unlimited"
"""The tier of every account where the configuration names none."""
DEV = TierSettings(credits=1_000_000, unpriced_models="allow")
"""In ``--dev``, where there is no configuration, so that there is something to spend."""
UNBANDED = "standard"
"""The band of models that are listed in none."""


class Tier(msgspec.Struct, frozen=True):
    """One tier, by its name."""

    name: str
    settings: TierSettings

    def may_use(self, band: str) -> bool:
        """Whether its accounts may use models of *band*."""
        return self.settings.bands is None or band in self.settings.bands

    @property
    def rate(self) -> RateLimit | None:
        """How often each of its keys may ask; `None` for no limit."""
        per_minute = self.settings.requests_per_minute
        return None if per_minute is None else RateLimit(per_minute, self.settings.burst)


class Tiers:
    """All tiers of one server. Raises `SettingsError` for a configuration that cannot be."""

    def __init__(self, settings: ServerSettings, *, dev: bool = False) -> None:
        known = settings.tiers or ({"dev": DEV} if dev else {UNLIMITED: TierSettings()})
        self._tiers = {name: Tier(name, tier) for name, tier in known.items()}
        self._default = settings.default_tier or next(iter(self._tiers))
        self._bands = settings.bands
        self._allowances: dict[str, Allowance] = {}
        """The last one of each tier, since a period lasts for many requests."""
        self.credit = int(Decimal(str(settings.credit_usd)).scaleb(12))
        """What a credit is worth, in pico-dollars."""
        self._check()

    def _check(self) -> None:
        if self._default not in self._tiers:
            raise SettingsError(f"default_tier: there is no tier {self._default!r}")
        for tier in self._tiers.values():
            for band in tier.settings.bands or ():
                if band not in self.bands:
                    raise SettingsError(f"tiers.{tier.name}.bands: there is no band {band!r}")

    @property
    def names(self) -> list[str]:
        """Every tier, the smallest first."""
        return list(self._tiers)

    @property
    def bands(self) -> list[str]:
        """Every band."""
        return list(dict.fromkeys([*self._bands, UNBANDED]))

    def of(self, name: str | None) -> Tier:
        """The tier of an account that was given *name*; one that is no more is the default."""
        return self._tiers.get(name or self._default) or self._tiers[self._default]

    def bands_of(self, tier: Tier) -> list[str]:
        """The bands that *tier* may use."""
        return [band for band in self.bands if tier.may_use(band)]

    def band_of(self, model: str, registry: Registry) -> str:
        """The band of *model*, by the name asked for, else by those of the model that answers.

        Nobody gets around a band by another name for the same model. Options behind a ``?`` do
        not count.
        """
        for name in (model, *_true_names(model, registry)) if self._bands else ():
            plain = name.partition("?")[0]
            for band, patterns in self._bands.items():
                if any(fnmatchcase(plain, pattern) for pattern in patterns):
                    return band
        return UNBANDED

    def require_band(self, tier: Tier, model: str, registry: Registry) -> str:
        """The band of *model*. Raises `Refusal` where *tier* may not use it."""
        band = self.band_of(model, registry)
        if tier.may_use(band):
            return band
        needed = next((one.name for one in self._tiers.values() if one.may_use(band)), None)
        raise Refusal(
            "forbidden",
            f"the model {model!r} is in the band {band!r}, and this account's tier is"
            f" {tier.name!r}; " + (f"it takes {needed!r}" if needed else "no tier may use it"),
            code="band_access_denied",
            type="band_access_denied",
            extras={"band": band, "required_tier": needed, "current_tier": tier.name},
        )

    def allowance(self, tier: Tier, now: int) -> Allowance | None:
        """What an account of *tier* may spend in the period that *now* is in."""
        credits = tier.settings.credits
        if credits is None:
            return None
        known = self._allowances.get(tier.name)
        if known is not None and known.since <= now < known.until:
            return known
        since, until = _PERIODS[tier.settings.period](datetime.fromtimestamp(now / 1000, UTC))
        known = self._allowances[tier.name] = Allowance(
            credits=credits,
            credit=self.credit,
            since=_milliseconds(since),
            until=_milliseconds(until),
            allows_unpriced=tier.settings.unpriced_models == "allow",
        )
        return known


def _true_names(model: str, registry: Registry) -> Sequence[str]:
    """What else the model is called that answers to this name; nothing where none does."""
    try:
        found = registry.resolve(model)
    except UnknownModel:
        return ()
    return found.info.id, f"{found.info.provider}/{found.model}", found.model


def _day(now: datetime) -> tuple[datetime, datetime]:
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return start, start + timedelta(days=1)


def _month(now: datetime) -> tuple[datetime, datetime]:
    start = _day(now)[0].replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


_PERIODS: Mapping[str, Callable[[datetime], tuple[datetime, datetime]]] = {
    "day": _day,
    "month": _month,
}


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
