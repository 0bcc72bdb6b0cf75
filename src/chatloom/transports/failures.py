"""What went wrong on the wire, in the same words whatever carried the request."""

from __future__ import annotations

import os
from typing import TypeAlias

from chatloom.core.errors import ConnectError, ConnectTimedOut, TimedOut, TransportError, refused
from chatloom.core.http import Request
from chatloom.transports.address import Address
from chatloom.transports.proxies import Proxy

Place: TypeAlias = "Address | Proxy"

OVERDUE = "its deadline passed"
CLIENT_CLOSED = "the client was closed"
ELSEWHERE = "it belongs to another event loop"


class Garbled(Exception):
    """What arrived is not what it claims to be."""


def timed_out(request: Request, what: str) -> TimedOut:
    return TimedOut(f"{request} timed out: {what}")


def no_connection_in_time(request: Request, place: Place) -> ConnectTimedOut:
    within = request.timeouts.connect or 0
    what = f"no connection to {_named(place)} within {within:g} s"
    return ConnectTimedOut(f"{request} timed out: {what}")


def silence(seconds: float | None) -> str:
    return f"nothing arrived for {seconds or 0:g} s"


def lost(request: Request, reason: str) -> TransportError:
    return TransportError(f"{request} was lost: {reason}")


def unreachable(request: Request, place: Place, error: Exception) -> ConnectError:
    """Say why no connection to *place* came about."""
    reason = reason_of(error)
    if isinstance(error, ConnectionRefusedError) and isinstance(place, Address):
        return refused(request, place.host, place.port, reason)
    return ConnectError(f"{request} could not connect to {_named(place)}: {reason}")


def unresolved(error: OSError) -> OSError:
    """Say that a name has no address, in place of the system's *error*."""
    return OSError(f"the name cannot be resolved ({error.strerror})")


def reason_of(error: Exception) -> str:
    """Say in one line what *error* is about, and nothing that was sent."""
    import ssl  # late: a client of an application in this process never needs it

    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted ({error.verify_message});"
            " SSL_CERT_FILE can name the authority to trust"
        )
    if isinstance(error, ssl.SSLError):
        return f"no secure connection ({error.reason or 'the other side hung up'})"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _named(place: Place) -> str:
    kind = "the proxy " if isinstance(place, Proxy) else ""
    return f"{kind}{place.host}:{place.port}"
