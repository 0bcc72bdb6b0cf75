"""People, and what their sessions are held with."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from chatloom.wire.chatloom import Money
from chatloom.wire.chatroutes.common import Given, Told
from chatloom.wire.unshown import Unshown


class Registration(Unshown, Given):
    """Somebody who wants an account of their own."""

    email: Annotated[str, Meta(min_length=3, max_length=254)]
    password: Annotated[str, Meta(min_length=8, max_length=1024)]
    name: Annotated[str, Meta(max_length=200)] | None = None


class Login(Unshown, Given):
    """Somebody who has one."""

    email: Annotated[str, Meta(min_length=1, max_length=254)]
    password: Annotated[str, Meta(min_length=1, max_length=1024)]


class Renewal(Unshown, Given):
    """A refresh token to be exchanged; it can be used once."""

    refresh_token: Annotated[str, Meta(min_length=1, max_length=500)]


class User(Told):
    """Somebody; `plan` is the tier of their account."""

    id: str
    email: str
    name: str | None
    plan: str | None
    created_at: str


class Tokens(Unshown, Told):
    """What a session is held with; `expires_in` is in seconds, and of the access token."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - no secret


class Session(Told):
    """Somebody, and what their session is held with."""

    user: User
    tokens: Tokens


class TokenUsage(Told):
    """What an account used; the quota is null where nothing limits it. Cost is in all."""

    tokens_used: int
    token_quota: int | None
    requests: int
    cost: Money
