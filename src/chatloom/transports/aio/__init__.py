"""Async HTTP on the event loop itself, with connections of its own for each loop."""

from chatloom.transports.aio.transport import AioTransport

__all__ = ["AioTransport"]
