"""Certificate authorities nobody else knows."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Authority:
    """An authority, the servers it vouches for, and the clients that trust it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.bundle = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(self.bundle))

    def server(self, name: str = "127.0.0.1") -> ssl.SSLContext:
        chain = self._folder / f"{name}.pem"
        self._authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(str(chain))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.bundle))
