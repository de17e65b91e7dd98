"""Records the calls that the core wants recorded for the platform, and writes what they hold as JSON (quality.md 7)."""

import importlib.util
import time
from collections.abc import Callable
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, TypeAlias

from telnyx_core.actions import RecordCall, WriteRecording
from telnyx_core.facts import RecordingFault
from telnyx_core.ids import CallId
from telnyx_core.options import ClientOptions
from telnyx_drivers import _logs as logs
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._services.call_recording import CallRecorder
    from telnyx_drivers._webrtc.call_audio import CallAudio

Tell: TypeAlias = Callable[[RecordingFault], None]


class Recordings:
    """All calls of one client. Everything on the loop's own thread, but for the audio itself."""

    def __init__(self, options: ClientOptions, *, audio: "Callable[[CallId], CallAudio]", tell: Tell) -> None:
        """``audio`` raises `MediaUnavailable`."""
        self._options = options
        self._audio = audio
        self._tell = tell
        self._recorders: dict[CallId, CallRecorder] = {}

    def perform(self, action: RecordCall) -> None:
        call, mode = action.call, action.mode
        if mode == "dropped":
            self._recorders.pop(call, None)
            return
        if mode != "off" and call not in self._recorders and (made := self._begin(call)) is not None:
            self._recorders[call] = made
        if (recorder := self._recorders.get(call)) is not None:
            recorder.held = mode == "held"
            if mode == "off":
                recorder.close()

    async def write(self, action: WriteRecording) -> tuple[bytes, ...]:
        part = action.part
        recorder = self._recorders.get(part.call)
        if recorder is None:
            return ()
        bodies = await in_thread(partial(recorder.segment, part.track, part.home, final=part.last))
        if part.last and recorder.over:
            self._recorders.pop(part.call, None)
        return bodies

    def _begin(self, call: CallId) -> "CallRecorder | None":
        try:
            if importlib.util.find_spec("httpx2") is None:
                raise MediaUnavailable("it could not be sent: pip install 'telnyx-rtc[http]'")
            audio = self._audio(call)
        except MediaUnavailable as error:
            logs.reports.warning("call %s cannot be recorded: %s", call, error)
            self._tell(RecordingFault(call, "unavailable"))
            return None
        from telnyx_drivers._audio.wakeup import here
        from telnyx_drivers._services.call_recording import CallRecorder

        options, home = self._options, here()

        def overflowed() -> None:
            home(lambda: self._tell(RecordingFault(call, "overflow")))

        recorder = CallRecorder(
            call,
            sides=options.call_recording_tracks,
            rate=options.call_recording_sample_rate,
            most=options.call_recording_max_buffer_bytes,
            overflowed=overflowed,
            wall=time.time,
            rng=SystemRandom(),
        )
        audio.add_tap(recorder)
        return recorder
