"""Whom to trust."""

from __future__ import annotations

import ssl


def default_context() -> ssl.SSLContext:
    """Trust whom the system trusts, or whom ``SSL_CERT_FILE`` names."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
