"""What receivers of webhooks see, checked by mypy and pyright. Never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from email.message import Message
from typing import Any, assert_type

from starlette.datastructures import Headers as StarletteHeaders

from chatloom import ChatloomError
from chatloom.core.http import JSON
from chatloom.webhooks import (
    Event,
    Headers,
    Reason,
    WebhookVerificationError,
    sign,
    signed,
    verify,
)


def receiving(headers: Headers, body: bytes, text: str) -> None:
    event = verify(headers, body, "secret")
    assert_type(event, Event)
    assert_type(event.id, str)
    assert_type(event.type, str)
    assert_type(event.timestamp, datetime)
    assert_type(event.data, dict[str, JSON])
    verify(headers, text, ["new", "old"], tolerance=60, now=0.0)


def shapes(
    names: Mapping[str, str],
    odd: dict[str, Any],
    starlette: StarletteHeaders,
    message: Message,
    asgi: list[tuple[bytes, bytes]],
) -> None:
    verify(names, b"", "secret")
    verify(odd, b"", "secret")
    verify(starlette, b"", "secret")
    verify(message, b"", "secret")
    verify(asgi, b"", "secret")
    verify(names.items(), b"", "secret")


def refused(error: WebhookVerificationError) -> ChatloomError:
    assert_type(error.reason, Reason)
    return error


def sending() -> None:
    assert_type(sign("id", 0, b"", "secret"), str)
    assert_type(signed("chat.message", {"content": "x"}, "secret"), tuple[dict[str, str], bytes])


def mistakes(names: dict[str, str]) -> None:
    verify(b"", names, "secret")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    verify(names, b"", None)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    verify(names, {}, "secret")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    sign("id", 0.5, b"", "secret")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    event = verify(names, b"", "secret")
    event.type = "x"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
