"""HTTP over a client of the user's own: one of `httpx` or `httpx2`, which stays the user's."""

from chatloom.transports.httpx.clients import HttpxClient
from chatloom.transports.httpx.transport import httpx_transport

__all__ = ["HttpxClient", "httpx_transport"]
