"""What a key may do: its scopes, its models, its addresses, whose talks it sees.

A key that descends from another never has more than that in any of these, nor a
longer life, and less in one at least.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias, get_args

import msgspec

from chatloom.server.refusal import Refusal, invalid, not_found
from chatloom.server.store.keys import Key, RateLimit, Unread

Scope: TypeAlias = Literal["chat", "models", "keys", "admin", "platform"]
"""What a key may do: talk and read back, list models, make keys with less power than its own,
administer the server, or the platform."""

SCOPES: frozenset[str] = frozenset(get_args(Scope))
USER_SCOPES: frozenset[str] = frozenset({"chat", "models", "keys"})
LONGEST_LINEAGE = 16
"""Keys that one may descend from: each request and each turn concerns all of them."""


class NewKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to be made; without *account_id*, in an account of its own."""

    name: str
    account_id: str | None = None
    scopes: frozenset[str] = USER_SCOPES
    models: list[str] | None = None
    routes: list[str] | None = None
    owner: str | None = None
    organization: str | None = None
    rate: RateLimit | None = None
    expires_at: int | None = None
    unread: Unread = "cancel"
    parent: Key | None = None
    """The key it descends from."""
    has_less_money: bool = False
    """Whether its budget is less than what those that it descends from may spend."""


def require(key: Key, scope: str) -> None:
    """Refuse a key that has not *scope*."""
    if scope not in key.scopes:
        raise Refusal("forbidden", f"this API key lacks the scope {scope!r}", code="missing_scope")


def require_model(key: Key, model: str) -> None:
    """Refuse a key that is limited to other models; options behind a ``?`` do not count."""
    name = model.partition("?")[0]
    if key.models is not None and not any(fnmatchcase(name, one) for one in key.models):
        raise Refusal(
            "forbidden", f"this API key may not use the model {model!r}", code="model_not_allowed"
        )


def require_route(key: Key, method: str, path: str) -> None:
    """Refuse a key that is limited to other addresses; *path* is as the route table has it."""
    if key.routes is not None and not any(_is_route(one, method, path) for one in key.routes):
        raise Refusal(
            "forbidden", f"this API key may not use {method} {path}", code="route_not_allowed"
        )


def _is_route(pattern: str, method: str, path: str) -> bool:
    """``/v1/chat/*`` means every method there, ``GET /v1/models`` just one."""
    named, rest = _split(pattern)
    return named in {None, method} and fnmatchcase(path, rest)


def _split(route: str) -> tuple[str | None, str]:
    """The method that a pattern of addresses names, if any, and the rest of it."""
    named, space, rest = route.partition(" ")
    return (named, rest) if space else (None, route)


def require_scopes(key: Key, scopes: Iterable[str]) -> None:
    """Keep a key from giving out, or taking over, more than it has itself."""
    if beyond := SCOPES.intersection(scopes) - key.scopes:
        raise Refusal(
            "forbidden",
            f"this API key lacks the scope {', '.join(sorted(beyond))}",
            code="missing_scope",
        )


def require_unlimited(key: Key) -> None:
    """Keep a key with limits from giving others more, lifting its own, or taking one over."""
    bounds = (key.models, key.routes, key.owner, key.organization, key.expires_at, key.rate)
    if key.ancestors or any(bound is not None for bound in bounds):
        raise limited_administrator()


def limited_administrator() -> Refusal:
    """Say that only who has no limits changes those of others."""
    return Refusal(
        "forbidden",
        "this API key is limited itself; it makes keys that descend from it, at /v1/keys",
        code="limited_administrator",
    )


def may_see(key: Key, end_user: str | None) -> bool:
    """Whether what concerns *end_user*, of the key's account, is for its eyes."""
    return key.owner is None or key.owner == end_user


def end_user_of(key: Key, named: str | None) -> str | None:
    """The end user that a request concerns. Raises `Refusal` for one the key does not belong to."""
    return _bound(key.owner, named, "user")


def organization_of(key: Key, named: str | None) -> str | None:
    """The organization that a request concerns. Raises `Refusal` for another than the key's."""
    return _bound(key.organization, named, "organization")


def _bound(own: str | None, named: str | None, what: str) -> str | None:
    if own is not None and named not in {None, "", own}:
        raise Refusal("forbidden", f"this API key belongs to another {what}", code=f"other_{what}")
    return own or named or None


def rates_of(key: Key) -> dict[str, RateLimit]:
    """The limits of a key and those it descends from, by their ids."""
    return {**key.rates_above, **({key.id: key.rate} if key.rate else {})}


def check_scopes(scopes: Iterable[str]) -> None:
    """Refuse scopes that do not exist."""
    if unknown := frozenset(scopes) - SCOPES:
        known = ", ".join(sorted(SCOPES))
        raise invalid(
            f"unknown scope {', '.join(sorted(unknown))}; there are {known}", param="scopes"
        )


def check_descendant(parent: Key, wanted: NewKey) -> None:
    """Refuse a key that would have more than *parent* in something, or less in nothing."""
    if wanted.account_id != parent.account_id:
        raise not_found("account")
    if len(parent.ancestors) >= LONGEST_LINEAGE:
        raise invalid(
            f"a key descends from {LONGEST_LINEAGE} others at most", code="lineage_too_long"
        )
    require_scopes(parent, wanted.scopes)
    if not covers_models(parent.models, wanted.models):
        raise _beyond("models")
    if not covers_routes(parent.routes, wanted.routes):
        raise _beyond("routes")
    if parent.owner not in {None, wanted.owner}:
        raise _beyond("user")
    if parent.organization not in {None, wanted.organization}:
        raise _beyond("organization")
    if _ends(wanted.expires_at) > _ends(parent.expires_at):
        raise _beyond("expires_in_days")
    if any(_is_faster(wanted.rate, allowed) for allowed in rates_of(parent).values()):
        raise _beyond("requests_per_minute")
    if parent.unread == "cancel" and wanted.unread == "run":
        raise _beyond("unread")
    if not _has_less(parent, wanted):
        raise invalid(
            "a key must have less than the one it descends from, in scopes, models, routes, life,"
            " rate, budget, or by belonging to somebody",
            code="not_less",
        )


def _has_less(parent: Key, wanted: NewKey) -> bool:
    """Whether *wanted*, which has nothing beyond *parent*, has less than that in some power."""
    is_slower = wanted.rate is not None and wanted.rate not in rates_of(parent).values()
    return (
        wanted.has_less_money
        or is_slower
        or wanted.scopes != parent.scopes
        or not covers_models(wanted.models, parent.models)
        or not covers_routes(wanted.routes, parent.routes)
        or (wanted.owner, wanted.organization) != (parent.owner, parent.organization)
        or wanted.expires_at != parent.expires_at
    )


def _is_faster(wanted: RateLimit | None, allowed: RateLimit) -> bool:
    """Whether *wanted* allows more; none at all leaves it to what is above."""
    if wanted is None:
        return False
    return wanted.per_minute > allowed.per_minute or wanted.burst > allowed.burst


def _ends(expires_at: int | None) -> float:
    return float("inf") if expires_at is None else expires_at


def covers_models(allowed: Sequence[str] | None, wanted: Sequence[str] | None) -> bool:
    """Whether every model that *wanted* matches is matched by *allowed*, as far as can be told."""
    return _covers(allowed, wanted, _is_within)


def covers_routes(allowed: Sequence[str] | None, wanted: Sequence[str] | None) -> bool:
    """Whether every address that *wanted* matches is matched by *allowed*, as can be told."""
    return _covers(allowed, wanted, _is_route_within)


def _covers(
    allowed: Sequence[str] | None,
    wanted: Sequence[str] | None,
    is_within: Callable[[str, str], bool],
) -> bool:
    outer, inner = (_ALL if one is None else one for one in (allowed, wanted))
    return all(any(is_within(one, pattern) for pattern in outer) for one in inner)


def _is_route_within(wanted: str, allowed: str) -> bool:
    method, path = _split(wanted)
    allowed_method, allowed_path = _split(allowed)
    return allowed_method in {None, method} and _is_within(path, allowed_path)


def _is_within(wanted: str, allowed: str) -> bool:
    """Whether *allowed* matches all that the pattern *wanted* does.

    What a ``*`` takes in may itself be a wildcard; what a ``?`` or a ``[…]`` does may not.
    """
    if wanted == allowed:
        return True
    if not _WILD.intersection(wanted):
        return fnmatchcase(wanted, allowed)
    # A choice of characters is one that nobody knows, whatever stands between its brackets.
    return not _CHOOSY.intersection(allowed) and fnmatchcase(_CHOICE.sub("?", wanted), allowed)


_ALL = ("*",)
_WILD = frozenset("*?[")
_CHOOSY = frozenset("?[")
_CHOICE = re.compile(r"\[!?\]?[^\]]*\]")


def _beyond(param: str) -> Refusal:
    return Refusal(
        "forbidden",
        f"{param}: more than the API key that asks has itself",
        code="beyond_parent",
        param=param,
    )
