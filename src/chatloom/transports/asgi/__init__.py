"""An ASGI application in this very process, reached without sockets."""

from chatloom.transports.asgi.application import Application
from chatloom.transports.asgi.hosted import Hosted
from chatloom.transports.asgi.transport import AsgiTransport

__all__ = ["Application", "AsgiTransport", "Hosted"]
