"""One attempt: an event on its way to a webhook, and what it was answered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from chatloom import __version__
from chatloom.core.wait import asked_wait
from chatloom.server.egress import Answer, Egress, EgressError, EgressRefused, FetchLimits
from chatloom.server.ids import milliseconds
from chatloom.server.store.webhooks import Attempt, Due, SigningSecret, Webhook
from chatloom.webhooks import sign

_log = logging.getLogger("chatloom.webhooks")

LONGEST_EXCERPT = 512
"""Bytes of an answer that are kept, to tell its webhook's owner what is wrong."""
_EXCERPT_WITHIN = 2.0
"""Seconds that they may take: by then it is known that the event was not taken."""
_CONNECT_WITHIN = 10.0


class Sent(msgspec.Struct, frozen=True):
    """An attempt, and how long its receiver asked to be left alone, in seconds."""

    attempt: Attempt
    asked_wait: float | None = None


async def send(
    egress: Egress,
    webhook: Webhook,
    secrets: Sequence[SigningSecret],
    due: Due,
    *,
    timeout: float,  # noqa: ASYNC109 - the guard's, which tells what took so long
) -> Sent:
    """Send an event once, signed by *secrets*, newest first.

    Raises `EgressRefused` where the server is stopping, which was no attempt.
    """
    started_at = milliseconds()
    headers = headers_of(webhook, secrets, due, started_at // 1000)
    limits = FetchLimits(
        connect=min(_CONNECT_WITHIN, timeout),
        idle=timeout,
        total=timeout,
        body_bytes=LONGEST_EXCERPT,
        redirects=0,
    )
    status, problem, response, wait = None, None, None, None
    try:
        async with egress.stream(
            "POST", webhook.url, headers=headers, body=due.body, limits=limits
        ) as answer:
            status = answer.status
            if (problem := _problem(status)) is not None:
                wait = asked_wait(answer.headers, milliseconds() / 1000)
                response = await _excerpt(answer)
    except EgressRefused as refusal:
        if refusal.reason == "closed":
            raise
        problem = refusal.message
    except EgressError as error:
        problem = error.message
    except Exception as error:
        # Whatever a stranger's answer provokes here, it is one attempt of his that failed.
        _log.warning("webhook %s was not told: %s", webhook.id, type(error).__name__)
        problem = "it could not be sent there"
    attempt = Attempt(
        number=due.attempts + 1,
        started_at=started_at,
        ended_at=milliseconds(),
        status=status,
        problem=problem,
        response=response,
    )
    return Sent(attempt, wait)


def headers_of(
    webhook: Webhook, secrets: Sequence[SigningSecret], due: Due, timestamp: int
) -> dict[str, str]:
    """What is told around the body: those of Standard Webhooks, and those of Infinity Assistant."""
    signatures = [sign(due.event_id, timestamp, due.body, one.value.reveal()) for one in secrets]
    return {
        "content-type": "application/json",
        "user-agent": f"chatloom-webhooks/{__version__}",
        "accept-encoding": "identity",
        "webhook-id": due.event_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
        "x-infinity-event": due.type,
        "x-infinity-webhook-id": webhook.id,
        "x-infinity-signature": _older_signature(due.body, secrets[0]),
    }


class _Body(msgspec.Struct):
    data: msgspec.Raw


def _older_signature(body: bytes, secret: SigningSecret) -> str:
    """Sign as Infinity Assistant does: ``data`` alone, by the secret as it is written."""
    data = bytes(msgspec.json.decode(body, type=_Body).data)
    return hmac.new(secret.value.reveal().encode(), data, hashlib.sha256).hexdigest()


def _problem(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"it answered {status}, and redirects are not followed"
    return f"it answered {status}"


async def _excerpt(answer: Answer) -> str | None:
    """How an answer begins, on one line; `None` where it has no body, or none that comes."""
    with suppress(EgressError, TimeoutError):
        async with asyncio.timeout(_EXCERPT_WITHIN):
            begun = await answer.read_at_most(LONGEST_EXCERPT)
        text = begun.decode("utf-8", "replace")
        # What is no letter could mean something to whoever's terminal it is shown in.
        shown = "".join(it if it.isprintable() else " " for it in text)
        return " ".join(shown.split()) or None
    return None
