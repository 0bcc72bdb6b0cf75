"""What the operator may allow, and what a feature may ask for."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Port = Annotated[int, Meta(ge=1, le=65535)]


class EgressSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the server may go on somebody's word, beside public addresses."""

    allow: list[str] = []
    """Exceptions: ``10.0.0.0/8``, ``127.0.0.1:8080``, ``[fd00::1]:80`` or ``search.internal``.

    One without a port holds for `ports`. A network holds whatever name led there. A name is
    trusted wherever it leads within private networks, so list only names that are yours.
    """
    deny: list[str] = []
    """Networks that nobody reaches, allowed or not: public addresses of one's own, for instance."""
    ports: tuple[_Port, ...] = (80, 443)
    """Those that are reached at public hosts."""
    allow_loopback: bool = False
    """Whether ``localhost`` and loopback addresses, named as such, are reached at any port."""
    most_at_once: Annotated[int, Meta(ge=1, le=10_000)] = 32
    """Requests on their way at the same time; others wait for their turn."""
    most_per_host: Annotated[int, Meta(ge=1, le=10_000)] = 4


class FetchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How much of time, bytes and patience one fetch may take."""

    connect: float = 10.0
    """Seconds for name, connection and TLS of each hop."""
    idle: float = 15.0
    """Seconds of silence."""
    total: float = 30.0
    """Seconds from asking to the last byte, redirects and waiting for a turn included."""
    body_bytes: int = 5 * 1024 * 1024
    """Of the body once unpacked."""
    redirects: int = 5
    """How many are followed; with 0, a redirect is the answer."""
