"""Cassettes: what goes over the wire, recorded into a file and played from it."""

from chatloom.transports.recorded.cassette import Cassette
from chatloom.transports.recorded.replay import NotRecorded
from chatloom.transports.recorded.transport import recorded

__all__ = ["Cassette", "NotRecorded", "recorded"]
