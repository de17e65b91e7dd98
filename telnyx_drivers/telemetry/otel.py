"""Metrics and spans by OpenTelemetry's interface; where they go is for the application's SDK to say."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Self, assert_never

from attrs import frozen

from telnyx_core._version import VERSION
from telnyx_drivers.telemetry.instruments import INSTRUMENTS, Instrument

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span as OtelSpan
    from opentelemetry.trace import Tracer as OtelTracer
    from opentelemetry.trace import TracerProvider

_SCOPE: Final = "telnyx_rtc"


class OpenTelemetryMeter:
    """A `Meter` on a ``MeterProvider``; without one, on the global one. Needs the extra ``otel``."""

    def __init__(self, provider: "MeterProvider | None" = None) -> None:
        from opentelemetry.metrics import get_meter

        meter = get_meter(_SCOPE, VERSION, meter_provider=provider)
        self._measure: dict[str, Callable[[float, dict[str, str]], None]] = {}
        for each in INSTRUMENTS:
            name, unit, description = each.name, each.unit, each.description
            match each.kind:
                case "counter":
                    self._measure[name] = meter.create_counter(name, unit, description).add
                case "updown":
                    self._measure[name] = meter.create_up_down_counter(name, unit, description).add
                case "histogram":
                    bounds = list(each.buckets)
                    histogram = meter.create_histogram(
                        name, unit, description, explicit_bucket_boundaries_advisory=bounds
                    )
                    self._measure[name] = histogram.record
                case _:
                    assert_never(each.kind)

    def measure(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """As `Meter.measure`."""
        self._measure[instrument.name](value, dict(attributes))


class OpenTelemetryTracer:
    """A `Tracer` on a ``TracerProvider``; without one, on the global one. Needs the extra ``otel``."""

    def __init__(self, provider: "TracerProvider | None" = None) -> None:
        from opentelemetry.trace import get_tracer

        self._tracer = get_tracer(_SCOPE, VERSION, tracer_provider=provider)

    def begin(self, name: str, at: float, attributes: Mapping[str, str]) -> "_Span":
        """As `Tracer.begin`."""
        return _Span.begun(self._tracer, None, name, at, attributes)


@frozen
class _Span:
    """Implements `Span`."""

    _tracer: "OtelTracer"
    _span: "OtelSpan"

    @classmethod
    def begun(
        cls, tracer: "OtelTracer", parent: "OtelSpan | None", name: str, at: float, attributes: Mapping[str, str]
    ) -> Self:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        context = Context() if parent is None else set_span_in_context(parent, Context())
        given = dict(attributes)
        return cls(tracer, tracer.start_span(name, context, attributes=given, start_time=_nanoseconds(at)))

    def begin(self, name: str, at: float, attributes: Mapping[str, str]) -> "_Span":
        return _Span.begun(self._tracer, self._span, name, at, attributes)

    def end(self, at: float, attributes: Mapping[str, str], error: str | None) -> None:
        from opentelemetry.trace import Status, StatusCode

        self._span.set_attributes(dict(attributes))
        if error is not None:
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(_nanoseconds(at))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
