"""Who a client is, and where it says so."""

from __future__ import annotations

import os
from typing import cast

from chatloom.core.errors import SettingsError
from chatloom.core.secret import CurrentKey, Secret
from puter.exceptions import PuterAuthError

__all__ = ["Credentials"]


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
        known = os.environ.get("PUTER_USERNAME") or None
        if self.given is None and username is None and not os.environ.get("PUTER_TOKEN"):
            username = known
        if self.given is None and username is not None and known in {None, username}:
            password = password or os.environ.get("PUTER_PASSWORD") or None
        self.username = username
        self.password = _secret("password", password)
        self.token = CurrentKey(self.given)
        self.is_needed = True
        """Whether nobody is let in without a token."""
        self.second_factor: Secret | None = None
        """What a login that waits for its second factor is known by."""
        self.refusal: PuterAuthError | None = None
        """Why the last login failed; the same is not tried again by itself."""

    def find(self, token: Secret | None, *, is_needed: bool) -> None:
        """Sign with a *token* that was found elsewhere, unless somebody is to log in."""
        if self.username is None:
            self.token = CurrentKey(token)
        self.is_needed = is_needed

    @property
    def has_to_log_in(self) -> bool:
        """Whether a call wants a token that is not there yet."""
        return self.token.now() is None and (self.password is not None or self.is_needed)

    def forget(self) -> None:
        """Drop all that is secret."""
        self.token.replace(None)
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
