"""Tell Prometheus.

| metric                        | type      | divided by                                   |
| ----------------------------- | --------- | -------------------------------------------- |
| `chatloom_calls_total`        | counter   | provider, operation, model, outcome, error   |
| `chatloom_attempts_total`     | counter   | provider, operation, model                   |
| `chatloom_call_seconds`       | histogram | provider, operation, model                   |
| `chatloom_first_piece_seconds`| histogram | provider, operation, model                   |
| `chatloom_call_tokens`        | histogram | provider, operation, model, type             |

``error`` is a status or the class of an error, and empty where there was none;
``model`` is the one asked for: the caller's own word. After a hundred operations
or errors, the next ones are ``other``.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from chatloom.core.errors import SettingsError
from chatloom.exporters import genai
from chatloom.policies.meter import Call, Measured

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_MOST = 100
_OTHER = "other"


class Prometheus:
    """Counts calls in *registry*, the library's own unless another is given.

    Exporters on one registry share their metrics. Raises `SettingsError` where
    ``prometheus-client`` is missing.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        try:
            from prometheus_client import REGISTRY
        except ImportError as error:
            raise SettingsError(
                "this exporter needs prometheus-client: pip install 'chatloom[prometheus]'"
            ) from error
        self._metrics = _metrics_in(registry or REGISTRY)

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        """Wait for the end; there is nothing to tell before."""

        def end(measured: Measured) -> None:
            self._metrics.note(call, measured)

        return end


class _Metrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        from prometheus_client import Counter, Histogram

        every = ("provider", "operation", "model")
        self._calls = Counter(
            "chatloom_calls",
            "Calls, by how they ended.",
            (*every, "outcome", "error"),
            registry=registry,
        )
        self._attempts = Counter(
            "chatloom_attempts", "Requests sent, repetitions included.", every, registry=registry
        )
        self._seconds = Histogram(
            "chatloom_call_seconds",
            "How long a call took, to the last piece of a streamed answer.",
            every,
            registry=registry,
            buckets=genai.SECONDS,
        )
        self._first_piece = Histogram(
            "chatloom_first_piece_seconds",
            "How long a streamed answer took to begin.",
            every,
            registry=registry,
            buckets=genai.SECONDS,
        )
        self._tokens = Histogram(
            "chatloom_call_tokens",
            "Tokens that a call took.",
            (*every, "type"),
            registry=registry,
            buckets=genai.TOKENS,
        )
        self._operations: set[str] = set()
        self._errors: set[str] = set()

    def note(self, call: Call, measured: Measured) -> None:
        """Count one call."""
        every = (call.provider, _bounded(self._operations, call.operation), call.model or "")
        error = _bounded(self._errors, measured.error_type or "")
        self._calls.labels(*every, measured.outcome, error).inc()
        self._attempts.labels(*every).inc(measured.attempts)
        self._seconds.labels(*every).observe(measured.duration)
        if measured.first_piece is not None:
            self._first_piece.labels(*every).observe(measured.first_piece)
        tokens = measured.tokens
        for kind, count in (("input", tokens.input), ("output", tokens.output)):
            if count is not None:
                self._tokens.labels(*every, kind).observe(count)


def _bounded(known: set[str], value: str) -> str:
    if value not in known:
        if len(known) >= _MOST:
            return _OTHER
        known.add(value)
    return value


_made: WeakKeyDictionary[CollectorRegistry, _Metrics] = WeakKeyDictionary()
_making = Lock()


def _metrics_in(registry: CollectorRegistry) -> _Metrics:
    """Register the metrics, once in each registry: it refuses a name that it has."""
    with _making:
        if registry not in _made:
            _made[registry] = _Metrics(registry)
        return _made[registry]
