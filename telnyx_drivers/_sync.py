"""The client for code without ``async``.

Behind it runs the asyncio client, in a thread of its own. Every method waits for its outcome; handlers run one after
the other in a second thread, where they may wait and command like any other code.
"""

import os
import random
import ssl as tls
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial, wraps
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, Unpack, overload

from anyio.from_thread import start_blocking_portal
from attrs import evolve, field, fields, frozen

from telnyx_core.errors import NotConnected
from telnyx_core.events import CallInfo, CallUpdated, Cause, Event
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions
from telnyx_core.states import CallState, SessionState
from telnyx_drivers._arguments import checked, checked_with, function, seconds
from telnyx_drivers._asyncio import TelnyxRTC as AsyncTelnyxRTC
from telnyx_drivers._audio.audio_devices import AudioDevice
from telnyx_drivers._blocking import Following
from telnyx_drivers._calls import CallHandle, Headers
from telnyx_drivers._calls import CallNotification as AsyncCallNotification
from telnyx_drivers._client import CONNECT_TIMEOUT, default_engine
from telnyx_drivers._functions import TIME_LIMIT, F
from telnyx_drivers._guard import Handler
from telnyx_drivers._keywords import CallKeywords, ClientKeywords
from telnyx_drivers._recovery import MediaRecoveryError
from telnyx_drivers._services.store import Store
from telnyx_drivers._services.tokens import TokenProvider, with_stand_in
from telnyx_drivers._services.tones import ToneSink, in_a_thread
from telnyx_drivers._serving import DRAIN
from telnyx_drivers._sync_commands import CallCommands, ClientCommands
from telnyx_drivers._threads import Threads
from telnyx_drivers._webrtc.ports import EngineFactory
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.audio_input import Playable
    from telnyx_drivers._audio.frames import AudioFrame, Pcm
    from telnyx_drivers._audio.heard import Cleared, Heard, Mark
    from telnyx_drivers._audio.sense import Sensed
    from telnyx_drivers._audio.turns import Turn


T = TypeVar("T")


@frozen(kw_only=True)
class LiveCall(CallInfo):
    """The call of a notification: a snapshot of it as it was then, and the commands of its handle."""

    handle: "Call" = field(repr=False, eq=False)

    def answer(self, custom_headers: Headers = ()) -> None:
        """As `Call.answer`."""
        self.handle.answer(custom_headers)

    def hangup(self, cause: str | None = None, cause_code: int | None = None) -> Cause:
        """As `Call.hangup`."""
        return self.handle.hangup(cause, cause_code)


@frozen
class CallNotification(CallUpdated):
    """``telnyx.notification`` of type ``callUpdate``: ``notification.call.answer()``, as in the documents."""

    call: LiveCall


class TelnyxRTC(ClientCommands["CallNotification"]):
    """`telnyx_drivers.asyncio.TelnyxRTC` without ``async``: the same options, events and errors.

    ``with`` connects and registers; leaving the block hangs up (unless ``hangup_on_before_unload=False``), disconnects
    and ends both threads. Its methods may be used from any thread.
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
        client = AsyncTelnyxRTC(
            options,
            token_provider=token_provider,
            engine=engine,
            store=store,
            rng=rng,
            ssl=ssl,
            connect_timeout=connect_timeout,
            journal=journal,
            tone_sink=None if tone_sink is None else in_a_thread(tone_sink),
            media_thread=media_thread,
            **keywords,
        )
        super().__init__(Threads(self._told, client.farewell), client)

    def _do(self, command: Callable[[], T]) -> T:
        return self._threads.touch(command)  # what is done at once needs no connection

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

    def _told(self, event: Event) -> Event:
        """An event for the application, in which commands of the loop's client are replaced by this client's."""
        if isinstance(event, AsyncCallNotification):
            call = event.call
            members = {member.name: getattr(call, member.name) for member in fields(CallInfo)}
            return CallNotification(
                LiveCall(**members, handle=Call(self._threads, call.handle)), timestamp=event.timestamp
            )
        if isinstance(event, MediaRecoveryError):
            resume, reject = event.resume, event.reject
            return evolve(event, resume=lambda: self._threads.do(resume), reject=lambda: self._threads.do(reject))
        return event

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(lambda: self._source.__aexit__(None, None, None))

    def connect(self) -> None:
        """Connect and wait until registered. Raises `LoginFailed` or `ConnectionFailed`, and is then disconnected."""
        self._threads.connect(self._source.__aenter__)

    def disconnect(self) -> None:
        """Hang up, disconnect, and end both threads once the handlers have heard of it. Idempotent."""
        self._end(self._source.disconnect)

    def leave(self) -> None:
        """As `disconnect`, but without hanging up. See `telnyx_drivers.asyncio.TelnyxRTC.leave`."""
        self._end(self._source.leave)

    def _end(self, how: Callable[[], Awaitable[None]]) -> None:
        async def end() -> None:
            try:
                await how()
            finally:
                await self._source.__aexit__(None, None, None)

        self._threads.disconnect(end, lambda: self.state is SessionState.READY)

    def get_audio_in_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``mic_id``. Raises `MediaUnavailable`."""
        return self._threads.anywhere(self._source.get_audio_in_devices)

    def get_audio_out_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``speaker_id``. Raises `MediaUnavailable`."""
        return self._threads.anywhere(self._source.get_audio_out_devices)

    @property
    def options(self) -> ClientOptions:
        return self._source.options

    def new_call(
        self,
        destination: str | CallOptions | Mapping[str, object] = "",
        *,
        on_notification: Handler | None = None,
        wait_for_ready: bool = False,
        **keywords: Unpack[CallKeywords],
    ) -> "Call":
        """Place a call; returns as soon as it exists. See `telnyx_drivers.asyncio.TelnyxRTC.new_call`."""
        relay = self._relays.make(on_notification) if on_notification is not None else None
        handle = self._threads.run(
            lambda: self._source.new_call(destination, on_notification=relay, wait_for_ready=wait_for_ready, **keywords)
        )
        return Call(self._threads, handle)

    @overload
    def tool(self, function: F) -> F: ...
    @overload
    def tool(
        self, *, name: str | None = None, description: str | None = None, timeout: float = TIME_LIMIT
    ) -> Callable[[F], F]: ...
    def tool(
        self,
        function: F | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
        timeout: float = TIME_LIMIT,
    ) -> F | Callable[[F], F]:
        """Let the AI assistant of a call use a function, which runs in a thread of its own.

        See `telnyx_drivers.asyncio.TelnyxRTC.tool`; an argument of the type `Call` is given the call.
        """

        def add(function: F) -> F:
            @wraps(function)
            def run(**arguments: object) -> object:
                return function(**{name: self._own(value) for name, value in arguments.items()})

            register = self._source.tool(name=name, description=description, timeout=timeout)
            self._threads.touch(lambda: register(run))
            return function

        return add if function is None else add(function)

    def _own(self, value: object) -> object:
        return Call(self._threads, value) if isinstance(value, CallHandle) else value

    def call(self, call: str) -> "Call | None":
        """The call of this id, or ``None`` once it is released."""
        handle = self._threads.touch(lambda: self._source.call(call))
        return None if handle is None else Call(self._threads, handle)

    @property
    def calls(self) -> Mapping[CallId, "Call"]:
        calls = self._threads.touch(lambda: self._source.calls)
        return {call: Call(self._threads, handle) for call, handle in calls.items()}

    @checked
    def incoming(self, timeout: float | None = None, *, recovered: bool = False) -> Iterator["Call"]:
        """Incoming calls, until the client is disconnected; with ``recovered`` also those of a former process.

        Raises ``TimeoutError`` when none rings for ``timeout`` seconds, `ConnectionFailed` when the session gave up.
        """
        waiting = self._source.incoming(recovered=recovered)
        return (Call(self._threads, handle) for handle in self._threads.iterate(waiting.__anext__, timeout))

    @checked_with(handler=function("a function that takes the call"), drain=seconds(optional=False))
    def serve(
        self,
        handler: "Callable[[Call], object]",
        *,
        limit: int | None = None,
        drain: float = DRAIN,
        decline: str = "USER_BUSY",
        recovered: bool = False,
    ) -> None:
        """Call ``handler`` with every call that rings, each in a thread of its own, until the client is disconnected.

        See `telnyx_drivers.asyncio.TelnyxRTC.serve`; the handler itself must notice that its call has ended.
        """

        async def one(call: CallHandle) -> None:
            await in_thread(partial(handler, Call(self._threads, call)), abandon_on_cancel=True)

        self._threads.run(
            lambda: self._source.serve(one, limit=limit, drain=drain, decline=decline, recovered=recovered)
        )

    # Other spellings, as in docs/reference/js-names.md.

    newCall = new_call  # noqa: N815
    getAudioInDevices = get_audio_in_devices  # noqa: N815
    getAudioOutDevices = get_audio_out_devices  # noqa: N815


class Call(CallCommands["CallNotification"]):
    """`telnyx_drivers.asyncio.CallHandle` without ``async``. ``with call:`` hangs up on the way out."""

    def _run(self, command: Callable[[], Awaitable[T]]) -> T:
        try:
            return super()._run(command)
        except NotConnected:
            if self.state is not CallState.DESTROY:
                raise
        # The client is disconnected, and the call has ended: whatever is asked of it now is known at once.
        with start_blocking_portal() as portal:
            return portal.call(command)

    def _do(self, command: Callable[[], T]) -> T:
        async def done() -> T:
            return command()

        return self._run(done)

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.direction} {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and other._source is self._source

    def __hash__(self) -> int:
        return hash(self._source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hangup()

    @checked
    def audio_in(
        self, sample_rate: int = 16_000, channels: int = 1, frame_ms: int = 20, timeout: float | None = None
    ) -> "Iterator[AudioFrame]":
        """Frames from now on, until the end of the call; ``TimeoutError`` when none comes for so long."""
        reader = self._do(lambda: self._source.audio_in(sample_rate, channels, frame_ms))
        return self._threads.iterate(reader.__anext__, timeout)

    def write(
        self, pcm: "Pcm", sample_rate: int | None = None, channels: int = 1, *, mark: "Mark | None" = None
    ) -> bool:
        """Send PCM16 at the pace of playback; False when part of it was dropped."""
        return self._run(lambda: self._source.audio_out.write(pcm, sample_rate, channels, mark=mark))

    def clear(self) -> "Cleared":
        """Drop what was written and not sent; returns its seconds, and ``heard``."""
        return self._do(lambda: self._source.audio_out.clear())

    @property
    def heard(self) -> "Heard":
        """What the far end has played by now of what was written."""
        return self._do(lambda: self._source.audio_out.heard)

    def filler(self, source: "Playable | None", *, after: float = 0.8) -> None:
        """What the far end hears while nothing else is sent; ``None`` ends it."""
        self._run(lambda: self._source.audio_out.filler(source, after=after))

    @property
    def turns(self) -> "Following[Turn]":
        """Who spoke when: ``so_far``, or iterate as they end; see `telnyx_drivers.asyncio.CallHandle.turns`."""
        return Following(self._threads, self._do(lambda: self._source.turns))

    def sense(self) -> "Following[Sensed]":
        """What the far end sounds like: ``so_far``, or iterate; see `telnyx_drivers.asyncio.CallHandle.sense`."""
        return Following(self._threads, self._do(lambda: self._source.sense()))

    def drain(self) -> None:
        """Wait until everything written has been sent."""
        self._run(lambda: self._source.audio_out.drain())
