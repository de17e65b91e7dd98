"""From readings to the application's events: warnings, frames, and a report at the end (quality.md 3, 5)."""

from collections.abc import Mapping
from math import floor

from attrs import define, evolve, field

from telnyx_core._quality.alarms import Alarms
from telnyx_core._wire.json_types import JsonObject
from telnyx_core.catalogue import WarningCode, make_warning
from telnyx_core.events import CallInfo, StatsFrame, StatsReport, WarningCount
from telnyx_core.stats.interval import Interval
from telnyx_core.stats.mos import loss_percent, mos, quality
from telnyx_core.stats.snapshot import StatsSnapshot
from telnyx_core.stats.timings import EstablishmentTimings

SAMPLE_PERIOD = 1.0
"""Seconds between readings, or the frame period where that is shorter (STATS-003)."""


def next_beat(origin: float, step: float, now: float) -> float:
    """The first of ``origin + n * step`` later than ``now``: missed times are not made up for, and none drifts."""
    beat = floor((now - origin) / step + 1e-9) + 1
    return origin + beat * step


@define
class _Extent:
    """Mean, least and greatest of what was seen."""

    count: int = 0
    total: float = 0.0
    least: float | None = None
    greatest: float | None = None

    def add(self, value: float | None) -> None:
        if value is None:
            return
        self.count += 1
        self.total += value
        self.least = value if self.least is None else min(self.least, value)
        self.greatest = value if self.greatest is None else max(self.greatest, value)

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None


@define
class Summary:
    """The figures of one call, from ``active`` to its end. A new path counts from zero; the sums here continue."""

    interval: float
    """Seconds between frames (STATS-008)."""
    created_at: float
    active_at: float | None = None
    ended_at: float | None = None
    """When it was hung up; its release takes a little longer."""
    _alarms: Alarms = field(factory=Alarms)
    _last: StatsSnapshot | None = None
    _last_at: float = 0.0
    _framed: StatsSnapshot | None = None
    _frame_due: float = 0.0
    _former: StatsSnapshot | None = None
    """The counters of all former peers together."""
    _rtt: _Extent = field(factory=_Extent)
    _jitter: _Extent = field(factory=_Extent)
    _loss: _Extent = field(factory=_Extent)
    _mos: _Extent = field(factory=_Extent)
    _counts: dict[WarningCode, tuple[int, float, float]] = field(factory=dict[WarningCode, tuple[int, float, float]])

    @property
    def period(self) -> float:
        return min(SAMPLE_PERIOD, self.interval)

    def start(self, now: float) -> None:
        """The call is active; idempotent (STATS-012)."""
        if self.active_at is None:
            self.active_at = now
            self._frame_due = now + self.interval

    def peer_changed(self) -> None:
        """Another peer is in use, and its counters start from zero (STATS-313)."""
        self._former = self._total(self._last)
        self._last = self._framed = None
        self._alarms = Alarms()

    def held_changed(self) -> None:
        self._alarms.held_changed()

    def take(self, reading: StatsSnapshot, now: float) -> Interval | None:
        """Take in a reading: what has happened since the one before, if there is one of the same peer."""
        interval = None if self._last is None else Interval(self._last, reading, now - self._last_at)
        self._last, self._last_at = reading, now
        rtt_ms, jitter_ms = _ms(reading.round_trip_time), _ms(_jitter(reading))
        self._rtt.add(rtt_ms)
        self._jitter.add(jitter_ms)
        self._loss.add(None if interval is None else interval.loss_percent)
        self._mos.add(_mos(rtt_ms, jitter_ms, reading))
        return interval

    def judge(
        self, reading: StatsSnapshot, interval: Interval | None, now: float, *, held: bool, muted: bool, watched: bool
    ) -> tuple[WarningCode, ...]:
        """The warnings that a reading causes."""
        return tuple(self._alarms.judge(reading, interval, now, held=held, muted=muted, watched=watched))

    @property
    def missing_media(self) -> bool:
        """The last readings showed that no audio comes (32001)."""
        return self._alarms.raised(WarningCode.LOW_BYTES_RECEIVED)

    def warned(self, code: WarningCode, now: float) -> None:
        """The application was told."""
        count, first, _ = self._counts.get(code, (0, now, now))
        self._counts[code] = (count + 1, first, now)

    def frame(self, call: CallInfo, now: float, wall: float, *, held: bool) -> StatsFrame | None:
        """A frame if one is due; a stall is not made up for (STATS-116)."""
        reading = self._last
        if reading is None or self.active_at is None or now < self._frame_due - 1e-9:
            return None
        self._frame_due = next_beat(self.active_at, self.interval, now)
        since_start = loss_percent(reading.packets_lost, reading.packets_received)
        interval = None if self._framed is None else Interval(self._framed, reading, self.interval)
        self._framed = reading
        rtt_ms, jitter_ms = _ms(reading.round_trip_time), _ms(_jitter(reading))
        score = _mos(rtt_ms, jitter_ms, reading)
        total = self._total(reading)
        return StatsFrame(
            call=call.id,
            timestamp=wall,
            rtt=rtt_ms,
            jitter=jitter_ms,
            packet_loss=since_start if interval is None else interval.loss_percent,
            packets_sent=total.packets_sent,
            packets_received=total.packets_received,
            packets_lost=total.packets_lost,
            bytes_sent=total.bytes_sent,
            bytes_received=total.bytes_received,
            audio_level=reading.remote_level,
            local_audio_level=reading.local_level,
            mos=score,
            quality=quality(score),
            held=held,
            muted=call.muted,
            reading=reading,
        )

    def report(
        self,
        call: CallInfo,
        now: float,
        offset: float,
        *,
        call_report_id: str | None,
        establishment: EstablishmentTimings,
        timeline: tuple[JsonObject, ...] | None,
        final: bool,
    ) -> StatsReport:
        """The report at the end. ``offset`` is epoch seconds less the session's own time."""
        total = self._total(self._last)
        hung_up = now if self.ended_at is None else self.ended_at
        return StatsReport(
            call=call.id,
            direction=call.direction,
            recovered_call_id=call.recovered_call_id,
            duration=0.0 if self.active_at is None else round(hung_up - self.active_at, 3),
            average_rtt=self._rtt.mean,
            least_rtt=self._rtt.least,
            greatest_rtt=self._rtt.greatest,
            average_jitter=self._jitter.mean,
            greatest_jitter=self._jitter.greatest,
            average_packet_loss=loss_percent(total.packets_lost, total.packets_received),
            greatest_packet_loss=self._loss.greatest,
            average_mos=self._mos.mean,
            least_mos=self._mos.least,
            quality=quality(self._mos.mean),
            packets_sent=total.packets_sent,
            packets_received=total.packets_received,
            packets_lost=total.packets_lost,
            bytes_sent=total.bytes_sent,
            bytes_received=total.bytes_received,
            ended=call.ended,
            started_at=self.created_at + offset,
            ended_at=now + offset,
            telnyx_session_id=call.telnyx_session_id,
            telnyx_leg_id=call.telnyx_leg_id,
            call_report_id=call_report_id,
            warnings=_warnings(self._counts, offset),
            establishment=establishment,
            timeline=timeline,
            final=final,
        )

    def _total(self, reading: StatsSnapshot | None) -> StatsSnapshot:
        """A peer's counters with those of the peers before it."""
        reading, former = reading or StatsSnapshot(), self._former
        if former is None:
            return reading
        return evolve(
            reading,
            packets_sent=_sum(former.packets_sent, reading.packets_sent),
            bytes_sent=_sum(former.bytes_sent, reading.bytes_sent),
            packets_received=_sum(former.packets_received, reading.packets_received),
            bytes_received=_sum(former.bytes_received, reading.bytes_received),
            packets_lost=_sum(former.packets_lost, reading.packets_lost),
        )


def _sum(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return max(0, one) + max(0, other)


def _warnings(counts: Mapping[WarningCode, tuple[int, float, float]], offset: float) -> tuple[WarningCount, ...]:
    return tuple(
        WarningCount(int(code), make_warning(code).name, count, first + offset, last + offset)
        for code, (count, first, last) in counts.items()
    )


def _jitter(reading: StatsSnapshot) -> float | None:
    """The jitter of what we receive, else the one that the far end reports of our stream (STATS-103)."""
    return reading.remote_jitter if reading.jitter is None else reading.jitter


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1000


def _mos(rtt_ms: float | None, jitter_ms: float | None, reading: StatsSnapshot) -> float | None:
    """STATS-108: one unknown figure counts as zero, both unknown leave no score."""
    if rtt_ms is None and jitter_ms is None:
        return None
    return mos(jitter_ms or 0.0, rtt_ms or 0.0, loss_percent(reading.packets_lost, reading.packets_received) or 0.0)
