"""A value that must not be seen."""

from __future__ import annotations

from typing import NoReturn


class Secret:
    """Holds a credential; only `reveal` shows it, and it refuses to be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Show the value itself."""
        return self._value

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
