"""Async HTTP on `aiohttp`, a session for each event loop."""

from chatloom.transports.aio.transport import AioTransport

__all__ = ["AioTransport"]
