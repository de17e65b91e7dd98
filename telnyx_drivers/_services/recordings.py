"""Which calls are recorded for the platform, when, and how the segments are sent (REC-010, REC-015 to REC-018)."""

import importlib.util
import time
from collections.abc import Callable, Mapping
from enum import Enum, auto
from functools import partial
from random import SystemRandom
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio
import anyio.to_thread

from telnyx_core._reports.segment import ReportEndpoint
from telnyx_core._uploads import ATTEMPT, LEAVING, pause_after, refused
from telnyx_core.events import CallInfo
from telnyx_core.facts import RecordingFault
from telnyx_core.ids import CallId
from telnyx_core.options import ClientOptions, RecordedTrack
from telnyx_core.states import ESTABLISHED, LIVE, CallState
from telnyx_drivers import _logs as logs
from telnyx_drivers._exceptions import MediaUnavailable
from telnyx_drivers._services.reports import Spawn, Uploads

if TYPE_CHECKING:
    from telnyx_drivers._reach.http_post import Poster
    from telnyx_drivers._services.call_recording import CallRecorder
    from telnyx_drivers._webrtc.call_audio import CallAudio

REPORT_PATH: Final = "/call_report"

Tell: TypeAlias = Callable[[RecordingFault], None]


class Recordings:
    """All calls of one client. Everything on the loop's own thread, but for the audio itself."""

    def __init__(
        self,
        options: ClientOptions,
        *,
        audio: "Callable[[CallId], CallAudio]",
        home: Callable[[], ReportEndpoint | None],
        uploads: Uploads,
        spawn: Spawn,
        tell: Tell,
    ) -> None:
        """``audio`` raises `MediaUnavailable`; ``home`` says where reports go now, if anywhere."""
        self._options = options
        self._audio = audio
        self._home = home
        self._uploads = uploads
        self._spawn = spawn
        self._tell = tell
        self._recorders: dict[CallId, CallRecorder | None] = {}
        """``None``: it cannot be recorded, and that has been told."""
        self._sending = 0
        self._idle: anyio.Event | None = None

    async def drain(self) -> None:
        """Wait for what is on its way, but no longer than a client waits that leaves."""
        with anyio.move_on_after(LEAVING) as patience:
            while self._sending:
                if self._idle is None:
                    self._idle = anyio.Event()
                await self._idle.wait()
        if patience.cancelled_caught:
            logs.reports.error("%d segments of recordings were not sent in time", self._sending)

    def note(self, call: CallInfo) -> None:
        """A call has changed."""
        if call.state in ESTABLISHED and call.id not in self._recorders:
            self._recorders[call.id] = self._begin(call.id)
        elif call.state not in LIVE and call.id in self._recorders:
            ended = self._recorders.pop(call.id)
            if ended is not None:
                ended.close()
                self._send(ended, final=True)
        if (recorder := self._recorders.get(call.id)) is not None:
            recorder.held = call.state is CallState.HELD

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
        from telnyx_drivers._services.call_recording import CallRecorder, flush_period

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
        wanted = options.call_recording_flush_interval
        period = flush_period(wanted, options.call_recording_max_buffer_bytes, options.call_recording_sample_rate)
        if period:
            self._spawn(partial(self._go_on, recorder, period), _nothing)
        return recorder

    async def _go_on(self, recorder: "CallRecorder", period: float) -> None:
        while True:
            await anyio.sleep(period)
            if recorder.ended:
                return
            if not recorder.sending:
                self._send(recorder, final=False)

    def _send(self, recorder: "CallRecorder", *, final: bool) -> None:
        home = self._home()
        if home is None:
            if final:
                logs.reports.warning("call %s: its recording is not sent, for the server gave no id", recorder.call)
            return
        recorder.sending += 1
        failed = partial(self._uploads.failed, "a segment of its recording", recorder.call)
        sender = _Sender(recorder, home, self._options.call_recording_endpoint, failed, final=final)
        self._sending += 1
        self._spawn(partial(self._run, sender), self._sent)

    async def _run(self, sender: "_Sender") -> None:
        try:
            if (poster := await self._uploads.poster()) is not None:
                await sender.run(poster)
        except Exception:  # noqa: BLE001  # a recording is never worth a call
            logs.reports.exception("a segment of a recording broke on its way")

    def _sent(self) -> None:
        self._sending -= 1
        if not self._sending and self._idle is not None:
            self._idle.set()
            self._idle = None


class _Fate(Enum):
    """What became of a body."""

    SENT = auto()
    REFUSED = auto()
    FAILED = auto()


class _Sender:
    """One segment of both tracks."""

    def __init__(
        self, recorder: "CallRecorder", home: ReportEndpoint, endpoint: str, failed: Callable[[], None], *, final: bool
    ) -> None:
        self._recorder = recorder
        self._home = home
        self._url = home.url.removesuffix(REPORT_PATH) + endpoint
        self._failed = failed
        self._final = final

    async def run(self, poster: "Poster") -> None:
        try:
            async with anyio.create_task_group() as group:
                for side in self._recorder.sides:
                    group.start_soon(self._track, side, poster)
        finally:
            self._recorder.sending -= 1

    async def _track(self, side: RecordedTrack, poster: "Poster") -> None:
        recorder, final = self._recorder, self._final
        made = await anyio.to_thread.run_sync(partial(recorder.segment, side, self._home, final=final))
        headers = self._home.headers(recorder.call)
        for index, body in enumerate(made):
            fate = await _deliver(poster, self._url, headers, body.text)
            if fate is _Fate.SENT:
                continue
            self._failed()
            if fate is _Fate.FAILED and not final:
                recorder.give_back(side, [packet for left in made[index:] for packet in left.packets])
                return


async def _deliver(poster: "Poster", url: str, headers: Mapping[str, str], body: bytes) -> _Fate:
    """Try, and try again where that may help, as with a call's report (STATS-242, STATS-243)."""
    attempt = 0
    while True:
        retry_after = None
        try:
            with anyio.fail_after(ATTEMPT):
                answer = await poster.post(url, headers, body)
        except (OSError, TimeoutError) as error:
            logs.reports.debug("no answer to a recording: %s", str(error) or type(error).__name__)
        else:
            logs.reports.debug("a recording of %d bytes was answered with %d", len(body), answer.status)
            if 200 <= answer.status < 300:
                return _Fate.SENT
            if refused(answer.status):
                return _Fate.REFUSED
            retry_after = answer.retry_after
        pause = pause_after(attempt, retry_after)
        if pause is None:
            return _Fate.FAILED
        attempt += 1
        await anyio.sleep(pause)


def _nothing() -> None:
    pass
