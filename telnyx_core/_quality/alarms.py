"""Warnings from readings: three breaches in a row, then once every 15 s while it lasts (quality.md section 5)."""

from collections.abc import Iterator
from typing import Final

from attrs import define, field

from telnyx_core.catalogue import WarningCode
from telnyx_core.stats.interval import Interval
from telnyx_core.stats.mos import warning_mos
from telnyx_core.stats.snapshot import StatsSnapshot

BREACHES: Final = 3  # in a row: one bad second is no reason to warn (STATS-310)
REPEAT: Final = 15.0
HIGH_RTT: Final = 0.4  # s, STATS-300
HIGH_JITTER: Final = 0.030  # s, STATS-301
HIGH_LOSS: Final = 1.0  # percent, STATS-302
LOW_MOS: Final = 3.5  # of 4.5, by the linear formula (STATS-303)
SILENCE: Final = 0.001  # of full scale, STATS-304, STATS-305
LONG_SILENCE: Final = 30.0  # s, STATS-311
_ONCE: Final = frozenset({WarningCode.LOW_BYTES_RECEIVED})
"""A far end that sends nothing is normal, so this is raised once and not repeated until audio arrives (PS-045)."""


@define
class _Alarm:
    """One condition's hysteresis."""

    repeats: bool = True
    breaches: int = 0
    raised_at: float | None = None

    def judge(self, breach: bool, now: float) -> bool:
        if not breach:
            self.reset()
            return False
        self.breaches += 1
        raised = self.raised_at
        if self.breaches < BREACHES or (raised is not None and (not self.repeats or now - raised < REPEAT)):
            return False
        self.raised_at = now
        return True

    def reset(self) -> None:
        self.breaches, self.raised_at = 0, None


@define
class _LocalSilence:
    """Warning 31005 has two cases: no sound at all so far, or none for 30 s after there was one (STATS-311)."""

    heard: bool = False
    silent_since: float | None = None
    raised: bool = False
    never: _Alarm = field(factory=_Alarm)

    def judge(self, level: float | None, now: float, *, mute: bool) -> bool:
        if level is None or mute:
            self.silent_since = None
            self.never.reset()
            return False
        if level > SILENCE:
            self.heard, self.silent_since, self.raised = True, None, False
            self.never.reset()
            return False
        if not self.heard:
            return self.never.judge(breach=True, now=now)
        self.silent_since = now if self.silent_since is None else self.silent_since
        if self.raised or now - self.silent_since < LONG_SILENCE:
            return False
        self.raised = True
        return True


@define
class Alarms:
    """All the alarms of one call."""

    _alarms: dict[WarningCode, _Alarm] = field(factory=dict[WarningCode, _Alarm])
    _local: _LocalSilence = field(factory=_LocalSilence)
    _pair: str | None = None

    def raised(self, code: WarningCode) -> bool:
        """Whether the warning was raised and its condition lasts."""
        alarm = self._alarms.get(code)
        return alarm is not None and alarm.raised_at is not None

    def judge(
        self,
        reading: StatsSnapshot,
        interval: Interval | None,
        now: float,
        *,
        held: bool,
        muted: bool,
        watched: bool = True,
    ) -> Iterator[WarningCode]:
        """The warnings that this reading gives rise to. ``interval`` is ``None`` for the first one.

        Not ``watched``: the path is being renewed, so what it does not carry is no fault.
        """
        loss = None if interval is None else interval.loss_percent
        rtt, jitter = reading.round_trip_time, reading.jitter
        known = rtt is not None and jitter is not None and loss is not None
        low = known and warning_mos((jitter or 0) * 1000, (rtt or 0) * 1000, loss or 0) < LOW_MOS
        conditions = (
            (WarningCode.HIGH_RTT, rtt is not None and rtt > HIGH_RTT),
            (WarningCode.HIGH_JITTER, jitter is not None and jitter > HIGH_JITTER),
            (WarningCode.HIGH_PACKET_LOSS, loss is not None and loss > HIGH_LOSS),
            (WarningCode.LOW_MOS, low),
            (
                WarningCode.LOW_INBOUND_AUDIO,
                watched and reading.remote_level is not None and reading.remote_level <= SILENCE and not held,
            ),
            (
                WarningCode.LOW_BYTES_RECEIVED,
                watched and interval is not None and interval.inbound_grew is False and not held,
            ),
            (WarningCode.LOW_BYTES_SENT, watched and interval is not None and interval.outbound_grew is False),
        )
        for code, breach in conditions:
            if self._alarms.setdefault(code, _Alarm(repeats=code not in _ONCE)).judge(breach, now):
                yield code
        if self._local.judge(reading.local_level, now, mute=muted or reading.intentionally_silent):
            yield WarningCode.LOW_LOCAL_AUDIO
        pair = None if reading.pair is None else reading.pair.id
        if pair is not None:
            if self._pair is not None and pair != self._pair:
                yield WarningCode.ICE_CANDIDATE_PAIR_CHANGED
            self._pair = pair

    def held_changed(self) -> None:
        """The call was held or resumed: 31006 and 32001 count anew, because a held call has no audio (STATS-312)."""
        for code in (WarningCode.LOW_INBOUND_AUDIO, WarningCode.LOW_BYTES_RECEIVED):
            if code in self._alarms:
                self._alarms[code].reset()
