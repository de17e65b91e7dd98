"""Metrics, traces and alarms of a client: `observe` tells a meter and a tracer what happens to it.

`PrometheusMeter` needs the ``prometheus`` extra, `OpenTelemetryMeter` and `OpenTelemetryTracer` the ``otel`` extra.
"""

from telnyx_drivers.telemetry.alarms import Alarm, Alarms
from telnyx_drivers.telemetry.gateway import observe_gateway
from telnyx_drivers.telemetry.instruments import INSTRUMENTS, Instrument, Meter
from telnyx_drivers.telemetry.observer import Tracer, observe
from telnyx_drivers.telemetry.otel import OpenTelemetryMeter, OpenTelemetryTracer
from telnyx_drivers.telemetry.prometheus import PrometheusMeter
from telnyx_drivers.telemetry.webhook import Webhook, verify

__all__ = [
    "INSTRUMENTS",
    "Alarm",
    "Alarms",
    "Instrument",
    "Meter",
    "OpenTelemetryMeter",
    "OpenTelemetryTracer",
    "PrometheusMeter",
    "Tracer",
    "Webhook",
    "observe",
    "observe_gateway",
    "verify",
]
