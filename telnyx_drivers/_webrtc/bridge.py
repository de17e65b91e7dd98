"""An engine that needs asyncio, for an application on another loop or in need of a thread of its own for media.

One daemon thread with one asyncio loop serves every engine of the process. Orders cross with `call_soon_threadsafe`,
facts come back through the application's own ``call_soon``. A call's audio is not copied here: `CallAudio` itself may
be used from both sides, so that only wake-ups cross. Timing (pacing, jitter) stays on the media side.
"""

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context
from functools import partial
from typing import ClassVar, Final, TypeVar

import anyio

from telnyx_core.actions import EngineAction, OpenPeer, PrepareMedia, StartTone, StopTone, TakeStats
from telnyx_core.facts import MediaFact, PeerStateChanged
from telnyx_core.ids import CallId
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.wakeup import CallSoon
from telnyx_drivers._leaving import leave_by, stay
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import EngineFactory, EngineSetup

T = TypeVar("T")

PENDING: Final = 1024
"""Orders, or facts, that may wait to cross. A call makes about ten of each; beyond this a side does not run at all."""
CLOSE_SECONDS: Final = 8.0
"""An engine bounds its own closing; this is for a media loop that does not run any more."""
SWITCH_INTERVAL: Final = 0.0005
"""Seconds that a busy thread of the application may keep the interpreter from the media thread while media runs.

Python's default of 5 ms let the lateness of a 20 ms pacer grow to 136 ms (99th percentile, five calls).
"""


class MediaLoop:
    """The process's media thread: it runs while at least one user holds it."""

    _guard: ClassVar[threading.Lock] = threading.Lock()
    _current: ClassVar["MediaLoop | None"] = None

    def __init__(self) -> None:
        self.users = 0
        self.loop = asyncio.new_event_loop()
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(self._switch_interval, SWITCH_INTERVAL))
        # A daemon: an application that forgets to close must still be able to end.
        self._thread = threading.Thread(target=self._run, name="telnyx-media", daemon=True)
        self._thread.start()

    @classmethod
    def acquire(cls) -> "MediaLoop":
        with cls._guard:
            if cls._current is None:
                cls._current = cls()
            cls._current.users += 1
            return cls._current

    @classmethod
    def forget(cls) -> None:
        cls._guard, cls._current = threading.Lock(), None

    def release(self) -> None:
        """The last one to leave stops the thread, and waits for it unless it hangs."""
        with self._guard:
            self.users -= 1
            if self.users:
                return
            MediaLoop._current = None
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(1.0)
        if self._thread.is_alive():
            logs.media.error("the media thread does not stop")
        sys.setswitchinterval(self._switch_interval)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        leave_by(stay)
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self._end())
        finally:
            self.loop.close()

    async def _end(self) -> None:
        current = asyncio.current_task()
        left = [task for task in asyncio.all_tasks() if task is not current]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=0.5)
        await self.loop.shutdown_asyncgens()


def _in_child() -> None:
    """The media thread does not exist in the child of a fork, and the lock may have been held at that moment."""
    MediaLoop.forget()


os.register_at_fork(after_in_child=_in_child)


class BridgedEngine:
    """A `MediaEngine` for the application's thread, in front of one that lives on the media loop.

    ``call_soon`` runs a function on the application's loop, from any thread; it may raise once that loop has ended.
    Raises what the factory raises.
    """

    def __init__(self, setup: EngineSetup, factory: EngineFactory, call_soon: CallSoon) -> None:
        self._report = setup.report
        self._audio_broke = setup.audio_broke
        self._app_soon = call_soon
        self._guard = threading.Lock()
        self._audios: dict[CallId, CallAudio] = {}
        self._facts: deque[MediaFact] = deque()
        self._orders = 0
        self._closed: anyio.Event | None = None
        inner = EngineSetup(self._told, setup.url, self._audio, setup.tls, setup.sources)
        self._media = MediaLoop.acquire()
        try:
            self._engine = self._call(lambda: factory(inner)).result()
        except BaseException:
            self._media.release()
            raise

    def perform(self, action: EngineAction) -> None:
        if isinstance(action, OpenPeer):
            self._audio(action.call)  # made on this side: its locks belong to the loop that makes them
        with self._guard:
            full = self._orders >= PENDING
            if not full:
                self._orders += 1
        if not full:
            # The application's context would make asyncio's tasks believe that they run on trio (sniffio).
            self._media.loop.call_soon_threadsafe(self._perform, action, context=Context())
        elif not isinstance(action, StartTone | StopTone | TakeStats | PrepareMedia):
            logs.media.error("the media loop does not keep up: %s", type(action).__name__)
            self._report(PeerStateChanged(action.media, "failed"))

    def audio(self, call: CallId) -> CallAudio:
        return self._audio(call)

    def release(self, call: CallId) -> None:
        self._audio(call).close()
        self._media.loop.call_soon_threadsafe(self._release, call)

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._closed is not None:
                await self._closed.wait()
                return
            self._closed = anyio.Event()
            done = anyio.Event()
            closing = asyncio.run_coroutine_threadsafe(self._engine.aclose(), self._media.loop)
            closing.add_done_callback(lambda _: self._call_soon(done.set))
            with anyio.move_on_after(CLOSE_SECONDS) as patience:
                await done.wait()
            if patience.cancelled_caught:
                logs.media.error("the media loop does not answer; its engine is left behind")
            for audio in list(self._audios.values()):
                audio.close()
            self._audios.clear()
            self._media.release()
            self._closed.set()

    # On the media loop.

    def _perform(self, action: EngineAction) -> None:
        with self._guard:
            self._orders -= 1
        self._engine.perform(action)

    def _release(self, call: CallId) -> None:
        self._engine.release(call)
        with self._guard:
            self._audios.pop(call, None)

    def _told(self, fact: MediaFact) -> None:
        with self._guard:
            if len(self._facts) >= PENDING:
                if not isinstance(self._facts[-1], PeerStateChanged) or self._facts[-1].media != fact.media:
                    self._facts.append(PeerStateChanged(fact.media, "failed"))
                logs.media.error("the application does not keep up: %s", type(fact).__name__)
                return
            self._facts.append(fact)
            first = len(self._facts) == 1
        if first:
            self._call_soon(self._deliver)

    # On either side.

    def _audio(self, call: CallId) -> CallAudio:
        with self._guard:
            audio = self._audios.get(call)
            if audio is None:
                audio = self._audios[call] = CallAudio(
                    call_soon=self._call_soon, report=partial(self._audio_broke, call)
                )
            return audio

    def _call(self, function: Callable[[], T]) -> "Future[T]":
        """Run a function on the media loop."""
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001  # it is raised where it was asked for
                future.set_exception(error)

        self._media.loop.call_soon_threadsafe(run)
        return future

    def _call_soon(self, function: Callable[[], None]) -> None:
        """Run it on the application's loop, or not at all once that has ended. An exception must not reach the loop."""

        def run() -> None:
            try:
                function()
            except Exception:  # noqa: BLE001  # trio treats one as an internal error
                logs.media.exception("a callback from the media thread failed")

        try:
            self._app_soon(run)
        except RuntimeError:
            # `trio.RunFinishedError`, or asyncio's "Event loop is closed": the application's loop has ended.
            logs.media.debug("the application's loop has ended")

    # On the application's loop.

    def _deliver(self) -> None:
        with self._guard:
            facts, self._facts = self._facts, deque()
        for fact in facts:
            self._report(fact)
