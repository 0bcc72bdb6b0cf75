"""Passwords: kept as Argon2id, and never as what they are.

Hashing takes a good part of a tenth of a second and 64 MiB on purpose. So few
are hashed at once, in threads of their own, and few more may wait: logging in
takes nothing from whoever is being answered.
"""

from __future__ import annotations

import asyncio
import os
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from chatloom.core.secret import Secret
from chatloom.server.refusal import Refusal

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

AT_ONCE = 2
"""Passwords that are hashed at the same time."""
MOST_WAITING = 50
"""Requests that may wait for that, some seconds' worth."""


class Passwords:
    """Hashes passwords, and tells whether one is right."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="chatloom-passwords")
        self._waiting = 0

    async def hash(self, password: Secret) -> Secret:
        """What is kept of *password*. Raises `Refusal` where too many wait."""
        return await self._apart(lambda: Secret(self._hasher.hash(_bytes(password))))

    async def match(self, kept: Secret | None, password: Secret) -> bool:
        """Whether *kept* is of *password*; where there is none, that takes as long to tell.

        Raises `Refusal` where too many wait.
        """
        return await self._apart(lambda: self._matches(kept, password))

    def is_outdated(self, kept: Secret) -> bool:
        """Whether *kept* was made in an older, weaker way."""
        return self._hasher.check_needs_rehash(kept.reveal())

    def close(self) -> None:
        """Begin no more; what is being hashed ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    @cached_property
    def _hasher(self) -> PasswordHasher:
        """Made where it is first needed, since most servers need none."""
        from argon2 import PasswordHasher

        return PasswordHasher()

    @cached_property
    def _nobodys(self) -> str:
        """What no password matches, in the form of what is kept of one."""
        made = self._hasher
        salt, hash = _base64(os.urandom(made.salt_len)), _base64(os.urandom(made.hash_len))
        costs = f"m={made.memory_cost},t={made.time_cost},p={made.parallelism}"
        return f"$argon2id$v=19${costs}${salt}${hash}"

    def _matches(self, kept: Secret | None, password: Secret) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError

        told = self._nobodys if kept is None else kept.reveal()
        try:
            return self._hasher.verify(told, _bytes(password)) and kept is not None
        except (VerificationError, InvalidHashError):
            return False

    async def _apart(self, work: Callable[[], T]) -> T:
        if self._waiting >= AT_ONCE + MOST_WAITING:
            raise Refusal(
                "unavailable",
                "too many people are logging in at this moment; try again",
                code="too_many_logins",
                retry_after=2,
                repeatable=True,
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1


def _bytes(password: Secret) -> bytes:
    """The same for the same password, however its letters were typed (RFC 8265, 4.2)."""
    return unicodedata.normalize("NFC", password.reveal()).encode()


def _base64(chance: bytes) -> str:
    return b64encode(chance).decode().rstrip("=")
