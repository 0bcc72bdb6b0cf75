"""Somebody who has webhooks, at a running server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from support.http import Answer, Caller

PATIENCE = 60.0
"""Seconds until something that should happen is given up."""
QUIET = "https://hooks.example.com/x?token=canary"
"""An address that nothing is ever sent to in these tests; it holds a secret of its own."""
NEVER = ["subscription.cancelled"]
"""Events that never happen there."""


@dataclass(frozen=True)
class Owner:
    """Somebody with a key."""

    server: Caller
    key: str
    at: str = "/v1/webhooks"

    def call(
        self,
        method: str,
        below: str = "",
        body: object = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Ask something of webhooks."""
        return self.server.call(method, self.at + below, body, key=self.key, headers=headers)

    def told(self, method: str, below: str = "", body: object = None) -> Any:
        """An answer that must be a success."""
        answer = self.call(method, below, body)
        assert answer.status in {200, 201}, answer.body
        return answer.json

    def make(self, url: str = QUIET, events: list[str] | None = None, **fields: object) -> Any:
        """Have events told, as a rule none that happen."""
        return self.told("POST", "", {"url": url, "events": events or NEVER, **fields})

    def ids(self) -> list[str]:
        """What is listed."""
        return [one["id"] for one in self.told("GET")["webhooks"]]

    def attempted(self, id: str, event_id: str, count: int = 1) -> Any:
        """What became of an event, once it was attempted so often."""
        for _ in _patiently():
            found = self.told("GET", f"/{id}/deliveries?event_id={event_id}")["deliveries"]
            if found and len(found[0]["attempts"]) >= count:
                return found[0]
        raise AssertionError(f"{event_id} was not attempted {count} times")

    def wait_for(self, id: str, *, active: bool) -> None:
        """Wait until a webhook is active, or is not."""
        for _ in _patiently():
            if self.told("GET", f"/{id}")["active"] is active:
                return
        raise AssertionError(f"{id} did not change")


def _patiently() -> Iterator[None]:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        yield
        time.sleep(0.02)
