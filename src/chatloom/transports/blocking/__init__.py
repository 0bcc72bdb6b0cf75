"""Blocking HTTP: a thin thread-safe pool on the standard library's `http.client` and `ssl`."""

from chatloom.transports.blocking.transport import BlockingTransport

__all__ = ["BlockingTransport"]
