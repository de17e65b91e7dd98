"""From one reading to the next: a `Sample`."""

from typing import Final

from telnyx_core.stats.interval import Interval, bitrate, growth
from telnyx_core.stats.mos import loss_percent, mos
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_drivers._tools.report.call_timeline import Sample

SHORTEST: Final = 0.2
"""Seconds between two readings from which rates are taken."""


def sample(at: float, before: StatsSnapshot | None, after: StatsSnapshot, seconds: float) -> Sample:
    """``before`` is the reading of the same peer ``seconds`` ago; ``None`` for its first."""
    interval = Interval(before or StatsSnapshot(), after, seconds)
    jitter = after.remote_jitter if after.jitter is None else after.jitter
    rtt = after.round_trip_time
    loss = interval.loss_percent if before is not None else loss_percent(after.packets_lost, after.packets_received)
    emitted = growth(interval.before.jitter_buffer_emitted_count, after.jitter_buffer_emitted_count)
    delayed = _difference(interval.before.jitter_buffer_delay, after.jitter_buffer_delay)
    return Sample(
        at=at,
        rtt=_scaled(rtt, 1000),
        jitter=_scaled(jitter, 1000),
        loss=loss,
        mos=None if rtt is None and jitter is None else mos((jitter or 0) * 1000, (rtt or 0) * 1000, loss or 0),
        heard=after.remote_level,
        said=after.local_level,
        received=_scaled(bitrate(interval.before.bytes_received, after.bytes_received, seconds), 0.001),
        sent=_scaled(bitrate(interval.before.bytes_sent, after.bytes_sent, seconds), 0.001),
        concealed=_concealed(interval),
        delay=None if not emitted or delayed is None else 1000 * delayed / emitted,
    )


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _difference(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None or after < before else after - before


def _concealed(interval: Interval) -> float | None:
    """Percent of the time; samples count in units of the RTP clock, also where the audio has another rate."""
    grown = growth(interval.before.concealed_samples, interval.after.concealed_samples)
    codec = interval.after.codec
    if grown is None or codec is None or interval.seconds <= 0:
        return None
    return min(100.0, 100.0 * grown / (codec.clock_rate * interval.seconds))
