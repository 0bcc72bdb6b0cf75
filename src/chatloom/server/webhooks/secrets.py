"""What signs events, as Standard Webhooks has it."""

from __future__ import annotations

import secrets
from base64 import b64encode

from chatloom.core.secret import Secret
from chatloom.server.store.webhooks import SigningSecret

_PREFIX = "whsec_"
_BYTES = 32


def mint_secret(webhook_id: str, now: int) -> SigningSecret:
    """Make a secret for a webhook; it is shown once."""
    value = _PREFIX + b64encode(secrets.token_bytes(_BYTES)).decode("ascii")
    return SigningSecret(webhook_id=webhook_id, value=Secret(value), created_at=now)
