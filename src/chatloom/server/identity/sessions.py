"""Sessions of people who logged in.

A session is an API key that nobody ever sees. Its access tokens are keys that
descend from it, for an hour each where it is renewed; so whatever ends the
session ends all of them, and what they take counts together. A refresh token is
256 random bits, of which only the SHA-256 is stored. It makes the next access
token, once: if it comes a second time somebody has stolen it, or its successor,
and the session ends.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.identity.keys import Identity
from chatloom.server.identity.powers import USER_SCOPES, NewKey
from chatloom.server.ids import milliseconds
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import Key
from chatloom.server.store.people import Person, RefreshToken

ACCESS_FOR = 3600
"""Seconds that an access token works."""
REFRESH_FOR = 30 * 86_400
"""Seconds in which a session can be renewed."""
_PREFIX = "loomr_"


class Held(msgspec.Struct, frozen=True):
    """What a session is held with; shown once."""

    access: Secret
    refresh: Secret
    expires_in: int = ACCESS_FOR
    """Seconds that the access token works."""


class Sessions:
    """Begins sessions, renews and ends them; those made in *dev* are unknown elsewhere."""

    def __init__(self, store: Store, identity: Identity, *, dev: bool) -> None:
        self._store = store
        self._identity = identity
        self._dev = dev

    async def begin(self, person: Person, lasting: int = ACCESS_FOR) -> Held:
        """Let *person* in, with an access token that works for so many seconds."""
        wanted = NewKey(name="session", account_id=person.account_id)
        session, _ = await self._identity.mint(wanted, _deed(person.id, "begun"))
        access = await self._access(session, lasting)
        token, refresh = _new_token(session.id)
        await self._store.add_refresh_token(token)
        return Held(access, refresh, lasting)

    async def renew(self, token: str) -> Held:
        """Exchange a refresh token for what holds its session from now on. Raises `Refusal`."""
        digest = _digest(token)
        found = await self._store.find_refresh_token(digest)
        session = None if found is None else await self._store.key(found.session_id)
        if found is None or session is None or session.dev != self._dev:
            raise _refused("this refresh token is not known here", "invalid_refresh_token")
        if session.revoked_at is not None:
            raise _refused("this session has ended; log in again", "session_ended")
        if found.used_at is not None:
            raise await self._stolen(session)
        if found.expires_at <= milliseconds():
            raise _refused("this refresh token has expired; log in again", "expired_refresh_token")
        # The key comes first: should all end between the two, the token can be used again.
        access = await self._access(session)
        newer, refresh = _new_token(session.id)
        if not await self._store.exchange_refresh_token(digest, newer):
            raise await self._stolen(session)
        return Held(access, refresh)

    async def end(self, key: Key) -> None:
        """End the session whose access token *key* is. Raises `Refusal` where it is none."""
        id = await self.of(key)
        if id is None:
            raise invalid(
                "this API key belongs to no session; keys are revoked at /v1/keys",
                code="no_session",
            )
        await self._revoke(id, _deed(key.id, "ended"))

    async def of(self, key: Key) -> str | None:
        """The session whose access token *key* is; `None` where it is none."""
        if len(key.ancestors) != 1 or not await self._store.is_session(key.ancestors[0]):
            return None
        return key.ancestors[0]

    async def _access(self, session: Key, lasting: int = ACCESS_FOR) -> Secret:
        wanted = NewKey(
            name="access token",
            account_id=session.account_id,
            scopes=USER_SCOPES,
            expires_at=milliseconds() + lasting * 1000,
            parent=session,
        )
        _, secret = await self._identity.mint(wanted, None)
        return secret

    async def _stolen(self, session: Key) -> Refusal:
        deed = replace(_deed(session.id, "revoked"), detail={"reason": "refresh_token_reused"})
        await self._revoke(session.id, deed)
        return _refused(
            "this refresh token was used before, so somebody else may have it: its session is"
            " ended; log in again",
            "refresh_token_reused",
        )

    async def _revoke(self, id: str, deed: Deed) -> None:
        try:
            await self._identity.revoke(id, replace(deed, resource_id=id))
        except Refusal as refusal:
            if refusal.code != "already_revoked":  # somebody else ended it this very moment
                raise


def _new_token(session_id: str) -> tuple[RefreshToken, Secret]:
    secret, now = Secret(_PREFIX + secrets.token_urlsafe(32)), milliseconds()
    token = RefreshToken(
        digest=_digest(secret.reveal()),
        session_id=session_id,
        created_at=now,
        expires_at=now + REFRESH_FOR * 1000,
    )
    return token, secret


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _refused(message: str, code: str) -> Refusal:
    return Refusal("unauthenticated", message, code=code)


def _deed(actor: str, done: str) -> Deed:
    return Deed(actor=actor, action=f"session.{done}", resource="session")
