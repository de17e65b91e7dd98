"""What an application holds: the client, the same on every loop. Import it from `telnyx_drivers.asyncio` or `.trio`."""

import os
import random
import ssl as tls
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self, TypeGuard, Unpack

import anyio
import anyio.lowlevel
from attrs import field, frozen

from telnyx_core.actions import Done, Failed
from telnyx_core.errors import TelnyxError
from telnyx_core.events import (
    CallInfo,
    CallUpdated,
    CloseReason,
    ErrorRaised,
    Event,
    MediaRecovery,
    Ready,
    SessionClosed,
    WarningRaised,
)
from telnyx_core.ids import CallId
from telnyx_core.json_types import JsonView
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.session import Session
from telnyx_core.states import CallState, SessionState
from telnyx_drivers import logs
from telnyx_drivers.calls import CallHandle
from telnyx_drivers.driver import Driver
from telnyx_drivers.emitter import Broadcast, EventStream, Handler, Handlers, name_of, run_isolated
from telnyx_drivers.exceptions import ConnectionFailed, LoginFailed, MediaUnavailable, TelnyxClientError
from telnyx_drivers.journal import Journal, RecordedSession
from telnyx_drivers.keywords import CallKeywords, ClientKeywords, LoginKeywords
from telnyx_drivers.media.ports import EngineFactory, EngineSetup, MediaEngine
from telnyx_drivers.store import Store

MAX_FRAME: Final = 1 << 20
"""Bytes of one WebSocket message; a longer one closes the socket with 1009."""

CONNECT_TIMEOUT: Final = 60.0
READY_TIMEOUT: Final = 10.0
"""Seconds for `Client.new_call` with ``wait_for_ready`` (CALL-121)."""

_LOGIN_ERRORS: Final = frozenset({46001, 46002})


@frozen(kw_only=True)
class MediaRecoveryError(ErrorRaised):
    """The ``telnyx.error`` of a microphone that may be tried again (MEDIA-300), with the two ways on from it."""

    resume: Callable[[], bool] = field(repr=False, eq=False)
    """Try again; False when it is too late for that."""
    reject: Callable[[], bool] = field(repr=False, eq=False)
    """Give up and end the call; False when it is too late for that."""


class MediaRecoveryFailed(Exception):
    """What ``on_error`` of the media permissions recovery is called with: retry failed, rejected, or out of time."""


def is_media_recovery_error_event(event: object) -> TypeGuard[MediaRecoveryError]:
    """True exactly when the event can be answered with ``resume()`` or ``reject()`` (MEDIA-301)."""
    return isinstance(event, MediaRecoveryError) and event.recoverable


isMediaRecoveryErrorEvent = is_media_recovery_error_event  # noqa: N816  # the seed's spelling


def default_engine(setup: EngineSetup) -> MediaEngine:
    """The aiortc engine. Raises `MediaUnavailable` when the ``media`` extra is not installed."""
    try:
        from telnyx_drivers.media.engine import AiortcEngine, settings_for
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("telnyx_"):
            raise
        raise MediaUnavailable(
            f"calls need the media extra, but {error.name} is missing: pip install 'telnyx-rtc[media]'"
        ) from error
    return AiortcEngine(setup.report, settings=settings_for(setup.url), call_audio=setup.call_audio)


class Client(ABC):
    """A Telnyx WebRTC client.

    Give the options as keywords, as one `ClientOptions`, or with `from_mapping` in the documents' spelling. Within
    ``async with`` it is connected and registered; leaving the block hangs up, disconnects, and leaves no task, thread,
    socket or file, also after an exception or a cancellation. `connect` and `disconnect` do the same by hand.

    ``engine`` makes the media engine on first use; ``store`` keeps the session's values for a later process; ``rng``
    makes ids and delays reproducible; ``ssl`` replaces the default TLS settings, which verify the server;
    ``connect_timeout`` is in seconds, ``None`` for as long as the session itself goes on trying; ``journal`` names a
    file for everything that the session is told and does, without its secrets (`telnyx_drivers.journal`).

    Raises `telnyx_core.errors.OptionsError` for options that cannot be used.
    """

    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        engine: EngineFactory = default_engine,
        store: Store | None = None,
        rng: random.Random | None = None,
        ssl: tls.SSLContext | None = None,
        connect_timeout: float | None = CONNECT_TIMEOUT,
        journal: str | os.PathLike[str] | None = None,
        **keywords: Unpack[ClientKeywords],
    ) -> None:
        if options is not None and keywords:
            raise TypeError("give either options or keywords, not both")
        self.options = options or ClientOptions(**keywords)
        if self.options.debug:
            logs.enable_debug()
        self._store = store
        remembered = store.load() if store is not None else None
        self._journal = Journal(journal) if journal is not None else None
        self._session = (
            Session(self.options, rng=rng or random.SystemRandom(), remembered=remembered)
            if self._journal is None
            else RecordedSession(self.options, journal=self._journal, remembered=remembered)
        )
        self._driver = self._make_driver(self._session, engine, ssl)
        self._connect_timeout = connect_timeout
        self._handles: dict[CallId, CallHandle] = {}
        self._ringing: dict[CallId, CallHandle] = {}
        self._rang: anyio.Event | None = None
        self._broadcast = Broadcast[Event]()
        self._handlers = Handlers()
        self._undelivered: deque[tuple[Event, CallHandle | None]] = deque()
        self._stopped: anyio.Event | None = None
        self._rest: TelnyxClientError | None = None
        self._error: TelnyxError | None = None

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, object],
        *,
        engine: EngineFactory = default_engine,
        store: Store | None = None,
        rng: random.Random | None = None,
        ssl: tls.SSLContext | None = None,
        connect_timeout: float | None = CONNECT_TIMEOUT,
        journal: str | os.PathLike[str] | None = None,
    ) -> Self:
        """As the constructor, from the documents' spelling: ``{"login_token": ..., "trickleIce": True}``."""
        options = ClientOptions.from_mapping(mapping)
        return cls(
            options,
            engine=engine,
            store=store,
            rng=rng,
            ssl=ssl,
            connect_timeout=connect_timeout,
            journal=journal,
        )

    @abstractmethod
    def _make_driver(self, session: Session, engine: EngineFactory, ssl: tls.SSLContext | None) -> Driver: ...

    # Connecting.

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self._driver.shielded(self._shut_down)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._driver.shielded(self._shut_down)

    async def connect(self) -> None:
        """Connect, log in, and wait until registered; at once when it is so already.

        Raises `LoginFailed` for credentials that are refused (the socket stays, `login` may try others) and
        `ConnectionFailed` when the session gives up or ``connect_timeout`` passes (it then goes on trying).
        """
        if self._session.state is SessionState.READY and self._driver.failure is None:
            await anyio.lowlevel.checkpoint()
            return
        stream = self.events()
        if self._stopped is None or self._stopped.is_set():
            self._stopped = anyio.Event()
        self._rest = None
        self._error = None
        self._driver.start()
        self._session.connect(now=self._driver.now())
        self._driver.commanded()
        with anyio.move_on_after(self._connect_timeout):
            async for event in stream:
                match event:
                    case Ready():
                        return
                    case ErrorRaised() if event.code in _LOGIN_ERRORS:
                        raise LoginFailed(event.message, error=event.error, failure=event.error.original)
                    case SessionClosed(reason):
                        raise self._refusal(reason)
                    case _:
                        pass
        raise ConnectionFailed(f"not registered within {self._connect_timeout} seconds", error=self._error)

    async def disconnect(self) -> None:
        """Hang up every call and close the socket; returns when all is released, at most some seconds later.

        Handlers stay registered (SIG-422), and `connect` may follow. Idempotent (SIG-281).
        """
        if self._stopped is None:
            await anyio.lowlevel.checkpoint()
            return
        if self._driver.failure is None:
            self._session.disconnect(now=self._driver.now())
            self._driver.commanded()
        await self._stopped.wait()

    async def _shut_down(self) -> None:
        try:
            await self.disconnect()
        finally:
            await self._driver.aclose()
            if self._journal is not None:
                self._journal.close()

    async def login(self, credentials: Mapping[str, object] | None = None, **keywords: Unpack[LoginKeywords]) -> None:
        """Log in on the live socket with new credentials: a fresh token, or another user (SIG-245).

        Raises `LoginFailed` when they are refused or there is no socket, `InvalidCredentials` when they are unusable.
        """
        given = {**(credentials or {}), **keywords}
        match await self._driver.ask(lambda now: self._session.login(given, now=now)):
            case Done():
                return
            case Failed(failure):
                error = self._error if self._error is not None and self._error.original == failure else None
                raise LoginFailed(str(failure), error=error, failure=failure)

    async def is_registered(self) -> bool:
        """Ask the server whether this session is registered now."""
        match await self._driver.ask(lambda now: self._session.is_registered(now=now)):
            case Done(value):
                return value.get("registered") is True
            case Failed():
                return False

    get_is_registered = is_registered

    def clear_reconnect_token(self) -> None:
        """Forget what would lead the next socket back to the same server and session (SIG-234)."""
        self._session.clear_reconnect_token()
        self._driver.commanded()

    # Looking (SIG-423).

    @property
    def state(self) -> SessionState:
        return self._session.state

    @property
    def connected(self) -> bool:
        """The socket is open."""
        return self._session.connected

    @property
    def session_id(self) -> str | None:
        return self._session.session_id

    @property
    def region(self) -> str | None:
        return self._session.region

    @property
    def dc(self) -> str | None:
        return self._session.dc

    @property
    def call_report_id(self) -> str | None:
        return self._session.call_report_id

    # Calls.

    @property
    def calls(self) -> Mapping[CallId, CallHandle]:
        """Every call that is not yet released, by id; a copy."""
        return dict(self._handles)

    def call(self, call: str) -> CallHandle | None:
        """The call of this id, or ``None`` once it is released."""
        return self._handles.get(CallId(call))

    async def new_call(
        self,
        destination: str | CallOptions | Mapping[str, object] = "",
        *,
        on_notification: Handler | None = None,
        wait_for_ready: bool = False,
        **keywords: Unpack[CallKeywords],
    ) -> CallHandle:
        """Call a number, a SIP URI or a user; ``""`` for the assistant of an anonymous login.

        Instead of keywords, a `CallOptions` or a mapping in the documents' spelling may stand in the first place. The
        call is returned as soon as it exists, in state ``new``; `CallHandle.wait_for_state` tells when it is
        ``active``. ``on_notification`` hears its notifications instead of the client's handlers (CALL-551).

        Raises `InvalidCallParameters`, `NotConnected` or `NotReady` (``wait_for_ready`` waits up to ten seconds
        first), and `MediaUnavailable` without the ``media`` extra.
        """
        if isinstance(destination, str):
            options = CallOptions(destination_number=destination, **keywords)
        elif keywords:
            raise TypeError("give either options or keywords, not both")
        else:
            options = destination if isinstance(destination, CallOptions) else CallOptions.from_mapping(destination)
        if wait_for_ready:
            await self._wait_ready()
        await anyio.lowlevel.checkpoint()
        self._driver.engine()
        call = self._session.new_call(options, now=self._driver.now())
        handle = self._handles[call] = CallHandle(self._driver, self._session.call(call), on_notification)
        self._driver.commanded()
        return handle

    def incoming(self) -> AsyncIterator[CallHandle]:
        """Calls that ring here, each once, whoever of several iterators comes first; also those already ringing.

        Ends when the client is disconnected; raises `ConnectionFailed` when the session gave up.
        """
        return _Incoming(self._next_incoming)

    async def _next_incoming(self) -> CallHandle:
        await anyio.lowlevel.checkpoint()
        while True:
            while self._ringing:
                handle = self._ringing.pop(next(iter(self._ringing)))
                if handle.state is CallState.RINGING:
                    handle.offered = True
                    return handle
            if self._rest is not None:
                raise self._rest
            if self._stopped is not None and self._driver.at_rest:
                raise StopAsyncIteration
            if self._rang is None:
                self._rang = anyio.Event()
            await self._rang.wait()

    async def _wait_ready(self) -> None:
        stream = self.events()
        with anyio.move_on_after(READY_TIMEOUT):
            while self._session.state is not SessionState.READY:
                try:
                    await anext(stream)
                except StopAsyncIteration:
                    return

    # Events.

    def events(self) -> EventStream[Event]:
        """Every event from now on, as an asynchronous iterator that ends after `SessionClosed`."""
        return self._broadcast.stream()

    def on(self, event: str | type[Event], handler: Handler) -> None:
        """Call ``handler`` with every event of a name (``"telnyx.ready"``) or a type (`Ready`).

        Handlers run in the order of their registration (SIG-421), after everything the event is about has been done,
        so that they may command freely. One that returns an awaitable goes on in a task of its own. What they raise is
        logged. Raises ``ValueError`` for a name that does not exist.
        """
        self._handlers.add(event, handler)

    def off(self, event: str | type[Event], handler: Handler | None = None) -> None:
        """Take back one registration of ``handler``, or every handler of the event (SIG-422)."""
        self._handlers.remove(event, handler)

    # What the driver tells (driver.Audience).

    def notify(self, event: Event) -> None:
        handle = self._take_note(event)
        if isinstance(event, ErrorRaised) and event.recoverable and handle is not None:
            event = _with_ways_on(event, handle)
        self._broadcast.publish(event)
        if handle is not None:
            handle.publish(event)
        if isinstance(event, SessionClosed):
            self._broadcast.end()
        self._undelivered.append((event, handle))

    def deliver(self) -> None:
        spawn = self._driver.spawn
        while self._undelivered:
            event, handle = self._undelivered.popleft()
            if isinstance(event, MediaRecovery):
                self._call_back(event)
            if handle is not None and handle.on_notification is not None and name_of(event) == "telnyx.notification":
                run_isolated(handle.on_notification, spawn, event)
            else:
                self._handlers.call(event, spawn)
            if handle is not None:
                handle.deliver(event, spawn)

    def remember(self, values: JsonView) -> None:
        if self._store is not None:
            self._store.save(values)

    def stopped(self, error: Exception | None) -> None:
        if error is not None:
            self._rest = error if isinstance(error, TelnyxClientError) else self._rest
            self._broadcast.end(error)
            for handle in self._handles.values():
                handle.give_up(error)
        self._handles.clear()
        self._ringing.clear()
        self._wake_incoming()
        if self._stopped is not None:
            self._stopped.set()

    def _take_note(self, event: Event) -> CallHandle | None:
        match event:
            case CallUpdated(info):
                return self._note_call(info)
            case ErrorRaised():
                logs.client.warning("error %d %s: %s", event.code, event.name, event.error.original or event.message)
                handle = self._handle_of(event)
                if handle is not None:
                    handle.note_error(event.error)
                else:
                    self._error = event.error
                return handle
            case WarningRaised():
                logs.client.warning("warning %d %s: %s", event.code, event.name, event.message)
            case SessionClosed(reason):
                self._rest = None if reason is CloseReason.DISCONNECTED else self._refusal(reason)
                self._wake_incoming()
            case _:
                pass
        return self._handle_of(event)

    def _note_call(self, info: CallInfo) -> CallHandle:
        handle = self._handles.get(info.id)
        if handle is None:
            handle = self._handles[info.id] = CallHandle(self._driver, info)
        handle.note(info)
        if info.state is CallState.RINGING and info.direction == "inbound" and not handle.offered:
            self._ringing[info.id] = handle
            self._wake_incoming()
        elif info.state is not CallState.RINGING:
            self._ringing.pop(info.id, None)
        if info.state is CallState.DESTROY:
            del self._handles[info.id]
            self._driver.release(info.id)
        return handle

    def _handle_of(self, event: Event) -> CallHandle | None:
        call: object = getattr(event, "call", None)
        return self._handles.get(CallId(call)) if isinstance(call, str) else None

    def _wake_incoming(self) -> None:
        if self._rang is not None:
            self._rang.set()
            self._rang = None

    def _refusal(self, reason: CloseReason) -> ConnectionFailed:
        text = self._error.message if self._error is not None else "the session has ended"
        return ConnectionFailed(f"{text} ({reason.value})", error=self._error, reason=reason)

    def _call_back(self, event: MediaRecovery) -> None:
        recovery = self.options.media_permissions_recovery
        if event.recovered:
            if recovery.on_success is not None:
                run_isolated(recovery.on_success, self._driver.spawn)
        elif recovery.on_error is not None:
            run_isolated(recovery.on_error, self._driver.spawn, MediaRecoveryFailed(event.reason))


class _Incoming(AsyncIterator[CallHandle]):
    def __init__(self, following: Callable[[], Awaitable[CallHandle]]) -> None:
        self._following = following

    async def __anext__(self) -> CallHandle:
        return await self._following()


def _with_ways_on(event: ErrorRaised, handle: CallHandle) -> MediaRecoveryError:
    return MediaRecoveryError(
        error=event.error,
        session_id=event.session_id,
        call=event.call,
        recoverable=True,
        retry_deadline=event.retry_deadline,
        custom_headers=event.custom_headers,
        resume=handle.resume_media,
        reject=handle.reject_media,
    )
