"""A world to fetch from: names, addresses, and who answers there.

What is connected to is written down; the bytes themselves come from one server
on this machine, whatever address was asked for. So public addresses can be
reached in tests that reach no network.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from ipaddress import ip_address

from chatloom.server.egress import Egress, EgressSettings, FetchLimits
from chatloom.server.egress.dialling import dial
from chatloom.server.egress.networks import IP
from chatloom.transports.aio.connection import Connection

HERE = ip_address("127.0.0.1")
PUBLIC = "93.184.215.14"
PUBLIC_6 = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
OTHER = "151.101.1.140"
PRIVATE = "10.0.0.7"


class World:
    """Who has which addresses, and what was asked of whom.

    A name has a row of answers: each look-up takes the next one, the last stays.
    """

    def __init__(self, port: int = 0, **names: Sequence[Sequence[str]]) -> None:
        self.port = port
        self.names = {f"{name.replace('_', '.')}.": list(rows) for name, rows in names.items()}
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int, str]] = []
        """Address, port, and the name that a certificate has to be for."""
        self.dead: set[str] = set()
        self.open: list[Connection] = []

    async def resolve(self, name: str) -> Sequence[str]:
        self.looked_up.append(name)
        rows = self.names.get(name, [[]])
        return rows.pop(0) if len(rows) > 1 else rows[0]

    async def connect(
        self, address: IP, port: int, context: ssl.SSLContext | None, name: str
    ) -> Connection:
        self.connected.append((str(address), port, name))
        if not self.port or str(address) in self.dead:
            raise ConnectionRefusedError
        connection = await dial(HERE, self.port, context, name)
        self.open.append(connection)
        return connection

    def guard(
        self,
        settings: EgressSettings | None = None,
        *,
        dev: bool = False,
        ssl_context: ssl.SSLContext | None = None,
    ) -> Egress:
        return Egress(
            settings, dev=dev, resolve=self.resolve, connect=self.connect, ssl_context=ssl_context
        )

    @property
    def is_closed(self) -> bool:
        """Whether no connection is left."""
        return not any(connection.is_fresh for connection in self.open)

    @property
    def addresses(self) -> list[str]:
        return [address for address, _, _ in self.connected]


def world(port: int = 0) -> World:
    """One with ``a.example.com`` and ``b.example.com`` at public addresses."""
    return World(port, a_example_com=[[PUBLIC]], b_example_com=[[OTHER]])


BRIEF = FetchLimits(connect=5, idle=0.2, total=5)
"""For those who fall silent."""
SHORT = FetchLimits(connect=5, idle=5, total=0.3)
"""For those who never do."""
