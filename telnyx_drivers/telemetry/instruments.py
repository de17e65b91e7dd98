"""What is measured: one table, from which every meter is made and which the dashboard is checked against.

Names and units follow OpenTelemetry's semantic conventions: dots between namespaces, seconds, shares from 0 to 1. For
Prometheus they are translated as OpenTelemetry's own exporter does.
"""

from collections.abc import Mapping
from typing import Final, Literal, Protocol, TypeAlias

from attrs import frozen

Kind: TypeAlias = Literal["counter", "updown", "histogram"]


@frozen(kw_only=True)
class Instrument:
    """One thing that is measured."""

    name: str
    """Of OpenTelemetry: ``telnyx_rtc.call.setup.duration``."""
    kind: Kind
    """``counter``: only grows; ``updown``: may shrink; ``histogram``: a distribution."""
    unit: str
    """In UCUM, as OpenTelemetry has it: ``s``, ``1``, ``{call}``."""
    description: str
    """One sentence."""
    attributes: tuple[str, ...] = ()
    """The names of what a measurement is told apart by."""
    buckets: tuple[float, ...] = ()
    """Of a histogram: the upper bounds."""

    @property
    def prometheus_name(self) -> str:
        """``telnyx_rtc_call_setup_duration_seconds``; counters are exposed with ``_total`` after it."""
        suffix = {"s": "_seconds", "1": "_ratio"}.get(self.unit, "")
        return self.name.replace(".", "_") + ("" if self.name.endswith(".mos") else suffix)


class Meter(Protocol):
    """Takes measurements. Called on the client's loop: it must neither wait nor raise."""

    def measure(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Add ``value`` to a counter, or one observation to a histogram."""
        ...


_SETUP: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_CALL: Final = (1.0, 5.0, 15.0, 30.0, 60.0, 180.0, 600.0, 1_800.0, 3_600.0, 14_400.0)
_SHORT: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_TALK: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
_SHARE: Final = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOS: Final = (1.0, 2.0, 2.5, 3.0, 3.1, 3.5, 3.7, 4.0, 4.1, 4.2, 4.5)

CALLS_ACTIVE: Final = Instrument(
    name="telnyx_rtc.calls.active",
    kind="updown",
    unit="{call}",
    description="Calls that have begun and not ended.",
    attributes=("direction",),
)
CALLS: Final = Instrument(
    name="telnyx_rtc.calls",
    kind="counter",
    unit="{call}",
    description="Calls that have ended.",
    attributes=("direction", "answered", "cause"),
)
SETUP: Final = Instrument(
    name="telnyx_rtc.call.setup.duration",
    kind="histogram",
    unit="s",
    description="From the invite, or from the decision to answer, to the active call.",
    attributes=("direction",),
    buckets=_SETUP,
)
DURATION: Final = Instrument(
    name="telnyx_rtc.call.duration",
    kind="histogram",
    unit="s",
    description="From the active call to its end.",
    attributes=("direction",),
    buckets=_CALL,
)
MOS: Final = Instrument(
    name="telnyx_rtc.call.mos",
    kind="histogram",
    unit="1",
    description="Estimated mean opinion score of each interval of each call, 1 to 5.",
    buckets=_MOS,
)
LOSS: Final = Instrument(
    name="telnyx_rtc.call.packet_loss",
    kind="histogram",
    unit="1",
    description="The share of the packets sent to us that was lost, of each interval of each call.",
    buckets=_SHARE,
)
JITTER: Final = Instrument(
    name="telnyx_rtc.call.jitter",
    kind="histogram",
    unit="s",
    description="Of what is received (RFC 3550), of each interval of each call.",
    buckets=_SHORT,
)
ROUND_TRIP: Final = Instrument(
    name="telnyx_rtc.call.round_trip_time",
    kind="histogram",
    unit="s",
    description="To the media server and back, of each interval of each call.",
    buckets=_SHORT,
)
BUFFER: Final = Instrument(
    name="telnyx_rtc.call.jitter_buffer.delay",
    kind="histogram",
    unit="s",
    description="How long received audio waited in the jitter buffer, on average of each interval of each call.",
    buckets=_SHORT,
)
RECOVERIES: Final = Instrument(
    name="telnyx_rtc.call.recovery.duration",
    kind="histogram",
    unit="s",
    description="From the loss of a call's connection until it was active again.",
    buckets=_SETUP,
)
OUTAGES: Final = Instrument(
    name="telnyx_rtc.session.outage.duration",
    kind="histogram",
    unit="s",
    description="From the loss of the signalling socket until registered again; its count is that of reconnections.",
    buckets=_SETUP,
)
RESPONSE: Final = Instrument(
    name="telnyx_rtc.turn.response.duration",
    kind="histogram",
    unit="s",
    description="How long the far end waited for our answer after it had spoken.",
    buckets=_TALK,
)
BARGE_IN: Final = Instrument(
    name="telnyx_rtc.turn.barge_in.duration",
    kind="histogram",
    unit="s",
    description="How long we spoke on after the far end had interrupted us.",
    buckets=_TALK,
)
LOOP_LAG: Final = Instrument(
    name="telnyx_rtc.loop.lag",
    kind="histogram",
    unit="s",
    description="By how much later than asked for the event loop came round, twice a second.",
    buckets=_SHORT,
)
ERRORS: Final = Instrument(
    name="telnyx_rtc.errors",
    kind="counter",
    unit="{error}",
    description="Errors that the application was told of.",
    attributes=("error.type",),
)
WARNINGS: Final = Instrument(
    name="telnyx_rtc.warnings",
    kind="counter",
    unit="{warning}",
    description="Warnings that the application was told of.",
    attributes=("error.type",),
)
CLIENTS: Final = Instrument(
    name="telnyx_rtc.gateway.clients",
    kind="updown",
    unit="{client}",
    description="Sockets that are logged in at the embedded gateway.",
)
LOGINS_REFUSED: Final = Instrument(
    name="telnyx_rtc.gateway.logins.refused",
    kind="counter",
    unit="{login}",
    description="Logins that the embedded gateway refused.",
)

INSTRUMENTS: Final[tuple[Instrument, ...]] = (
    CALLS_ACTIVE,
    CALLS,
    SETUP,
    DURATION,
    MOS,
    LOSS,
    JITTER,
    ROUND_TRIP,
    BUFFER,
    RECOVERIES,
    OUTAGES,
    RESPONSE,
    BARGE_IN,
    LOOP_LAG,
    ERRORS,
    WARNINGS,
    CLIENTS,
    LOGINS_REFUSED,
)
"""Everything that is measured."""
