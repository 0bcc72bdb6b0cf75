"""Why nothing was fetched, by what the caller can do about it.

    EgressError
    ├── EgressRefused     it was not sent, or not followed: another address is needed
    ├── EgressFailed      the other side did not answer as one should; it may later
    ├── EgressTimedOut    it took too long (also a TimeoutError)
    └── EgressTooLarge    there is more of it than was asked for

Reasons and messages may be told to whoever named the address. So they never hold
an address that a name led to, nor a place that only a redirect named, and never
tell a name that leads into somebody's network from one that leads nowhere.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal[
    "url",
    "scheme",
    "credentials",
    "host",
    "port",
    "not_public",
    "header",
    "downgrade",
    "redirect",
    "too_many_redirects",
    "closed",
    "unresolved",
    "unreachable",
    "untrusted",
    "garbled",
    "encoding",
    "lost",
    "busy",
    "connect",
    "silent",
    "total",
    "body",
]
"""What exactly it was, for programs."""

_MESSAGES: dict[Reason, str] = {
    "url": "this is not an address that can be fetched",
    "scheme": "only http:// and https:// addresses are fetched",
    "credentials": "an address must not hold a user name or password",
    "host": "the host is not spelled the one way that everybody reads alike",
    "port": "this port is not among those that may be reached",
    "not_public": "the host has no public address",
    "header": "a header cannot be sent",
    "downgrade": "it redirects from https:// to http://",
    "redirect": "it redirects to where it may not be followed",
    "too_many_redirects": "it redirects too often",
    "closed": "the server is stopping",
    "unresolved": "the host's name cannot be looked up at the moment",
    "unreachable": "no connection to the host came about",
    "untrusted": "no secure connection to the host came about",
    "garbled": "the host's answer is not HTTP",
    "encoding": "the answer is packed in a way that is not understood",
    "lost": "the connection was lost before the end of the answer",
    "busy": "too much else is being fetched",
    "connect": "connecting to the host took too long",
    "silent": "the host was silent for too long",
    "total": "fetching took too long",
    "body": "the answer is too large",
}


class EgressError(Exception):
    """Nothing was fetched, or not all of it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason

    @property
    def message(self) -> str:
        """One clause, fit for whoever named the address."""
        return _MESSAGES[self.reason]

    def __str__(self) -> str:
        return self.message


class EgressRefused(EgressError):
    """The address may not be fetched from here, or not with this request."""


class EgressFailed(EgressError):
    """The other side could not be reached, or broke the rules, or broke off."""


class EgressTimedOut(EgressError, TimeoutError):
    """One of the limits on time was reached."""


class EgressTooLarge(EgressError):
    """The body, as sent or once unpacked, is larger than was asked for."""
