"""People who log in, their sessions, and what was used in their name."""

from __future__ import annotations

from typing import Protocol

import msgspec

from chatloom.core.secret import Secret
from chatloom.server.store.administration import Deed


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who logs in by a name and a password, and has an account of their own."""

    id: str
    account_id: str
    login: str
    """The name they log in by, as names are compared: an e-mail address is one."""
    email: str | None
    """As they wrote it, where that name is one."""
    name: str | None
    password: Secret
    """Not the password: what tells whether one is it (Argon2id)."""
    created_at: int
    dev: bool = False
    """Made by ``--dev``, where everybody is welcome; unknown elsewhere."""
    tier: str | None = None
    """Their account's."""
    disabled_at: int | None = None
    """Since when they may not log in."""


class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """What renews a session, once. Its session is the key that all access tokens descend from."""

    digest: bytes
    """SHA-256 of the token."""
    session_id: str
    created_at: int
    expires_at: int
    used_at: int | None = None


class Use(msgspec.Struct, frozen=True):
    """What was asked in all, and what it took and cost."""

    requests: int
    prompt_tokens: int
    completion_tokens: int
    spent: int


class LoginTaken(Exception):
    """Somebody logs in by this name already; nothing of another is stored."""


class People(Protocol):
    """Keeps people and what holds their sessions. Those of ``--dev`` are never the others."""

    async def add_person(self, person: Person, deed: Deed) -> None:
        """Keep somebody new, and make their account. Raises `LoginTaken`."""
        ...

    async def find_person(self, login: str, *, dev: bool) -> Person | None: ...

    async def person(self, id: str) -> Person | None: ...

    async def people(self) -> list[Person]:
        """Every one, newest first."""
        ...

    async def change_person(
        self, id: str, now: int, deed: Deed, *, password: Secret | None, disabled: bool | None
    ) -> None:
        """Change what of somebody is not `None`, and end all their sessions."""
        ...

    async def person_of(self, account_id: str) -> Person | None:
        """Whose account it is, where it is somebody's."""
        ...

    async def keep_anew(self, person: Person, password: Secret) -> None:
        """Keep another form of *person*'s password, unless it is another one by now."""
        ...

    async def add_refresh_token(self, token: RefreshToken) -> None: ...

    async def find_refresh_token(self, digest: bytes) -> RefreshToken | None:
        """The one with this digest, used or not, expired or not."""
        ...

    async def exchange_refresh_token(self, used: bytes, newer: RefreshToken) -> bool:
        """Put *newer* in the place of the one with the digest *used*; False where it was used."""
        ...

    async def is_session(self, key_id: str) -> bool:
        """Whether this key is a session: whether a refresh token renews it."""
        ...

    async def forget_refresh_tokens(self, now: int) -> int:
        """Forget those that have expired. Returns how many there were."""
        ...

    async def use_of(self, account_id: str, end_user: str | None) -> Use:
        """What was used in an account, or there in an end user's name."""
        ...
