"""Connections to an address that was checked, and to none other."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from chatloom.server.egress.networks import IP
from chatloom.transports.aio.connection import Connection
from chatloom.transports.aio.limits import Limits

Dial: TypeAlias = "Callable[[IP, int, ssl.SSLContext | None, str], Awaitable[Connection]]"
"""Connect to an address and port; with TLS, to nobody but the name."""


async def dial(address: IP, port: int, context: ssl.SSLContext | None, name: str) -> Connection:
    """Connect to *address* itself: no name is looked up, no proxy asked.

    Raises `OSError`, as `ssl.SSLError` is one, or `Garbled`.
    """
    connection = Connection(Limits())
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    # The flag forbids what a numeric address makes unnecessary: asking a name server.
    await asyncio.get_running_loop().create_connection(
        lambda: connection, str(address), port, family=family, flags=socket.AI_NUMERICHOST
    )
    if context is not None:
        try:
            await connection.encrypt(context, name)
        except BaseException:
            connection.close()
            raise
    return connection
