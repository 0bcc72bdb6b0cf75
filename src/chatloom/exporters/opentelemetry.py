"""Tell OpenTelemetry: a span for each call, and three histograms.

Names are those of the GenAI conventions, see `chatloom.exporters.genai`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from chatloom import __version__
from chatloom.core.errors import SettingsError
from chatloom.exporters import genai
from chatloom.policies.meter import Call, Measured

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


class OpenTelemetry:
    """Opens a CLIENT span where a call is made, and closes it where that ends.

    Goes to the global providers unless others are given. What is said becomes an
    attribute only if the `Meter` tells content. Raises `SettingsError` where
    ``opentelemetry-api`` is missing.
    """

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise SettingsError(
                "this exporter needs opentelemetry-api: pip install 'chatloom[otel]'"
            ) from error
        about = ("chatloom", __version__)
        self._trace = trace
        self._tracer = trace.get_tracer(*about, tracer_provider, genai.SCHEMA_URL)
        meter = metrics.get_meter(*about, meter_provider, genai.SCHEMA_URL)
        self._durations = meter.create_histogram(
            genai.CLIENT_OPERATION_DURATION,
            "s",
            "GenAI operation duration.",
            explicit_bucket_boundaries_advisory=genai.SECONDS,
        )
        self._first_chunks = meter.create_histogram(
            genai.CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
            "s",
            "Time to receive the first chunk.",
            explicit_bucket_boundaries_advisory=genai.SECONDS,
        )
        self._tokens = meter.create_histogram(
            genai.CLIENT_TOKEN_USAGE,
            "{token}",
            "Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=genai.TOKENS,
        )

    def begin(self, call: Call, /) -> Callable[[Measured], None]:
        """Open a span beneath the caller's."""
        trace = self._trace
        span = self._tracer.start_span(
            genai.span_name(call), kind=trace.SpanKind.CLIENT, attributes=genai.asked(call)
        )
        context = trace.set_span_in_context(span)  # so that exemplars find it

        def end(measured: Measured) -> None:
            span.set_attributes(genai.answered(measured))
            if measured.outcome == "error":
                reason = str(measured.error) if measured.error is not None else None
                span.set_status(trace.StatusCode.ERROR, reason)
            span.end()
            dimensions = genai.dimensions(call, measured)
            self._durations.record(measured.duration, dimensions, context)
            if measured.first_piece is not None:
                self._first_chunks.record(measured.first_piece, dimensions, context)
            tokens = measured.tokens
            for kind, count in (("input", tokens.input), ("output", tokens.output)):
                if count is not None:
                    self._tokens.record(count, {**dimensions, genai.TOKEN_TYPE: kind}, context)

        return end
