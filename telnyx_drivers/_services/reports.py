"""What the core orders for call reports and recordings: written beside the audio, and posted (quality.md 4.4)."""

import logging
import ssl as tls
from collections.abc import Awaitable, Callable
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias, assert_never

import anyio
import anyio.lowlevel

from telnyx_core._reports.segment import Line
from telnyx_core.actions import (
    AbandonPost,
    GiveUpUpload,
    PostBody,
    RecordCall,
    UploadAction,
    WriteRecording,
    WriteReport,
)
from telnyx_core.facts import PostAnswered, PostFailed, UploadFact, UploadWritten
from telnyx_core.ids import UploadId
from telnyx_drivers import _logs as logs
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._reach.http_post import Poster
    from telnyx_drivers._services.recordings import Recordings

Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]], Callable[[], None]], object]
"""Runs a function in a task, and calls the second one when that has ended in any way (`Driver.spawn`)."""


class Uploads:
    """Performs the core's `UploadAction`, and gives what came of it to ``tell``. On the loop's own thread.

    ``make_poster`` is awaited once there is something to send; where it gives ``None``, nothing is sent, ever.
    ``recordings`` gives what records calls, if they are recorded. Raises nothing: a report is never worth a call.
    """

    def __init__(
        self,
        spawn: Spawn,
        make_poster: "Callable[[], Awaitable[Poster | None]]",
        tell: Callable[[UploadFact], None],
        recordings: "Callable[[], Recordings | None]" = lambda: None,
    ) -> None:
        self._spawn = spawn
        self._make_poster = make_poster
        self._tell = tell
        self._recordings = recordings
        self._poster: Poster | None = None
        self._making = anyio.Lock()
        self._told = False
        """The warning has been given."""
        self._without = False
        """There is no poster, and will be none."""
        self._posts: dict[UploadId, anyio.CancelScope] = {}

    def perform(self, action: UploadAction) -> None:
        match action:
            case WriteReport():
                self._run(action.upload, lambda: self._write(action), UploadWritten(action.upload, ()))
            case RecordCall():
                if (recordings := self._recordings()) is not None:
                    recordings.perform(action)
            case WriteRecording():
                self._run(action.upload, lambda: self._record(action), UploadWritten(action.upload, ()))
            case PostBody():
                self._run(action.upload, lambda: self._post(action), PostFailed(action.upload, "it was broken off"))
            case AbandonPost(upload):
                if (scope := self._posts.pop(upload, None)) is not None:
                    scope.cancel()
            case GiveUpUpload():
                self._give_up(action)
            case _:
                assert_never(action)

    def _give_up(self, action: GiveUpUpload) -> None:
        """Log a warning, but only once: a platform that takes no reports would cause one for every call."""
        level = logging.DEBUG if self._told else logging.WARNING
        self._told = True
        said = "call %s: a part of its %s could not be sent (reason: %s; this warning comes once)"
        logs.reports.log(level, said, action.call, action.what, action.reason)

    async def poster(self) -> "Poster | None":
        async with self._making:
            if self._poster is None and not self._without:
                self._poster = await self._make_poster()
                self._without = self._poster is None
        return self._poster

    async def aclose(self) -> None:
        """Once its tasks have ended."""
        poster, self._poster = self._poster, None
        if poster is not None:
            await poster.aclose()

    def _run(self, upload: UploadId, job: Callable[[], Awaitable[UploadFact]], otherwise: UploadFact) -> None:
        """Tell the core what ``job`` returns, or ``otherwise`` when it raises; nothing once it was abandoned."""
        scope = self._posts[upload] = anyio.CancelScope()

        def ended() -> None:
            self._posts.pop(upload, None)

        async def run() -> None:
            fact = otherwise
            with scope:
                try:
                    fact = await job()
                except Exception:  # noqa: BLE001  # a report is never worth a call
                    logs.reports.exception("an upload broke on its way")
            if self._posts.pop(upload, None) is not None:
                self._tell(fact)

        self._spawn(run, ended)

    async def _write(self, action: WriteReport) -> UploadFact:
        if await self.poster() is None:
            return UploadWritten(action.upload, ())
        segment = action.segment
        lines: list[Line] = []
        for line in segment.lines():
            lines.append(line)
            await anyio.lowlevel.checkpoint()  # other calls' audio is more urgent
        return UploadWritten(action.upload, segment.bodies(action.number, lines, action.limit))

    async def _record(self, action: WriteRecording) -> UploadFact:
        recordings = self._recordings()
        if recordings is None or await self.poster() is None:
            return UploadWritten(action.upload, ())
        return UploadWritten(action.upload, await recordings.write(action))

    async def _post(self, action: PostBody) -> UploadFact:
        poster = await self.poster()
        assert poster is not None, "a body was written, so that it can be posted"
        try:
            answer = await poster.post(action.url, action.headers, action.body)
        except OSError as error:
            reason = str(error) or type(error).__name__
            logs.reports.debug("no answer to an upload: %s", reason)
            return PostFailed(action.upload, reason)
        logs.reports.debug("an upload of %d bytes was answered with %d", len(action.body), answer.status)
        return PostAnswered(action.upload, answer.status, answer.retry_after)


async def http_poster(ssl: tls.SSLContext | None) -> "Poster | None":
    """`HttpPoster`, or ``None`` where the ``http`` extra is not installed, which is logged.

    Made in a thread: importing it and reading certificates would be heard in other calls.
    """
    return await in_thread(partial(make_poster, ssl))


def make_poster(ssl: tls.SSLContext | None, address: str | None = None) -> "Poster | None":
    """As `http_poster`, here and now. With ``address``, that is where every server is, whatever its name."""
    try:
        from telnyx_drivers._reach.http_post import HttpPoster
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("telnyx_"):
            raise
        install = "pip install 'telnyx-rtc[http]', or enable_call_reports=False"
        _say_once(f"call reports are not sent, for {error.name} is missing: {install}")
        return None
    return HttpPoster(ssl, address)


@cache
def _say_once(text: str) -> None:
    """Log an error, which is visible without any set-up: reports are on by default, and users rely on them."""
    logs.reports.error("%s", text)
