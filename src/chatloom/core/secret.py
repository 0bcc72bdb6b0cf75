"""Values that must not be seen."""

from __future__ import annotations

from typing import NoReturn, cast

from chatloom.core.errors import SettingsError


class Secret:
    """Holds a credential; only `reveal` shows it, and it refuses to be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Show the value itself."""
        return self._value

    def now(self) -> Secret | None:
        """It, as it stays for one call; `None` where there is none."""
        return self or None

    def __repr__(self) -> str:
        return "Secret('…')"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest

        return compare_digest(self._value.encode(), other._value.encode())

    # No __hash__ beside __eq__: a secret is no key of a cache.

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class CurrentKey(Secret):
    """The key of a client, which may be replaced while it lives; empty while there is none.

    A call has one key, however often it is sent: see `chatloom.policies.keyed`.
    """

    __slots__ = ()

    def __init__(self, key: str | Secret | None) -> None:
        super().__init__("")
        self.replace(key)

    def replace(self, key: str | Secret | None) -> None:
        """Sign with *key* from now on; with `None`, not at all. Raises `SettingsError`."""
        value = key.reveal() if isinstance(key, Secret) else key or ""
        if not isinstance(cast("object", value), str):
            raise SettingsError(f"api_key must be text, not {type(value).__name__}")
        self._value = value  # at once: no other thread sees half of it

    def now(self) -> Secret | None:
        """It, as it stays for one call; `None` where there is none."""
        value = self._value
        return Secret(value) if value else None

    def __bool__(self) -> bool:
        return True  # the engine asks for no policy where there is no key
