"""What a client has sent and used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import msgspec

from chatloom.core.locks import Lock
from chatloom.policies.meter import Call, End, Measured

__all__ = ["ModelUsage", "Usage"]


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """What was used of one model, or of all of them."""

    requests: int = 0
    """Calls of the service, with their repetitions; a question with rounds of tools is several."""
    failures: int = 0
    left: int = 0
    """Streams and calls that their caller gave up."""
    attempts: int = 0
    """How often anything was sent, repetitions included."""
    input_tokens: int = 0
    output_tokens: int = 0
    seconds: float = 0.0
    """How long all of them took together."""

    @property
    def success_rate(self) -> float:
        """The share of requests that were answered; 1 where there was none."""
        return 1 - (self.failures + self.left) / self.requests if self.requests else 1.0

    def after(self, measured: Measured) -> ModelUsage:
        """Count one more."""
        return ModelUsage(
            requests=self.requests + 1,
            failures=self.failures + (measured.outcome == "error"),
            left=self.left + (measured.outcome == "left"),
            attempts=self.attempts + measured.attempts,
            input_tokens=self.input_tokens + (measured.tokens.input or 0),
            output_tokens=self.output_tokens + (measured.tokens.output or 0),
            seconds=self.seconds + measured.duration,
        )


class Usage(ModelUsage, frozen=True, kw_only=True):
    """What a client has used so far."""

    models: Mapping[str, ModelUsage] = {}
    """The same by the model that was asked for."""


class Tally:
    """Counts what one client sends; an exporter of its meter."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._all = ModelUsage()
        self._models: dict[str, ModelUsage] = {}

    def begin(self, call: Call, /) -> End:
        """Take note of a call, to count it at its end."""
        return partial(self._add, call.model)

    def _add(self, model: str | None, measured: Measured) -> None:
        with self._lock:
            self._all = self._all.after(measured)
            if model is not None:
                self._models[model] = self._models.get(model, ModelUsage()).after(measured)

    @property
    def told(self) -> Usage:
        """What was counted so far."""
        with self._lock:
            return Usage(**msgspec.structs.asdict(self._all), models=dict(self._models))
