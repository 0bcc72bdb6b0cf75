"""Who is asking: API keys, their scopes, and the accounts they belong to.

A key reads ``loom_`` + 10 characters to be told apart by + 43 of secret (256
random bits) + 6 of checksum. Only its SHA-256 is stored, and it is shown once.
Identity comes from the key alone.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Callable

from msgspec.structs import replace

from chatloom.core.secret import Secret
from chatloom.server.identity.powers import (
    SCOPES,
    USER_SCOPES,
    NewKey,
    check_descendant,
    check_scopes,
    rates_of,
)
from chatloom.server.ids import milliseconds, new_id
from chatloom.server.refusal import Refusal, invalid
from chatloom.server.store.administration import Deed
from chatloom.server.store.contract import Store
from chatloom.server.store.keys import (
    MOST_DESCENDANTS,
    AncestorRevoked,
    ApiSecret,
    Key,
    TooManyDescendants,
)

_log = logging.getLogger("chatloom.identity")

_PREFIX = "loom_"
_REMEMBERED = 10_000
_TOUCH_EVERY = 60_000


class Identity:
    """Mints keys, and finds out whose key a credential is."""

    def __init__(self, store: Store, *, dev: bool, control: Secret | None = None) -> None:
        self._store = store
        self._dev = dev
        self._control = hashlib.sha256(control.reveal().encode()).digest() if control else None
        self._known: OrderedDict[bytes, Key] = OrderedDict()
        self._used: dict[str, int] = {}
        self._touching: asyncio.Future[None] | None = None

    async def of(self, credential: str | None) -> Key:
        """The key behind *credential*. Raises `Refusal` unless it is known and still good."""
        if not credential:
            raise _unauthenticated("an API key is needed", "missing_api_key")
        digest = hashlib.sha256(credential.encode()).digest()
        if self._control is not None and hmac.compare_digest(digest, self._control):
            return _CONTROL
        key = self._known.get(digest) or await self._look_up(digest, credential)
        now = milliseconds()
        if key.revoked_at is not None:
            raise _revoked()
        if key.expires_at is not None and key.expires_at <= now:
            raise _unauthenticated("this API key has expired", "expired_api_key")
        if key.secret_expires_at is not None and key.secret_expires_at <= now:
            raise _unauthenticated("this API key was replaced by a newer one", "expired_api_key")
        if now - self._used.get(key.id, 0) > _TOUCH_EVERY:
            self._touch(key.id, now)
        return key

    def _touch(self, key_id: str, now: int) -> None:
        """Record a key's use; nobody waits for that, and nothing fails by it."""
        if len(self._used) > _REMEMBERED:
            self._used.clear()
        self._used[key_id] = now
        self._touching = asyncio.ensure_future(self._store.touch_keys([(key_id, now)]))
        self._touching.add_done_callback(_heed)

    async def _look_up(self, digest: bytes, credential: str) -> Key:
        key = await self._store.find_key(digest)
        if key is None and self._dev:
            key = await self._make_dev_key(digest, credential)
        if key is None or (key.dev and not self._dev):
            raise _unauthenticated("this API key is not known here", "invalid_api_key")
        self._known[digest] = key
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return key

    async def _make_dev_key(self, digest: bytes, credential: str) -> Key:
        """In ``--dev`` every key is welcome, and gets an account of its own."""
        now = milliseconds()
        account = f"dev-{digest.hex()[:24]}"
        scopes = SCOPES if credential.startswith("admin") else USER_SCOPES
        await self._store.account(account, "made by --dev", dev=True, now=now)
        key = Key(
            id=new_id(),
            account_id=account,
            name="dev",
            scopes=scopes,
            created_at=now,
            dev=True,
            hint="dev",
        )
        try:
            await self._store.add_key(key, _secret(key, digest, "dev"))
        except Exception:
            # Two first requests at once: the other one made it.
            found = await self._store.find_key(digest)
            if found is None:
                raise
            return found
        return key

    async def mint(
        self, wanted: NewKey, deed: Deed | None, *, prefix: str = _PREFIX
    ) -> tuple[Key, Secret]:
        """Make a key as *wanted*, and tell the audit log so, if so it is. Raises `Refusal`.

        *prefix* is how it begins, for those who know keys by that.
        """
        check_scopes(wanted.scopes)
        if wanted.parent is not None:
            check_descendant(wanted.parent, wanted)
        now = milliseconds()
        account_id = wanted.account_id
        if account_id is None:
            account_id = new_id()
            await self._store.account(account_id, wanted.name, dev=self._dev, now=now)
        elif await self._store.find_account(account_id) is None:
            raise invalid("no such account", param="account_id")
        secret, digest, hint = _generate(prefix)
        parent = wanted.parent
        key = Key(
            id=new_id(),
            account_id=account_id,
            name=wanted.name,
            scopes=wanted.scopes,
            models=wanted.models,
            routes=wanted.routes,
            owner=wanted.owner,
            organization=wanted.organization,
            rate=wanted.rate,
            rates_above=rates_of(parent) if parent else {},
            ancestors=(parent.id, *parent.ancestors) if parent else (),
            created_at=now,
            expires_at=wanted.expires_at,
            hint=hint,
            unread=wanted.unread,
        )
        if deed is not None:
            deed = replace(deed, resource_id=key.id, account_id=account_id)
        try:
            await self._store.add_key(key, _secret(key, digest, hint), deed)
        except AncestorRevoked:
            raise _revoked() from None
        except TooManyDescendants:
            raise Refusal(
                "conflict",
                f"{MOST_DESCENDANTS} keys descend from one of those that this one does; revoke"
                " some, or wait a day",
                code="too_many_keys",
                repeatable=False,
            ) from None
        return key, secret

    async def rotate(self, key_id: str, deed: Deed, *, overlap: float) -> tuple[Key, Secret]:
        """Give a key a new secret; the old one works for *overlap* more seconds."""
        key = await self._active(key_id)
        now = milliseconds()
        secret, digest, hint = _generate()
        deed = replace(deed, account_id=key.account_id)
        new = _secret(key, digest, hint)
        await self._store.rotate_key(new, now + int(overlap * 1000), deed)
        self._forget(key_id)
        return replace(key, hint=hint), secret

    async def revoke(self, key_id: str, deed: Deed) -> Key:
        """Revoke a key and all that descend from it, at once; return what is left of it."""
        key, now = await self._active(key_id), milliseconds()
        await self._store.revoke_key(key_id, now, replace(deed, account_id=key.account_id))
        self._forget(key_id)
        return replace(key, revoked_at=now)

    def forget_account(self, account_id: str) -> None:
        """Look the keys of an account up again: something about it has changed."""
        self._drop(lambda key: key.account_id == account_id)

    async def _active(self, key_id: str) -> Key:
        """The key of this id. Raises `Refusal` for none, or a revoked one."""
        key = await self._store.key(key_id)
        if key is None:
            raise Refusal("not_found", f"there is no key with the id {key_id!r}", code="not_found")
        if key.revoked_at is not None:
            raise Refusal("conflict", "this key was revoked before", code="already_revoked")
        return key

    def _forget(self, key_id: str) -> None:
        self._drop(lambda key: key_id == key.id or key_id in key.ancestors)

    def _drop(self, concerns: Callable[[Key], bool]) -> None:
        for digest in [digest for digest, key in self._known.items() if concerns(key)]:
            del self._known[digest]


_CONTROL = Key(
    id="control",
    account_id="control",
    name="commands",
    scopes=frozenset({"admin", "control"}),  # no other key can have the latter
    created_at=0,
)
"""Whoever read the running server's lock file: the commands of its own machine."""


def is_control(key: Key) -> bool:
    """Whether a request comes from the commands of the server's own machine."""
    return key is _CONTROL


def _heed(touching: asyncio.Future[None]) -> None:
    if not touching.cancelled() and (error := touching.exception()) is not None:
        _log.warning("a key's last use could not be recorded: %s", error)


def _generate(prefix: str = _PREFIX) -> tuple[Secret, bytes, str]:
    """A new secret, its digest, and how it begins."""
    hint = prefix + secrets.token_hex(5)
    value = hint + secrets.token_urlsafe(32)
    value += urlsafe_b64encode(hashlib.sha256(value.encode()).digest())[:6].decode()
    return Secret(value), hashlib.sha256(value.encode()).digest(), hint


def _secret(key: Key, digest: bytes, hint: str) -> ApiSecret:
    return ApiSecret(key_id=key.id, digest=digest, hint=hint, created_at=milliseconds())


def _revoked() -> Refusal:
    return _unauthenticated("this API key was revoked", "revoked_api_key")


def _unauthenticated(message: str, code: str) -> Refusal:
    return Refusal("unauthenticated", message, code=code)
