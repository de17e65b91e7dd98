"""The client as applications use it, the same on every loop. Import it from `telnyx_drivers.asyncio` or `.trio`."""

import os
import random
import ssl as tls
import time
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, Unpack, cast, overload

import anyio
import anyio.lowlevel

from telnyx_core._signalling.speed import SpeedTestResult
from telnyx_core._signalling.token import expiry
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import AskToken, Done, Failed, Outcome
from telnyx_core.catalogue import ErrorCode, make_error
from telnyx_core.errors import Failure, FailureKind, InvalidCredentials, TelnyxError
from telnyx_core.events import (
    CallUpdated,
    CloseReason,
    ErrorRaised,
    Event,
    IceServerFailed,
    MediaRecovery,
    Ready,
    SessionClosed,
    TranscriptItem,
    WarningRaised,
    dated,
)
from telnyx_core.facts import NetworkChange, NetworkChanged
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CallOptions, ClientOptions, Region
from telnyx_core.session import Session
from telnyx_core.states import SessionState
from telnyx_drivers import _logs as logs
from telnyx_drivers._arguments import checked, checked_with, client_arguments, function, keywords_of, seconds
from telnyx_drivers._audio.audio_devices import AudioDevice, SinkFactory
from telnyx_drivers._calls import CallHandle, CallNotification, notification
from telnyx_drivers._driver import Driver
from telnyx_drivers._emitter import Broadcast, Emits, EventStream, Handlers, name_of
from telnyx_drivers._exceptions import CallFailed, ConnectionFailed, LoginFailed, MediaUnavailable, TelnyxClientError
from telnyx_drivers._functions import TIME_LIMIT, F, Functions, client_tool
from telnyx_drivers._guard import Handler, isolated, run_isolated
from telnyx_drivers._keywords import CallKeywords, ClientKeywords, LoginKeywords
from telnyx_drivers._recovery import call_back, with_recovery_actions
from telnyx_drivers._registry import CallRegistry
from telnyx_drivers._services.journal import Journal, RecordedSession
from telnyx_drivers._services.store import FileStore, Store
from telnyx_drivers._services.tokens import TokenProvider, Tokens, is_mistake, with_stand_in
from telnyx_drivers._services.tones import Loudspeaker, TonePlayer, ToneSink
from telnyx_drivers._serving import DRAIN, Serve, Service
from telnyx_drivers._webrtc.ports import EngineFactory, EngineSetup, MediaEngine
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.source_registry import SourceFactory

MAX_FRAME: Final = 1 << 20
"""Bytes of one WebSocket message; a longer one closes the socket with 1009."""

CONNECT_TIMEOUT: Final = 60.0
READY_TIMEOUT: Final = 10.0
"""Seconds for `Client.new_call` with ``wait_for_ready``."""

_LOGIN_ERRORS: Final = frozenset({46001, 46002})


_ENGINE: Final = ("numpy", "av", "cryptography.x509", "OpenSSL.SSL", "ifaddr", "telnyx_drivers._webrtc.engine")
"""What `default_engine` loads, in steps: a program that ends meanwhile waits for one of them and not for all."""


def default_engine(setup: EngineSetup) -> MediaEngine:
    """The media engine. Raises `MediaUnavailable` when the ``media`` extra is not installed."""
    try:
        from telnyx_drivers._webrtc.engine import OpusSettings, engine_with
    except ModuleNotFoundError as error:
        raise MediaUnavailable.without(error) from error
    return engine_with(opus=OpusSettings())(setup)


class Client(Emits[CallNotification]):
    """A Telnyx WebRTC client.

    Give the options as keywords, as one `ClientOptions`, or with `from_mapping` in the documents' spelling. Within
    ``async with`` it is connected and registered; leaving the block hangs up, disconnects, and leaves no task, thread,
    socket or file, also after an exception or a cancellation; with ``hangup_on_before_unload=False`` it only `leave`s.
    `connect` and `disconnect` do the same by hand.

    ``token_provider`` returns a login token whenever one is needed, and makes every other login method needless: it is
    asked before connecting, before a token ends, and when credentials are refused.

    ``engine`` makes the media engine on first use; ``store`` keeps the session's values for a later process; ``rng``
    makes ids and delays reproducible; ``ssl`` replaces the default TLS settings, which verify every server;
    ``connect_timeout`` is in seconds, ``None`` for as long as the session itself keeps trying; ``journal`` names a
    file that records all facts, commands and actions, without secrets; ``tone_sink`` gets the ringtone and
    the ringback tone, where the options name files for them, as frames of 20 ms; without one they are played through
    this machine's loudspeaker, with the ``devices`` extra.

    ``media_thread=True`` gives media a thread and a loop of its own, ``telnyx-media``, one for all clients: audio that
    is queued or played is still sent on time while a handler blocks this loop, and received audio waits. Sources that
    are registered are opened there too. On trio it is always so; elsewhere it is optional, because it costs CPU time.

    Raises `telnyx_core.errors.OptionsError` for options that cannot be used.
    """

    def __init__(
        self,
        options: ClientOptions | None = None,
        *,
        token_provider: TokenProvider | None = None,
        engine: EngineFactory = default_engine,
        store: Store | None = None,
        rng: random.Random | None = None,
        ssl: tls.SSLContext | None = None,
        connect_timeout: float | None = CONNECT_TIMEOUT,
        journal: str | os.PathLike[str] | None = None,
        tone_sink: ToneSink | None = None,
        media_thread: bool | None = None,
        **keywords: Unpack[ClientKeywords],
    ) -> None:
        client_arguments(
            options=options,
            token_provider=token_provider,
            engine=engine,
            store=store,
            rng=rng,
            ssl=ssl,
            connect_timeout=connect_timeout,
            journal=journal,
            tone_sink=tone_sink,
            media_thread=media_thread,
        )
        keywords_of(ClientOptions, keywords, "TelnyxRTC.from_mapping({...})")
        if options is not None and keywords:
            raise TypeError("give either options or keywords, not both")
        if options is None and token_provider is not None:
            options = ClientOptions.from_mapping(with_stand_in(keywords))
        self.options = options or ClientOptions(**keywords)
        self._store = store
        remembered = self._remembered()
        self._journal = Journal(journal) if journal is not None else None
        self._session = (
            Session(self.options, rng=rng or random.SystemRandom(), remembered=remembered)
            if self._journal is None
            else RecordedSession(self.options, journal=self._journal, rng=rng, remembered=remembered)
        )
        self._driver = self._make_driver(self._session, engine, ssl)
        if media_thread is not None:
            self._driver.use_media_thread(media_thread)
        if engine is default_engine:
            self._driver.preload = _ENGINE
        if tone_sink is not None or self.options.ringtone_file or self.options.ringback_file:
            self._play_tones(tone_sink or Loudspeaker())
        self._tokens = None if token_provider is None else self._ask_for_tokens(token_provider)
        self._connect_timeout = connect_timeout
        self._calls = CallRegistry(self._driver)
        self._functions = Functions(
            spawn=self._driver.spawn,
            send=self._send_ai_item,
            handle=self._calls.meant_by,
            plain=lambda said: self._session.redactor.plain(said),
        )
        self._broadcast = Broadcast[Event]()
        self._handlers = Handlers()
        self._watchers = Handlers()
        """Hear every event before the application does, also those of calls with ``on_notification``: telemetry."""
        self._undelivered: deque[tuple[Event, CallHandle | None]] = deque()
        self._stopped: anyio.Event | None = None
        self._error: TelnyxError | None = None

    @classmethod
    def from_mapping(
        cls,
        mapping: Mapping[str, object],
        *,
        token_provider: TokenProvider | None = None,
        engine: EngineFactory = default_engine,
        store: Store | None = None,
        rng: random.Random | None = None,
        ssl: tls.SSLContext | None = None,
        connect_timeout: float | None = CONNECT_TIMEOUT,
        journal: str | os.PathLike[str] | None = None,
        tone_sink: ToneSink | None = None,
        media_thread: bool | None = None,
    ) -> Self:
        """As the constructor, from the documents' spelling: ``{"login_token": ..., "trickleIce": True}``."""
        options = ClientOptions.from_mapping(mapping if token_provider is None else with_stand_in(mapping))
        return cls(
            options,
            token_provider=token_provider,
            engine=engine,
            store=store,
            rng=rng,
            ssl=ssl,
            connect_timeout=connect_timeout,
            journal=journal,
            tone_sink=tone_sink,
            media_thread=media_thread,
        )

    def _play_tones(self, sink: ToneSink) -> TonePlayer:
        tones = self._driver.tones = TonePlayer(sink, self.options, self._driver.spawn, ssl=self._driver.ssl)
        return tones

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
        if error is None and self._driver.failure is not None:
            raise self._driver.failure

    async def connect(self) -> None:
        """Connect, log in, and wait until registered; at once when it is so already.

        Raises `LoginFailed` for credentials that are refused (the socket stays, `login` may try others), also as
        `TokenProviderFailed`, and `ConnectionFailed` when the session gives up or ``connect_timeout`` passes (it then
        keeps trying).
        """
        if self._driver.failure is not None:
            await self._revive()
        if self._session.state is SessionState.READY:
            await anyio.lowlevel.checkpoint()
            return
        stream = self.events()
        self._error = None
        with anyio.move_on_after(self._connect_timeout):
            if self._tokens is not None:
                await self._tokens.before_connect()
            if self._stopped is None or self._stopped.is_set():
                self._stopped = anyio.Event()
            self._calls.open()
            self._driver.start()
            if self._tokens is not None:
                self._session.provide_tokens(now=self._driver.now())
            self._session.connect(now=self._driver.now())
            self._driver.commanded()
            await self._until_ready(stream)
            return
        raise self._too_late()

    async def _until_ready(self, stream: EventStream[Event]) -> None:
        async for event in stream:
            match event:
                case Ready():
                    return
                case ErrorRaised() if event.code in _LOGIN_ERRORS and not is_mistake(event):
                    if not (self._session.renewing or self._session.state is SessionState.READY):
                        raise self._login_failed(event.message, event.error, event.error.original)
                case SessionClosed(reason):
                    raise self._refusal(reason)
                case _:
                    pass
        raise self._too_late()

    def _too_late(self) -> ConnectionFailed:
        where = f" at {self._driver.url}" if self._driver.url else ""
        why = _because(self._error)
        if not where and self._tokens is not None:
            why = ": the token provider has not answered"
        within = "" if self._connect_timeout is None else f" within {self._connect_timeout:g} seconds"
        return ConnectionFailed(f"not registered{within}{where}{why}", error=self._error)

    async def _revive(self) -> None:
        """A fault of this package ended the client: start again with a fresh session, as a new process would."""
        self._session = Session(self._session.options, rng=random.SystemRandom(), remembered=self._remembered())
        await self._driver.revive(self._session)

    def _remembered(self) -> JsonView | None:
        """What the store holds; ``None`` also where it fails, or gives something else than it was given."""
        if self._store is not None:
            with isolated("the store"):
                values = cast("object", self._store.load())  # it is the application's
                if isinstance(values, Mapping):
                    return dict(cast("JsonView", values))
                if values is not None:
                    raise TypeError(f"load() returns a mapping or None, not {type(values).__name__}")
        return None

    async def disconnect(self) -> None:
        """Hang up every call and close the socket; returns when all is released, at most some seconds later.

        Handlers stay registered, and `connect` may follow. Idempotent.
        """
        await self._come_to_rest(self._session.disconnect)

    async def leave(self) -> None:
        """As `disconnect`, but without hanging up: the server keeps the calls for about ninety seconds.

        On this side the calls end. The server offers them again to a later process with the same ``store``, or to this
        client after `connect`: ``incoming(recovered=True)`` gives them.
        """
        await self._come_to_rest(self._session.leave)

    async def _come_to_rest(self, command: Callable[..., None]) -> None:
        if self._stopped is None:
            await anyio.lowlevel.checkpoint()
            return
        if self._driver.failure is None:
            command(now=self._driver.now())
            self._driver.commanded()
        await self._stopped.wait()
        if isinstance(self._store, FileStore):
            await in_thread(self._store.flush)
        if self._driver.at_rest:
            self._driver.reported()

    async def _shut_down(self) -> None:
        try:
            await (self.disconnect() if self.options.hangup_on_before_unload else self.leave())
        finally:
            await self._driver.aclose()
            if self._journal is not None:
                self._journal.close()

    @checked
    async def login(self, credentials: Mapping[str, object] | None = None, **keywords: Unpack[LoginKeywords]) -> None:
        """Log in on the live socket with new credentials: a fresh token, or another user.

        Raises `LoginFailed` when they are refused or there is no socket, `InvalidCredentials` when they are unusable:
        then nothing is sent, and handlers of ``telnyx.error`` hear 46002 as well, with ``InvalidCredentialsOptions``
        as the kind of ``error.original``.
        """
        given = {**(credentials or {}), **keywords}
        try:
            outcome = await self._driver.ask(lambda now: self._session.login(given, now=now))
        except InvalidCredentials as refusal:
            failure = Failure(FailureKind.INVALID_CREDENTIALS, str(refusal))
            self._report(make_error(ErrorCode.INVALID_CREDENTIALS, failure))
            raise
        match outcome:
            case Done():
                return
            case Failed(failure):
                error = self._error if self._error is not None and self._error.original == failure else None
                raise self._login_failed("The login was refused.", error, failure)

    def _report(self, error: TelnyxError) -> None:
        self.notify(ErrorRaised(error=error, session_id=self.session_id))
        self.deliver()

    def _ask_for_tokens(self, provider: TokenProvider) -> Tokens:
        def use(token: str) -> Awaitable[Outcome]:
            given = {"login_token": token}
            return self._driver.ask(lambda now: self._session.login(given, now=now, same_user=True))

        return Tokens(
            provider,
            self.options.login_token,
            use=use,
            spawn=self._driver.spawn,
            tell=self._driver.tell,
        )

    @checked
    async def switch_region(self, region: Region | str) -> None:
        """Go to the signalling servers of another region, and wait until registered there.

        Answered calls are carried on: the server offers them again on the new socket. Calls that ring or are being
        dialled end. Without a connection the region counts from the next `connect` on. Raises `OptionsError` for what
        is no region, and otherwise what `connect` raises.
        """
        stream = self.events()
        self._session.switch_region(region, now=self._driver.now())
        self._driver.commanded()
        if self._driver.at_rest:
            await anyio.lowlevel.checkpoint()
            return
        with anyio.move_on_after(self._connect_timeout):
            await self._until_ready(stream)
            return
        raise self._too_late()

    async def is_registered(self) -> bool:
        """Ask the server whether this session is registered now."""
        match await self._driver.ask(lambda now: self._session.is_registered(now=now)):
            case Done(value):
                return value.get("registered") is True
            case Failed():
                return False

    get_is_registered = is_registered

    @checked
    async def subscribe(self, channel: str) -> JsonView:
        """Subscribe to the events of a channel, which arrive as `ServerEvent` until the socket is replaced.

        Returns the server's reply. Raises `CallFailed` where it refuses, `NotConnected` or `NotReady` before `connect`.
        """
        return await self._value("subscribe", lambda now: self._session.subscribe(channel, now=now))

    @checked
    async def unsubscribe(self, channel: str) -> JsonView:
        """End the subscription to a channel; as `subscribe`."""
        return await self._value("unsubscribe", lambda now: self._session.unsubscribe(channel, now=now))

    @checked
    async def broadcast(self, channel: str, data: Mapping[str, Json]) -> JsonView:
        """Send an event to all other subscribers of a channel; as `subscribe`."""
        return await self._value("broadcast", lambda now: self._session.broadcast(channel, data, now=now))

    @checked
    async def speed_test(self, size: int = 262_144) -> SpeedTestResult:
        """Send so many bytes (1 to 1,048,576) over the signalling socket, be sent as many, and tell how fast that went.

        The server does nothing else meanwhile, and the audio of calls shares the line: measure before a call. Raises
        `Busy` while another test is under way, `CallFailed` when the server has not answered after 30 s (not every
        server has a speed test) or the socket is lost, and `NotConnected` or `NotReady` before `connect`.
        """
        return SpeedTestResult.from_value(
            await self._value("speed_test", lambda now: self._session.speed_test(size, now=now))
        )

    async def _value(self, what: str, command: Callable[[float], Ticket]) -> JsonView:
        match await self._driver.ask(command):
            case Done(value):
                return value
            case Failed(failure):
                raise CallFailed(f"{what}: {failure}", failure=failure)

    def clear_reconnect_token(self) -> None:
        """Forget the values that would route the next socket to the same server and session."""
        # Also before there is a loop to ask for the time; the session's own stands still then.
        self._session.clear_reconnect_token(now=self._driver.now() if self._driver.running else 0.0)
        self._driver.commanded()

    @checked
    def network_changed(self, change: NetworkChange) -> None:
        """Report a change of the host's network: ``"offline"``, ``"online"``, ``"path_changed"`` or ``"resumed"``.

        ``"online"`` follows ``"offline"``, and ``"resumed"`` a sleep of the host.

        Recovery works without such reports, but begins earlier with them. Offline raises the error event 48001.
        """
        if not self._driver.at_rest:
            self._driver.tell(NetworkChanged(change))

    # Looking (SIG-423).

    @property
    def state(self) -> SessionState:
        """Of the connection and the registration; ``idle`` also after a fault of this package ended the client."""
        return self._session.state if self._driver.failure is None else SessionState.IDLE

    @property
    def connected(self) -> bool:
        """The socket is open."""
        return self._session.connected and self._driver.failure is None

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or ``None`` before the first login."""
        return self._session.session_id

    @property
    def region(self) -> str | None:
        """The region that the server tells of itself, once registered."""
        return self._session.region

    @property
    def dc(self) -> str | None:
        """The data centre that the server tells of itself, once registered."""
        return self._session.dc

    @property
    def call_report_id(self) -> str | None:
        """The id under which call reports are sent, once registered."""
        return self._session.call_report_id

    # Calls.

    @property
    def calls(self) -> Mapping[CallId, CallHandle]:
        """Every call that is not yet released, by id; a copy."""
        return self._calls.all()

    @checked
    def call(self, call: str) -> CallHandle | None:
        """The call of this id, or ``None`` once it is released."""
        return self._calls.get(CallId(call))

    @checked
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
        ``active``. ``on_notification`` hears its notifications instead of the client's handlers.

        Raises `InvalidCallParameters`, `NotConnected` or `NotReady` (``wait_for_ready`` waits up to ten seconds
        first), and `MediaUnavailable` without the ``media`` extra.
        """
        keywords_of(CallOptions, keywords, "new_call({...})")
        if isinstance(destination, str):
            options = CallOptions(destination_number=destination, **keywords)
        elif keywords:
            raise TypeError("give either options or keywords, not both")
        else:
            options = destination if isinstance(destination, CallOptions) else CallOptions.from_mapping(destination)
        if wait_for_ready:
            await self._wait_ready()
        await self._driver.engine_loaded()
        self._driver.engine()
        call = self._session.new_call(options, now=self._driver.now())
        if options.ringback_file is not None:
            (self._driver.tones or self._play_tones(Loudspeaker())).choose(call, options)
        if options.speaker_id is not None:
            self._driver.sinks.choose(call, options.speaker_id)
        handle = CallHandle(self._driver, self._session.call(call), on_notification)
        self._calls.add(handle)
        self._driver.commanded()
        return handle

    @checked
    def incoming(self, *, recovered: bool = False) -> AsyncIterator[CallHandle]:
        """Incoming calls, also those already ringing; each goes to only one of several iterators, the first that asks.

        With ``recovered`` also calls of a former process (see ``store``) that the server offers again: they arrive in
        state ``recovering`` and are answered already. Ends when the client is disconnected; raises
        `ConnectionFailed` when the session gave up.
        """
        return self._calls.incoming(recovered)

    @checked_with(handler=function("a function that takes the call"), drain=seconds(optional=False))
    async def serve(
        self,
        handler: Serve,
        *,
        limit: int | None = None,
        drain: float = DRAIN,
        decline: str = "USER_BUSY",
        recovered: bool = False,
    ) -> None:
        """Call ``handler`` with every call that rings, each in a task of its own, until the client is disconnected.

        The call is hung up when its handler returns or raises; an exception is logged and affects that call alone. A
        caller who hangs up, also before ``answer()``, is no error: the handler's next command raises and ends it.
        With ``limit`` calls being handled, the next one is declined, with the cause ``decline``.

        SIGTERM and SIGHUP, unless the application handles them itself, decline every further call, let the present ones
        continue for at most ``drain`` seconds, hang up, and let this return. ``recovered`` is as for `incoming`. Raises
        `ConnectionFailed` when the session gave up.

            async def answer(call):
                await call.answer()
                await (await call.play("hello.wav")).wait()

            async with TelnyxRTC(login_token=token) as client:
                await client.serve(answer, limit=20)
        """
        service = Service(self.incoming(recovered=recovered), handler, limit=limit, drain=drain, decline=decline)
        await service.run(self._driver.home)

    @checked
    def register_source(self, source_id: str, factory: "SourceFactory", label: str | None = None) -> None:
        """Let calls send what ``factory`` opens, by ``mic_id=source_id``; at any time, also anew.

        ``"default"`` is for calls without a ``mic_id``, the incoming ones among them. The factory is called for every
        call, on the loop that media runs on: asyncio, also for a client on trio. What it raises becomes 42001, 42002
        or 42003. A ``mic_id`` that is neither registered nor the id of a device is 42002. For
        microphones see `telnyx_drivers.asyncio.microphone`. ``label`` is what `get_audio_in_devices` calls it.
        """
        self._driver.devices.add_source(source_id, factory, label)

    @checked
    def register_sink(self, sink_id: str, factory: SinkFactory, label: str | None = None) -> None:
        """Let calls be played through what ``factory`` opens, by ``speaker_id=sink_id``; else as `register_source`.

        All of it happens on the client's loop. A sink that cannot be opened, or that fails, raises an event 42001 to
        42003, which is not fatal: the call continues without it. See `Sink`.
        """
        self._driver.devices.add_sink(sink_id, factory, label)

    async def get_audio_in_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``mic_id``: the sources registered here, then the microphones of this machine.

        Raises `MediaUnavailable`, with what to install, when none is registered and devices cannot be listed.
        """
        return await self._driver.devices.inputs()

    async def get_audio_out_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``speaker_id``; as `get_audio_in_devices`."""
        return await self._driver.devices.outputs()

    # AI assistants.

    @overload
    def tool(self, function: F) -> F: ...
    @overload
    def tool(
        self, *, name: str | None = None, description: str | None = None, timeout: float = TIME_LIMIT
    ) -> Callable[[F], F]: ...
    @checked_with(timeout=seconds(optional=False))
    def tool(
        self,
        function: F | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float = TIME_LIMIT,
    ) -> F | Callable[[F], F]:
        """Let the AI assistant of a call use a function, as a decorator with or without arguments.

        Its arguments have types (``str``, ``int``, ``float``, ``bool``, ``list``, ``dict``, ``Literal``, ``TypedDict``,
        unions of them, and ``Annotated`` with a description), from which the JSON schema is made; an argument of the
        type `CallHandle` is given the call. It may be ``async``; another one runs in a thread. What it returns is sent
        to the assistant as JSON. What it raises, arguments that do not fit, and an answer that takes more than
        ``timeout`` seconds are sent as ``{"error": ...}``. Nothing is sent once the call or its socket is gone.

        Raises ``TypeError`` for arguments without a schema, ``ValueError`` for a name that is taken or unusable. ::

            @client.tool
            async def opening_hours(day: str) -> str:
                "When the shop is open."
                return "9 to 5"
        """

        def add(function: F) -> F:
            self._functions.add(client_tool(function, name, description, timeout))
            return function

        return add if function is None else add(function)

    @property
    def tools(self) -> tuple[JsonObject, ...]:
        """The functions given to `tool` with their JSON schemas, as an assistant's configuration describes them."""
        return self._functions.schemas

    @property
    def transcript(self) -> tuple[TranscriptItem, ...]:
        """What caller and AI assistant said since the call began, oldest first; it stays until the next call begins.

        With a ``conversation_id`` it goes on over several calls.
        """
        return self._session.transcript

    @property
    def widget_settings(self) -> JsonView | None:
        """How the assistant's owner wants it shown, as the server told it; ``None`` before."""
        return self._session.widget_settings

    @property
    def conversation_id(self) -> str | None:
        """The conversation that an anonymous login joins: ``conversation_id`` of its ``target_params``."""
        return self._session.conversation_id

    def _send_ai_item(self, item: JsonView) -> None:
        self._session.send_ai_item(item, now=self._driver.now())
        self._driver.commanded()

    async def _wait_ready(self) -> None:
        stream = self.events()
        with anyio.move_on_after(READY_TIMEOUT):
            while self._session.state is not SessionState.READY:
                try:
                    await anext(stream)
                except StopAsyncIteration:
                    return

    # Other spellings, as in docs/reference/js-names.md.

    newCall = new_call  # noqa: N815
    getIsRegistered = is_registered  # noqa: N815
    clearReconnectToken = clear_reconnect_token  # noqa: N815
    getAudioInDevices = get_audio_in_devices  # noqa: N815
    getAudioOutDevices = get_audio_out_devices  # noqa: N815
    speedTest = speed_test  # noqa: N815
    switchRegion = switch_region  # noqa: N815

    # Events.

    def events(self) -> EventStream[Event]:
        """Every event from now on, as an asynchronous iterator that ends after `SessionClosed`."""
        return self._broadcast.stream()

    def _ended_before(self, what: str) -> ConnectionFailed:
        return ConnectionFailed(f"the session ended before {what}", error=self._error)

    # What the driver tells (driver.Audience).

    def notify(self, event: Event) -> None:
        dated(event, time.time())
        handle = self._take_note(event)
        if handle is not None:
            match event:
                case ErrorRaised(recoverable=True):
                    event = with_recovery_actions(event, handle)
                case CallUpdated():
                    event = notification(event, handle)
                case _:
                    pass
        self._broadcast.publish(event)
        if handle is not None:
            handle.publish(event)
        if isinstance(event, SessionClosed):
            self._broadcast.end(self._driver.failure)
        self._undelivered.append((event, handle))

    def deliver(self) -> None:
        spawn = self._driver.spawn
        while self._undelivered:
            event, handle = self._undelivered.popleft()
            self._functions.hear(event)
            self._watchers.call(event, spawn)
            if isinstance(event, MediaRecovery):
                call_back(self.options.media_permissions_recovery, event, spawn)
            if handle is not None and handle.on_notification is not None and name_of(event) == "telnyx.notification":
                run_isolated(handle.on_notification, spawn, event)
            else:
                self._handlers.call(event, spawn)
            if handle is not None:
                handle.deliver(event, spawn)

    def remember(self, values: JsonView) -> None:
        if self._store is not None:
            with isolated("the store"):
                self._store.save(values)

    def ask_token(self, action: AskToken) -> None:
        assert self._tokens is not None, "the session was promised tokens"
        self._tokens.perform(action)

    async def farewell(self) -> None:
        await self._shut_down()

    def stopped(self, error: Exception | None) -> None:
        if error is not None:
            if self._journal is not None:
                self._journal.close()
            self._broadcast.end(error)
            self._calls.give_up(error)
        if self._stopped is not None:
            self._stopped.set()

    def _take_note(self, event: Event) -> CallHandle | None:
        match event:
            case CallUpdated(info):
                return self._calls.note(info)
            case ErrorRaised():
                said = self._session.redactor.plain(str(event.error.original or event.message))
                logs.client.warning("error %d %s: %s", event.code, event.name, said)
                handle = self._calls.named_by(event)
                if handle is not None:
                    handle.note_error(event.error)
                else:
                    self._error = event.error
                return handle
            case WarningRaised():
                logs.client.warning("warning %d %s: %s", event.code, event.name, event.message)
            case IceServerFailed(_, url, _, reason):
                said = self._session.redactor.plain(reason)
                logs.client.warning("ICE server %s gave no candidate: %s", url, said)
            case SessionClosed(reason):
                wished = reason in (CloseReason.DISCONNECTED, CloseReason.LEFT)
                self._calls.close(None if wished else self._refusal(reason))
            case _:
                pass
        return self._calls.named_by(event)

    def _refusal(self, reason: CloseReason) -> TelnyxClientError:
        if self._driver.failure is not None:
            return self._driver.failure
        text = "the session has ended" if self._error is None else self._error.message.rstrip(".")
        at = f" at {self._driver.url}" if self._driver.url else ""
        return ConnectionFailed(f"{text}{at} ({reason.value}){_because(self._error)}", error=self._error, reason=reason)

    def _login_failed(self, text: str, error: TelnyxError | None, failure: Failure | None) -> LoginFailed:
        """With the server's own code and words, and with what a token itself says."""
        said = "" if failure is None else f" {failure}"
        token = self._session.options.login_token
        end = expiry(token) if token is not None else None
        if end is not None and end <= time.time():
            said += f"; the login token expired at {datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return LoginFailed(f"{text}{said}", error=error, failure=failure)


def _because(error: TelnyxError | None) -> str:
    """The cause that an error holds, in the server's or the system's words."""
    return "" if error is None or error.original is None else f": {error.original.text}"
