"""Whether a call is recorded for the platform, and when a part of it is sent (REC-010, REC-013, REC-015, REC-018)."""

from telnyx_core._call_host import CallHost
from telnyx_core._reports.recording import RecordedPart, part_period
from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core._time.timers import Timer
from telnyx_core.actions import GiveUpUpload, RecordCall, RecordingMode
from telnyx_core.ids import CallId
from telnyx_core.states import ESTABLISHED, LIVE, CallState


class CallRecording:
    def __init__(self, call: CallId, host: CallHost) -> None:
        self._call = call
        self._host = host
        self._mode: RecordingMode | None = None
        """``None``: not yet."""
        self._possible = host.options.enable_call_recording
        self._home: ReportEndpoint | None = None
        """The newest that was known: after a loss the server may not have given another one yet."""

    def moved(self, state: CallState) -> None:
        """While a call recovers it is recorded as before: a held one stays silent."""
        if not self._possible:
            return
        if state in ESTABLISHED:
            if self._mode is None:
                self._next_part()
            self._turn("held" if state is CallState.HELD else "on")
        elif state not in LIVE and self._mode in ("on", "held"):
            self._turn("off")
            self._send(last=True)

    def due(self) -> None:
        self._next_part()
        self._send(last=False)

    def unavailable(self) -> None:
        """The driver cannot record this call."""
        self._possible = False
        self._host.timers.stop(Timer.RECORDING, self._call)

    def _turn(self, mode: RecordingMode) -> None:
        if mode != self._mode:
            self._mode = mode
            self._host.act(RecordCall(self._call, mode))

    def _next_part(self) -> None:
        if period := part_period(self._host.options):
            self._host.timers.set(Timer.RECORDING, self._host.now + period, self._call)

    def _send(self, *, last: bool) -> None:
        options = self._host.options
        self._home = home = self._host.report_home or self._home
        if home is None:
            if last:
                self._host.act(GiveUpUpload(self._call, "recording", "the server gave no id"))
                self._turn("dropped")
            return
        for track in options.call_recording_tracks:
            # A track that is still being sent goes on; what it gets meanwhile is in its next part.
            if last or not self._host.uploading((self._call, track)):
                self._host.upload(
                    RecordedPart(
                        call=self._call,
                        track=track,
                        home=home,
                        endpoint=options.call_recording_endpoint,
                        last=last,
                        keeps=options.call_recording_max_buffer_bytes,
                    )
                )
