"""The half of a driver that never awaits: the same on every event loop.

Contract with the core: *mutate, drain, wait*. After anything that changes the session, every action is pulled and
performed at once; there is no ``await`` between an action and its performance, and performing one never calls the
session. What happens outside reaches the session as a fact through the inbox, which the run loop empties in `turn`.
So no re-entrancy has to be guarded against.
"""

import contextlib
import logging
import ssl as tls
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, assert_never

import anyio
import anyio.lowlevel

from telnyx_core._time.limits import MAX_FRAME_CHARS
from telnyx_core._wire.json_types import JsonView
from telnyx_core._wire.redaction import redact_url
from telnyx_core.actions import (
    AbandonPost,
    AbandonSocket,
    Action,
    AddCandidate,
    ApplyRemote,
    AskToken,
    ClosePeer,
    CloseSocket,
    CreateAnswer,
    CreateOffer,
    EngineAction,
    GiveUpUpload,
    MediaAction,
    Notify,
    OpenPeer,
    OpenSocket,
    OpenSource,
    Outcome,
    PostBody,
    PrepareMedia,
    RecordCall,
    Remember,
    SendDigits,
    SendText,
    SetDeaf,
    SetMaxBitRate,
    SetMuted,
    Settle,
    StartTone,
    StopTone,
    TakeStats,
    ToneAction,
    UseMedia,
    WriteDebug,
    WriteRecording,
    WriteReport,
)
from telnyx_core.catalogue import ErrorCode, make_error
from telnyx_core.errors import Failure, FailureKind
from telnyx_core.events import CallUpdated, CloseReason, ErrorRaised, Event, SessionClosed
from telnyx_core.facts import (
    AudioBroke,
    BinaryReceived,
    DigitSensed,
    Fact,
    NegotiationFailed,
    NetworkChanged,
    PostAnswered,
    PostFailed,
    RecordingFault,
    SocketClosed,
    SocketOpened,
    SocketRefused,
    TextReceived,
    TokenProvided,
    TokenRefused,
    UploadWritten,
)
from telnyx_core.ids import CallId, SocketId, Ticket
from telnyx_core.session import Session
from telnyx_drivers import _endings as endings
from telnyx_drivers import _logs as logs
from telnyx_drivers._audio.device_registry import AudioDevices
from telnyx_drivers._exceptions import DriverFailed, MediaUnavailable
from telnyx_drivers._guard import isolated, reason_of
from telnyx_drivers._services.debug_file import DebugFiles
from telnyx_drivers._services.last_reports import LastReports
from telnyx_drivers._services.network import NetworkWatch
from telnyx_drivers._services.recordings import Recordings
from telnyx_drivers._services.reports import Uploads, http_poster
from telnyx_drivers._services.sinks import CallSinks
from telnyx_drivers._services.tones import TonePlayer
from telnyx_drivers._stalls import Sleep, Stall
from telnyx_drivers._webrtc.ports import AnyLoop, EngineFactory, EngineSetup, MediaEngine
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.source_registry import SourceFactory
    from telnyx_drivers._webrtc.call_audio import AudioFault, CallAudio

_LAST_WORDS: Final = 1.0
"""Seconds for ``bye`` messages to reach the server after a fault of this package."""

INBOX_CHARS: Final = 1 << 20
INBOX_TEXTS: Final = 64
"""So much, or so many frames, waiting for the session; beyond it the socket's reader pauses, and with it the server."""


MAX_OUTBOX: Final = 4 << 20
"""Characters that may wait for a server: the frames of a thousand calls. One that lets more wait reads nothing."""
MAX_FRAGMENTS: Final = 4096
"""Of one message. Empty ones add nothing to its length, and each is some hundred bytes of memory."""
TOO_LONG: Final = f"a message of more than {MAX_FRAME_CHARS >> 20} MB was received"
TOO_MANY: Final = f"a message of more than {MAX_FRAGMENTS} fragments was received"


class Backlog:
    """How many characters wait for a server, and whether that is still reasonable."""

    def __init__(self) -> None:
        self.waiting = 0
        self._largest = 0

    def add(self, size: int) -> bool:
        """False: too much. What the application sends at once, such as an image, may be as large as it likes."""
        self._largest = max(self._largest if self.waiting else 0, size)
        self.waiting += size
        return self.waiting - self._largest <= MAX_OUTBOX

    def sent(self, size: int) -> None:
        self.waiting -= size

    @property
    def reproach(self) -> str:
        return f"the server does not read: {self.waiting} characters wait for it"


CallSoon: TypeAlias = Callable[[Callable[[], None]], None]


def _nowhere(function: Callable[[], None]) -> None:
    """Stands for a loop that does not exist, or that a signal cannot reach."""


class Line(Protocol):
    """One socket as the driver sees it. Nothing waits, nothing raises; what happens comes back as facts."""

    @property
    def backlog(self) -> int:
        """Characters that wait to be sent."""
        ...

    def send(self, text: str) -> None: ...

    def close(self) -> None:
        """Close politely once everything sent before has left; one `SocketClosed` follows."""
        ...

    def abandon(self) -> None:
        """Drop it now; nothing more is reported."""
        ...


class Promise:
    """The outcome of one ticket, which arrives later."""

    __slots__ = ("_outcome", "_settled")

    def __init__(self) -> None:
        self._settled = anyio.Event()
        self._outcome: Outcome | Exception | None = None

    def settle(self, outcome: Outcome | Exception) -> None:
        self._outcome = outcome
        self._settled.set()

    async def wait(self) -> Outcome:
        await self._settled.wait()
        assert self._outcome is not None, "settled without an outcome"
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Audience(Protocol):
    """The receiver of the events: the client."""

    def notify(self, event: Event) -> None:
        """Take note at once, while actions are being performed: no command and no application code here."""
        ...

    def deliver(self) -> None:
        """The application may be told now, and may give commands."""
        ...

    def remember(self, values: JsonView) -> None: ...

    def ask_token(self, action: AskToken) -> None: ...

    async def farewell(self) -> None:
        """Close as at the end of ``async with``, when the application does not."""
        ...

    def stopped(self, error: Exception | None) -> None:
        """The run loop has ended and no more events follow. ``error``: it ended by a fault of this package."""
        ...


class Driver(ABC):
    def __init__(
        self, session: Session, engine: EngineFactory, audience: Audience, *, ssl: tls.SSLContext | None = None
    ) -> None:
        self.session = session
        self.ssl = ssl
        """How servers are verified; ``None``: as Python does by default."""
        self.debug = False
        """What is logged is shown: the option of that name, from `start` on."""
        self._debug_files: DebugFiles | None = None
        self._last_reports: LastReports | None = None
        self._recordings: Recordings | None = None
        self.uploads = Uploads(self.spawn, lambda: http_poster(ssl), self.tell, lambda: self._recordings)
        self.network = NetworkWatch(lambda change: self.tell(NetworkChanged(change)), self._stranded)
        self.at_rest = True
        """No run loop is needed: the session is closed, or has not been started."""
        self.tones: TonePlayer | None = None
        self.media_thread = False
        """Whether an engine that needs asyncio has a thread and a loop of its own, where this loop could run it."""
        """Performs the tone actions; without one they are the engine's."""
        self.failure: DriverFailed | None = None
        """Set when the run loop has failed; this driver does nothing more."""
        self._running = False
        self._home: CallSoon = _nowhere
        self._audience = audience
        self._engine_factory = engine
        self.sources: dict[str, SourceFactory] = {}
        """The audio sources that calls may ask for by name."""
        self.devices = AudioDevices(self.sources)
        self.sinks = CallSinks(
            self.devices,
            live=lambda call: call in self.session.calls,
            audio=lambda call: self.engine().audio(call),
            spawn=self.spawn,
            broke=self._sink_broke,
        )
        self.preload: Sequence[str] = ()
        """Modules that the engine is made of; loaded in a thread, for it takes half a second."""
        self._loading: anyio.Event | None = None
        self._engine: MediaEngine | None = None
        self._url = ""
        self._ever_open = False
        self._hopeless: SocketId | None = None
        self._lines: dict[SocketId, Line] = {}
        self._promises: dict[Ticket, Promise] = {}
        self._inbox: deque[Fact] = deque()
        self._texts = 0
        self._chars = 0
        self._room: anyio.Event | None = None
        self._stall = Stall()
        self._sleep = Sleep()

    # What a loop provides.

    @property
    def running(self) -> bool:
        """Whether there is a loop, and a time."""
        return self._running

    @abstractmethod
    def now(self) -> float:
        """The loop's clock in seconds."""

    @abstractmethod
    def spawn(self, function: Callable[[], Awaitable[None]], ended: Callable[[], None] | None = None) -> object:
        """Run a function in a task that ends, at the latest, in `aclose`. What it raises is told, and ends it alone.

        ``ended`` is called once when it is over, even if it was cancelled before it began.
        """

    @abstractmethod
    async def shielded(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run a function to its end even if the caller is cancelled meanwhile; then let the cancellation through."""

    @abstractmethod
    async def cancel_tasks(self) -> None:
        """Cancel every task but the caller's own and wait for their end. Idempotent."""

    def _soon(self) -> CallSoon:
        """Runs a function on this loop, soon, from any thread and from a signal handler; never raises."""
        return _nowhere

    @abstractmethod
    def _dial(self, socket: SocketId, url: str) -> Line:
        """Begin to open a socket. The handle exists when this returns."""

    @abstractmethod
    def _wake(self) -> None:
        """The inbox or the deadline has changed: end the present or the next `_wait`."""

    @abstractmethod
    async def _wait(self, deadline: float | None) -> None:
        """Until `_wake`, or the deadline on the loop's clock."""

    # The run loop.

    def start(self) -> None:
        """See to it that the run loop runs. Raises `DriverFailed` when an earlier one broke off."""
        if self.failure is not None:
            raise self.failure
        if self.at_rest:
            self.at_rest = False
            options = self.session.options
            self.debug = options.debug
            if options.debug and options.debug_output == "file" and self._debug_files is None:
                self._debug_files = DebugFiles(
                    Path(options.debug_dir or "."), self.session.unwritten_debug, self.session.redactor
                )
            if options.enable_call_reports and self._last_reports is None:
                self._last_reports = LastReports(self.session, self.ssl)
            if options.enable_call_recording and self._recordings is None:
                self._recordings = Recordings(options, audio=lambda call: self.engine().audio(call), tell=self.tell)
            if not self._running:
                self._running = True
                self._home = self._soon()
                if self.preload and self._loading is None:
                    self._loading = anyio.Event()
                    self.spawn(partial(self._load, self._loading))
                endings.join(self)
                self.spawn(self._run, self._run_ended)

    async def _run(self) -> None:
        try:
            while not self.at_rest:
                await self._run_to_rest()
                self.network.stop()
                # Meanwhile the application may wish to connect again: hence the loop.
                await self._close_engine()
                await self._run_uploads()
        except Exception as error:  # noqa: BLE001  # whatever it is, the application gets it
            self._fail(error)
            await self._close_lines()
            await self._close_engine()
        except BaseException as error:
            if not self.at_rest:
                self._fail(error)
            await self._close_engine()
            raise

    def _run_ended(self) -> None:
        if not self.at_rest:
            self._fail(None)  # cancelled before it began
        self._running = False
        endings.leave(self)
        self._audience.stopped(self.failure)

    async def _run_to_rest(self) -> None:
        while True:
            deadline = self.turn()
            if self.at_rest:
                return
            await self._wait(deadline)

    async def _run_uploads(self) -> None:
        """The session has ended, and reports of its calls are still on their way."""
        deadline = self.session.next_timeout()
        while self.at_rest and self.session.uploading:
            await self._wait(deadline)
            deadline = self.turn()

    async def aclose(self) -> None:
        """Leave nothing behind: no task, no socket, no engine. Idempotent; the session should be closed by then."""
        endings.leave(self)  # also where a loop that was taken down has not told of the end of `_run`
        await self.cancel_tasks()
        await self.uploads.aclose()
        self.reported()
        if self._debug_files is not None:
            self._debug_files.close()
            self._debug_files = None
        await self._close_engine()

    # The end of the loop, or of the process, while a client has not been closed.

    async def farewell(self) -> None:
        """Send the ``bye`` messages within `endings.SECONDS`, whatever else is being taken down."""
        endings.leave(self)
        last, self._last_reports = self._last_reports, None  # an upload may be cut short: the rest goes at the exit
        with anyio.move_on_after(endings.SECONDS, shield=True):
            await self._audience.farewell()
        self._last_reports = last

    def home(self, function: Callable[[], None]) -> None:
        """Run a function on this loop, soon; from any thread, and from a signal handler."""
        self._home(function)

    def part(self, done: Callable[[], None]) -> None:
        """A signal ends the process (`endings.Party`)."""

        def begin() -> None:
            self.spawn(self.farewell, done)

        self._home(begin)

    def reported(self) -> None:
        """No more reports have to be sent, also not at the end of the process. Idempotent."""
        if self._last_reports is not None:
            self._last_reports.close()
            self._last_reports = None

    # Facts.

    @property
    def url(self) -> str:
        """Of the newest socket, without what would let a stranger take the session over."""
        return redact_url(self._url)

    def cannot_work(self, socket: SocketId) -> None:
        """This socket fails for a reason that another attempt does not change; its end is reported next."""
        self._hopeless = socket

    def _as_it_counts(self, fact: Fact) -> Fact:
        """Before any socket was ever open, a socket that cannot work is refused: waiting for it would be in vain."""
        match fact:
            case SocketOpened():
                self._ever_open = True
            case SocketClosed(socket, error=error) if socket == self._hopeless and not self._ever_open:
                if self.session.options.region is None:  # else another name is tried next (SIG-007)
                    return SocketRefused(socket, error)
            case _:
                pass
        return fact

    def reached(self, socket: SocketId, local: str, peer: str) -> None:
        """A socket is open between these addresses: from now on, watch the network for changes."""
        if self._last_reports is not None:
            self._last_reports.address = peer
        if self.network.reached(socket, local, peer):
            self.spawn(self.network.run)

    def _stranded(self, socket: SocketId) -> None:
        if (line := self._lines.get(socket)) is not None:
            line.abandon()
            self.tell(SocketClosed(socket, 1006, "", clean=False, error="the address that it was opened from is gone"))

    def tell(self, fact: Fact) -> None:
        """Report a fact, on the loop's own thread."""
        if isinstance(fact, TextReceived | BinaryReceived):
            self._texts += 1
            self._chars += _chars(fact)
        self._inbox.append(fact)
        self._wake()

    async def room(self) -> None:
        """Wait while the inbox holds as much as it may."""
        while self._texts >= INBOX_TEXTS or self._chars >= INBOX_CHARS:
            if self._room is None:
                self._room = anyio.Event()
            await self._room.wait()

    def turn(self) -> float | None:
        """Hand over facts, fire due timers, perform the actions, tell the application. Returns the next deadline."""
        with logs.of_client(self.debug):
            return self._turn()

    def _turn(self) -> float | None:
        session = self.session
        if self._sleep.noticed():
            self._inbox.append(NetworkChanged("resumed"))
        while self._inbox:
            fact = self._as_it_counts(self._inbox.popleft())
            self._log_fact(fact)
            if isinstance(fact, TextReceived | BinaryReceived):
                self._texts -= 1
                self._chars -= _chars(fact)
            elif isinstance(fact, SocketClosed | SocketRefused):
                self._lines.pop(fact.socket, None)
                self.network.left(fact.socket)
            session.receive(fact, now=self.now())
            self.drain()
        if self._room is not None:
            self._room.set()
            self._room = None
        deadline = session.next_timeout()
        if deadline is not None and deadline <= (now := self.now()) and not self._stall.reads_first(deadline, now):
            logs.signalling.debug("timer %s", session.next_timeout_reason())
            session.handle_timeout(now=now)
            self.drain()
        self._audience.deliver()
        deadline = session.next_timeout()
        return deadline if deadline is None or self._stall.until is None else max(deadline, self._stall.until)

    # Commands.

    def commanded(self) -> None:
        """After every command: perform what it led to, and let the run loop look at the new deadline.

        Raises `DriverFailed`: after a fault, the session gets no further commands.
        """
        if self.failure is not None:
            raise self.failure
        self.drain()
        if self._running:
            self._wake()
        else:
            self._audience.deliver()

    async def ask(self, command: Callable[[float], Ticket]) -> Outcome:
        """Give a command and wait for its outcome. Raises what the command raises, and `DriverFailed`."""
        if self.failure is not None:
            raise self.failure
        ticket = command(self.now())
        promise = self._promises[ticket] = Promise()
        self.commanded()
        return await promise.wait()

    async def _load(self, loaded: anyio.Event) -> None:
        try:
            with contextlib.suppress(ImportError):  # raised with a remedy where the engine is needed
                for module in self.preload:
                    await in_thread(partial(import_module, module), abandon_on_cancel=True)
        finally:
            loaded.set()

    async def engine_loaded(self) -> None:
        """Wait until the engine's modules are loaded, so that making it does not block the loop."""
        await anyio.lowlevel.checkpoint()
        if self._loading is not None:
            await self._loading.wait()

    def engine(self) -> MediaEngine:
        """The media engine, made on first use. Raises `MediaUnavailable`, whatever keeps it from being made."""
        if self._engine is None:
            setup = EngineSetup(self.tell, self._url, self._call_audio, self.ssl, self.sources, self._audio_broke)
            with isolated("the media engine", expected=(MediaUnavailable,)) as making:
                self._engine = self._make_engine(setup)
            if isinstance(making.fault, MediaUnavailable):
                raise making.fault
            if self._engine is None:
                reason = "the factory returned None" if making.fault is None else reason_of(making.fault)
                raise MediaUnavailable(f"the media engine cannot be made: {reason}") from making.fault
        return self._engine

    def _call_audio(self, call: CallId) -> "CallAudio":
        from telnyx_drivers._webrtc.call_audio import CallAudio  # needs the media extra

        return CallAudio(report=partial(self._audio_broke, call))

    def _audio_broke(self, call: CallId, fault: "AudioFault") -> None:
        self.tell(fault.as_fact(call))

    def _sink_broke(self, call: CallId, error: Exception) -> None:
        from telnyx_drivers._webrtc.call_audio import AudioFault

        logs.media.warning("call %s is heard through no sink: %s", call, error)
        self._audio_broke(call, AudioFault("sink", error))

    def use_media_thread(self, wanted: bool) -> None:
        """Raises ``ValueError`` where media cannot do without it."""
        if self.media_thread and not wanted:
            raise ValueError("media_thread cannot be False here: its libraries need asyncio")
        self.media_thread = wanted

    def _make_engine(self, setup: EngineSetup) -> MediaEngine:
        """An engine for this loop."""
        if not self.media_thread or isinstance(self._engine_factory, AnyLoop):
            return self._engine_factory(setup)
        try:
            from telnyx_drivers._webrtc.bridge import BridgedEngine
        except ModuleNotFoundError as error:
            raise MediaUnavailable.without(error) from error
        return BridgedEngine(setup, self._engine_factory, self._soon())

    def release(self, call: CallId) -> None:
        if self.tones is not None:
            self.tones.release(call)
        if self._engine is not None:
            with isolated("the media engine"):
                self._engine.release(call)

    # Actions.

    def drain(self) -> None:
        with logs.of_client(self.debug):
            while (action := self.session.next_action()) is not None:
                self.perform(action)

    def perform(self, action: Action) -> None:
        match action:
            case OpenSocket(socket, url):
                logs.signalling.info("opening socket %d to %s", socket, redact_url(url))
                self._url = url
                self._lines[socket] = self._dial(socket, url)
            case SendText(socket, text, drop_if_backlog_over):
                line = self._lines.get(socket)
                if line is not None and (drop_if_backlog_over is None or line.backlog <= drop_if_backlog_over):
                    if logs.signalling.isEnabledFor(logging.DEBUG):
                        said = (
                            self.session.redactor.text(text)
                            if drop_if_backlog_over is None
                            else f"{len(text)} characters for debugging"
                        )
                        logs.signalling.debug("socket %d sends %s", socket, said)
                    line.send(text)
            case CloseSocket(socket):
                if (line := self._lines.get(socket)) is not None:
                    line.close()
            case AbandonSocket(socket):
                if (line := self._lines.pop(socket, None)) is not None:
                    line.abandon()
            case (
                OpenPeer()
                | OpenSource()
                | CreateOffer()
                | CreateAnswer()
                | ApplyRemote()
                | AddCandidate()
                | UseMedia()
                | SetMuted()
                | SetDeaf()
                | SetMaxBitRate()
                | SendDigits()
                | TakeStats()
                | ClosePeer()
            ):
                self._perform_media(action)
            case StartTone() | StopTone():
                if self.tones is not None:
                    self.tones.perform(action)
                else:
                    self._perform_media(action)
            case PrepareMedia():
                self.spawn(lambda: self._prepare(action))
            case Settle(ticket, outcome):
                if (promise := self._promises.pop(ticket, None)) is not None:
                    promise.settle(outcome)
            case WriteReport() | RecordCall() | WriteRecording() | PostBody() | AbandonPost() | GiveUpUpload():
                self.uploads.perform(action)
            case AskToken():
                self._audience.ask_token(action)
            case WriteDebug():
                self._write_debug(action)
            case Remember(values):
                self._audience.remember(values)
            case Notify(event):
                if isinstance(event, SessionClosed):
                    self.at_rest = True
                elif isinstance(event, CallUpdated):
                    self.sinks.note(event.call)
                self._audience.notify(event)
            case _:
                assert_never(action)

    def _write_debug(self, action: WriteDebug) -> None:
        assert self._debug_files is not None, "the session has the options that the driver was started with"
        self.spawn(self._debug_files.write(action))

    async def _prepare(self, action: PrepareMedia) -> None:
        """After the application was told that it may place calls: loading an engine takes half a second."""
        await self.engine_loaded()
        if not self.at_rest:
            with contextlib.suppress(MediaUnavailable):
                self._perform(self.engine(), action)

    def _perform_media(self, action: MediaAction | ToneAction) -> None:
        try:
            engine = self.engine()
        except MediaUnavailable as error:
            # Commands that need an engine were refused before they reached the session; this is an attach.
            logs.media.error("%s", error)
            if isinstance(action, OpenPeer):
                self.tell(NegotiationFailed(action.media, "other", str(error)))
            return
        self._log(logs.media, logging.DEBUG, action)
        self._perform(engine, action)

    def _perform(self, engine: MediaEngine, action: EngineAction) -> None:
        with isolated("the media engine") as performing:
            engine.perform(action)
        if performing.fault is not None and not isinstance(action, StartTone | StopTone | PrepareMedia):
            self.tell(NegotiationFailed(action.media, "other", reason_of(performing.fault)))

    # The end.

    async def _close_engine(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            with isolated("the media engine"):
                await engine.aclose()

    def _fail(self, error: BaseException | None) -> None:
        """The run loop failed before the session was closed: wake everything that waits."""
        if isinstance(error, Exception):
            logs.client.critical("a fault stopped the client", exc_info=error)
        self.network.stop()
        self.at_rest = True
        self._say_byes()
        if self.tones is not None:
            self.tones.stop()
        self.failure = DriverFailed("the client's run loop has ended")
        self.failure.__cause__ = error
        for line in self._lines.values():
            if isinstance(error, Exception):
                line.close()
            else:
                line.abandon()
        self._inbox.clear()
        self._texts = self._chars = 0
        for promise in self._promises.values():
            promise.settle(self.failure)
        self._promises.clear()
        reason = Failure(FailureKind.PROTOCOL, "the client broke off" if error is None else reason_of(error))
        self._audience.notify(ErrorRaised(error=make_error(ErrorCode.UNEXPECTED_ERROR, reason)))
        self._audience.notify(SessionClosed(CloseReason.LOST))
        self._audience.deliver()

    def _say_byes(self) -> None:
        """Of the actions that the failed session still returns, perform only what goes to the server."""
        try:
            self.session.disconnect(now=self.now())
            while (action := self.session.next_action()) is not None:
                if isinstance(action, SendText) and (line := self._lines.get(action.socket)) is not None:
                    line.send(action.text)
        except Exception as error:  # noqa: BLE001  # the session has failed once already
            logs.client.error("not every call could be hung up: %s", reason_of(error))

    async def _close_lines(self) -> None:
        """Close the sockets normally, so that what was sent arrives, but only for a short time."""
        until = self.now() + _LAST_WORDS
        while self._lines and self.now() < until:
            await self._wait(until)
            for fact in self._inbox:
                if isinstance(fact, SocketClosed | SocketRefused):
                    self._lines.pop(fact.socket, None)
            self._inbox.clear()
        for line in self._lines.values():
            line.abandon()
        self._lines.clear()

    async def revive(self, session: Session) -> None:
        """After a failure: use a fresh session, and keep nothing of the former one."""
        await self.aclose()
        self.session, self.failure = session, None
        self._ever_open = False

    # The log: what is said there went through the session's redactor, which knows the client's secrets.

    def _log_fact(self, fact: Fact) -> None:
        match fact:
            case TextReceived(socket, text):
                if logs.signalling.isEnabledFor(logging.DEBUG):
                    logs.signalling.debug("socket %d received %s", socket, self.session.redactor.text(text))
            case SocketOpened() | SocketRefused() | SocketClosed():
                self._log(logs.signalling, logging.INFO, fact)
            case BinaryReceived() | NetworkChanged() | RecordingFault() | AudioBroke() | DigitSensed():
                self._log(logs.signalling, logging.DEBUG, fact)
            case TokenProvided() | TokenRefused():
                self._log(logs.client, logging.DEBUG, fact)
            case UploadWritten() | PostAnswered() | PostFailed():
                self._log(logs.reports, logging.DEBUG, fact)
            case _:
                self._log(logs.media, logging.DEBUG, fact)

    def _log(self, logger: logging.Logger, level: int, what: object) -> None:
        if logger.isEnabledFor(level):
            logger.log(level, "%s", self.session.redactor.plain(str(what)))


def _chars(fact: TextReceived | BinaryReceived) -> int:
    return len(fact.text) if isinstance(fact, TextReceived) else 0
