"""Blocking HTTP: a thin thread-safe pool on the standard library's `socket` and `ssl`."""

from chatloom.transports.blocking.transport import BlockingTransport

__all__ = ["BlockingTransport"]
