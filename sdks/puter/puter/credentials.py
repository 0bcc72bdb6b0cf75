"""Who a client is, and where it says so."""

from __future__ import annotations

import os
from typing import cast

from chatloom.core.errors import SettingsError
from chatloom.core.secret import Secret
from puter.exceptions import PuterAuthError

__all__ = ["Credentials", "Token"]


class Token(Secret):
    """The token of a client as it is now; empty while there is none."""

    __slots__ = ()

    def __init__(self, token: Secret | None) -> None:
        super().__init__(token.reveal() if token else "")

    def replace(self, token: str) -> None:
        """Sign with *token* from now on; with an empty one, not at all."""
        self._value = token  # at once: no other thread sees half of it

    def now(self) -> Secret | None:
        """The token as it stays for one request."""
        value = self._value
        return Secret(value) if value else None

    def __bool__(self) -> bool:
        return True  # the engine asks for no policy where there is no key


class Credentials:
    """What somebody logs in with, and what came of it.

    What is not given is found in ``PUTER_TOKEN``, else in ``PUTER_USERNAME`` and
    ``PUTER_PASSWORD``. Raises `SettingsError` for what is no text.
    """

    def __init__(
        self, username: str | None, password: str | Secret | None, token: str | Secret | None
    ) -> None:
        if not isinstance(cast("object", username), str | None):
            raise SettingsError(f"username must be text, not {type(username).__name__}")
        self.given = _secret("token", token)
        if self.given is None and username is None and not os.environ.get("PUTER_TOKEN"):
            username = os.environ.get("PUTER_USERNAME") or None
            password = password or os.environ.get("PUTER_PASSWORD") or None
        self.username = username
        self.password = _secret("password", password)
        self.token = Token(self.given)
        self.is_needed = True
        """Whether nobody is let in without a token."""
        self.second_factor: Secret | None = None
        """What a login that waits for its second factor is known by."""
        self.refusal: PuterAuthError | None = None
        """Why the last login failed; the same is not tried again by itself."""

    def find(self, token: Secret | None, *, is_needed: bool) -> None:
        """Sign with a *token* that was found elsewhere, unless somebody is to log in."""
        if self.username is None:
            self.token = Token(token)
        self.is_needed = is_needed

    @property
    def has_to_log_in(self) -> bool:
        """Whether a call wants a token that is not there yet."""
        return self.token.now() is None and (self.password is not None or self.is_needed)

    def forget(self) -> None:
        """Drop all that is secret."""
        self.token.replace("")
        self.given = self.password = self.second_factor = None

    def __del__(self) -> None:
        if hasattr(self, "token"):
            self.forget()


def _secret(name: str, value: str | Secret | None) -> Secret | None:
    """Hide a credential. Raises `SettingsError` for what is no text."""
    if not isinstance(cast("object", value), str | Secret | None):
        raise SettingsError(f"{name} must be text, not {type(value).__name__}")
    hidden = Secret(value) if isinstance(value, str) else value
    return hidden or None
