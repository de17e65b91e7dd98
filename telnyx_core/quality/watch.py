"""The quality of one call, watched: when to read, what to tell (quality.md sections 1, 3, 5)."""

from telnyx_core.actions import Notify, TakeStats
from telnyx_core.call_host import CallHost
from telnyx_core.catalogue import WarningCode
from telnyx_core.events import CallInfo
from telnyx_core.ids import CallId, MediaId
from telnyx_core.quality.collector import Collector
from telnyx_core.quality.snapshot import StatsSnapshot
from telnyx_core.timers import Timer


class QualityWatch:
    """Does nothing at all where ``enableCallReports`` is off."""

    def __init__(self, call: CallId, host: CallHost, now: float) -> None:
        options = host.options
        self._call = call
        self._host = host
        self._collector = Collector(options.call_report_interval, now) if options.enable_call_reports else None
        self._media: MediaId | None = None

    def start(self, media: MediaId | None, now: float) -> None:
        """The call is active with this peer; again with another one after a re-attach."""
        if self._collector is None or media is None:
            return
        self._collector.start(now)
        if media != self._media:
            if self._media is not None:
                self._collector.peer_changed()
            self._media = media
        if not self._host.timers.is_set(Timer.STATS, self._call):
            self._read_later(now)

    def due(self, media: MediaId | None, now: float) -> None:
        if media is not None:
            if media != self._media:
                self.start(media, now)
            self._host.act(TakeStats(media))
        self._read_later(now)

    def held_changed(self) -> None:
        if self._collector is not None:
            self._collector.held_changed()

    def taken(self, reading: StatsSnapshot, call: CallInfo, now: float, *, held: bool, watched: bool) -> None:
        """A reading arrived. ``watched``: missing media is a fault now, not the outage of a socket (SRV-008)."""
        collector = self._collector
        if collector is None:
            return
        for code in collector.judge(reading, now, held=held, muted=call.muted):
            if not watched and code in (WarningCode.LOW_BYTES_RECEIVED, WarningCode.LOW_BYTES_SENT):
                continue
            self._host.warn(code, call=self._call)
            if code is WarningCode.LOW_BYTES_RECEIVED:
                self._host.media_failed(self._call, "no inbound media", "no_rtp", now)
            elif code is WarningCode.LOW_BYTES_SENT and not held and not call.muted:
                self._host.media_failed(self._call, "no outbound media", "no_rtp", now)
        frame = collector.frame(call, now, now + self._host.wall_offset, held=held)
        if frame is not None:
            self._host.act(Notify(frame))

    def finish(self, call: CallInfo, now: float) -> None:
        """The one report of a call that had media (STATS-145)."""
        collector, self._collector = self._collector, None
        if collector is not None and self._media is not None:
            report = collector.report(call, now, self._host.wall_offset, self._host.call_report_id)
            self._host.act(Notify(report))

    def _read_later(self, now: float) -> None:
        assert self._collector is not None, "started, so there is a collector"
        self._host.timers.set(Timer.STATS, now + self._collector.period, self._call)
