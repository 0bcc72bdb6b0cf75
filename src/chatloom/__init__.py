"""One engine, five drop-in chat SDKs, and a server that speaks all five protocols.

This distribution holds the engine and the server; each SDK is a small
distribution of its own, so that nobody gets an import name unasked.
"""

from chatloom.core.errors import (
    AnswerError,
    ChatloomError,
    ConnectError,
    ConnectTimedOut,
    SettingsError,
    StatusError,
    StreamError,
    TimedOut,
    TransportError,
    Truncated,
)

__all__ = [
    "AnswerError",
    "ChatloomError",
    "ConnectError",
    "ConnectTimedOut",
    "SettingsError",
    "StatusError",
    "StreamError",
    "TimedOut",
    "TransportError",
    "Truncated",
]

__version__ = "0.1.0"
