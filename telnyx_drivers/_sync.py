"""The client for code without ``async``.

Behind it runs the asyncio client, in a thread of its own. Every method waits for its outcome; handlers run one after
the other in a second thread, where they may wait and command like any other code.
"""

import math
import os
import random
import ssl as tls
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeAlias, Unpack, cast, overload

from anyio import CapacityLimiter, to_thread
from attrs import evolve, field, fields, frozen

from telnyx_core._signalling.speed import SpeedTestResult
from telnyx_core._wire.json_types import Json, JsonView
from telnyx_core.actions import DigitsVia
from telnyx_core.errors import TelnyxError
from telnyx_core.events import CallInfo, CallUpdated, Cause, Direction, Event
from telnyx_core.facts import NetworkChange, PeerState
from telnyx_core.ids import CallId
from telnyx_core.options import CallOptions, ClientOptions, Region
from telnyx_core.states import CallState, SessionState
from telnyx_drivers._arguments import checked, checked_with, function, one_of, seconds
from telnyx_drivers._asyncio import TelnyxRTC as AsyncTelnyxRTC
from telnyx_drivers._audio.audio_devices import AudioDevice, SinkFactory
from telnyx_drivers._calls import CallHandle, Headers, States
from telnyx_drivers._calls import CallNotification as AsyncCallNotification
from telnyx_drivers._client import CONNECT_TIMEOUT, default_engine
from telnyx_drivers._guard import Handler
from telnyx_drivers._keywords import CallKeywords, ClientKeywords, LoginKeywords
from telnyx_drivers._listening import E, Listens
from telnyx_drivers._recovery import MediaRecoveryError
from telnyx_drivers._services.store import Store
from telnyx_drivers._services.tokens import TokenProvider, with_stand_in
from telnyx_drivers._services.tones import ToneSink, in_a_thread
from telnyx_drivers._serving import DRAIN
from telnyx_drivers._threads import Relays, Threads
from telnyx_drivers._webrtc.ports import EngineFactory

if TYPE_CHECKING:
    from telnyx_drivers._audio.frames import AudioFrame, Pcm
    from telnyx_drivers._audio.player import Playback as AsyncPlayback
    from telnyx_drivers._audio.recorder import Channels
    from telnyx_drivers._audio.recorder import Recording as AsyncRecording
    from telnyx_drivers._audio.rtp.pcap import Capture as AsyncCapture
    from telnyx_drivers._audio.source_registry import SourceFactory
    from telnyx_drivers._webrtc.call_audio import Playable


_Register: TypeAlias = Callable[[str | type[Event], Handler], object]


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


class _Relayed(Listens[CallNotification]):
    """Events of a client or of a call: they wait where they are read, and handlers run in the handlers' thread."""

    _threads: Threads
    _relays: Relays

    @property
    @abstractmethod
    def _source(self) -> AsyncTelnyxRTC | CallHandle:
        """What raises the events, on the loop."""

    @checked
    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Events from now on, until the client is disconnected or the call has ended.

        ``TimeoutError`` when none comes for so long.
        """
        stream = self._threads.touch(self._source.events)
        return map(self._threads.told, self._threads.iterate(stream.__anext__, timeout))

    def _listen(self, event: str | type[Event], handler: Handler, once: bool) -> None:
        relay = self._relays.add(event, handler, once)
        register = cast("_Register", self._source.once if once else self._source.on)
        self._threads.touch(lambda: register(event, relay))

    @checked_with(handler=function("the handler that was given to on()", optional=True))
    def off(self, event: str | type[Event], handler: Handler | None = None) -> None:
        """Take back one registration of ``handler``, or every handler of the event."""
        relay = self._relays.remove(event, handler) if handler is not None else None
        if handler is None or relay is not None:
            self._threads.touch(lambda: self._source.off(event, relay))

    @overload
    def wait_for(
        self, event: type[E], *, timeout: float | None = None, where: Callable[[E], object] | None = None
    ) -> E: ...
    @overload
    def wait_for(
        self, event: str, *, timeout: float | None = None, where: Callable[[Event], object] | None = None
    ) -> Event: ...
    def wait_for(
        self,
        event: str | type[object],
        *,
        timeout: float | None = None,
        where: Callable[..., object] | None = None,
    ) -> Event:
        """The next event of a name or class; of a call, this call's next.

        Raises ``TimeoutError``, `ConnectionFailed` when the session ends first, and of a call `CallEnded` when it does.
        """
        name = cast("str", event)  # or a class: both ways are one
        waiting = partial(self._source.wait_for, name, timeout=timeout, where=where)
        return self._threads.told(self._threads.run(waiting))


class TelnyxRTC(_Relayed):
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
        self._client = AsyncTelnyxRTC(
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
        self._threads = Threads(self._told, self._client.farewell)
        self._relays = Relays(self._threads)

    @property
    def _source(self) -> AsyncTelnyxRTC:
        return self._client

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
            return CallNotification(LiveCall(**members, handle=Call(self._threads, call.handle)))
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
        self._end(lambda: self._client.__aexit__(None, None, None))

    def connect(self) -> None:
        """Connect and wait until registered. Raises `LoginFailed` or `ConnectionFailed`, and is then disconnected."""
        self._threads.connect(self._client.__aenter__)

    def disconnect(self) -> None:
        """Hang up, disconnect, and end both threads once the handlers have heard of it. Idempotent."""
        self._end(self._client.disconnect)

    def leave(self) -> None:
        """As `disconnect`, but without hanging up. See `telnyx_drivers.asyncio.TelnyxRTC.leave`."""
        self._end(self._client.leave)

    def _end(self, how: Callable[[], Awaitable[None]]) -> None:
        async def end() -> None:
            try:
                await how()
            finally:
                await self._client.__aexit__(None, None, None)

        self._threads.disconnect(end, lambda: self.state is SessionState.READY)

    def login(self, credentials: Mapping[str, object] | None = None, **keywords: Unpack[LoginKeywords]) -> None:
        """Log in on the live socket with new credentials. Raises `LoginFailed`."""
        self._threads.run(lambda: self._client.login(credentials, **keywords))

    def switch_region(self, region: Region | str) -> None:
        """Move to another region's servers with the calls. See `telnyx_drivers.asyncio.TelnyxRTC.switch_region`."""
        self._threads.run(lambda: self._client.switch_region(region))

    def is_registered(self) -> bool:
        """Ask the server whether this session is registered now."""
        return self._threads.run(self._client.is_registered)

    get_is_registered = is_registered

    def subscribe(self, channel: str) -> JsonView:
        """Subscribe to the events of a channel. See `telnyx_drivers.asyncio.TelnyxRTC.subscribe`."""
        return self._threads.run(lambda: self._client.subscribe(channel))

    def unsubscribe(self, channel: str) -> JsonView:
        return self._threads.run(lambda: self._client.unsubscribe(channel))

    def broadcast(self, channel: str, data: Mapping[str, Json]) -> JsonView:
        return self._threads.run(lambda: self._client.broadcast(channel, data))

    def speed_test(self, size: int = 262_144) -> SpeedTestResult:
        """Measure the throughput each way. See `telnyx_drivers.asyncio.TelnyxRTC.speed_test`."""
        return self._threads.run(lambda: self._client.speed_test(size))

    def clear_reconnect_token(self) -> None:
        self._threads.do(self._client.clear_reconnect_token)

    def register_source(self, source_id: str, factory: "SourceFactory", label: str | None = None) -> None:
        """See `telnyx_drivers.asyncio.TelnyxRTC.register_source`; the factory is called in the client's own thread."""
        self._client.register_source(source_id, factory, label)

    def register_sink(self, sink_id: str, factory: SinkFactory, label: str | None = None) -> None:
        """As the client of asyncio; the sink lives in the client's own thread: do not block."""
        self._client.register_sink(sink_id, factory, label)

    def get_audio_in_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``mic_id``. Raises `MediaUnavailable`."""
        return self._threads.anywhere(self._client.get_audio_in_devices)

    def get_audio_out_devices(self) -> tuple[AudioDevice, ...]:
        """The values for ``speaker_id``. Raises `MediaUnavailable`."""
        return self._threads.anywhere(self._client.get_audio_out_devices)

    def network_changed(self, change: NetworkChange) -> None:
        """Report a change of the host's network. See `telnyx_drivers.asyncio.TelnyxRTC.network_changed`."""
        self._threads.touch(lambda: self._client.network_changed(change))

    @property
    def options(self) -> ClientOptions:
        return self._client.options

    @property
    def state(self) -> SessionState:
        return self._client.state

    @property
    def connected(self) -> bool:
        return self._client.connected

    @property
    def session_id(self) -> str | None:
        return self._client.session_id

    @property
    def region(self) -> str | None:
        return self._client.region

    @property
    def dc(self) -> str | None:
        return self._client.dc

    @property
    def call_report_id(self) -> str | None:
        return self._client.call_report_id

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
            lambda: self._client.new_call(destination, on_notification=relay, wait_for_ready=wait_for_ready, **keywords)
        )
        return Call(self._threads, handle)

    def call(self, call: str) -> "Call | None":
        """The call of this id, or ``None`` once it is released."""
        handle = self._threads.touch(lambda: self._client.call(call))
        return None if handle is None else Call(self._threads, handle)

    @property
    def calls(self) -> Mapping[CallId, "Call"]:
        calls = self._threads.touch(lambda: self._client.calls)
        return {call: Call(self._threads, handle) for call, handle in calls.items()}

    @checked
    def incoming(self, timeout: float | None = None, *, recovered: bool = False) -> Iterator["Call"]:
        """Incoming calls, until the client is disconnected; with ``recovered`` also those of a former process.

        Raises ``TimeoutError`` when none rings for ``timeout`` seconds, `ConnectionFailed` when the session gave up.
        """
        waiting = self._client.incoming(recovered=recovered)
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
        threads = CapacityLimiter(math.inf)

        async def one(call: CallHandle) -> None:
            await to_thread.run_sync(handler, Call(self._threads, call), abandon_on_cancel=True, limiter=threads)

        self._threads.run(
            lambda: self._client.serve(one, limit=limit, drain=drain, decline=decline, recovered=recovered)
        )

    # Other spellings, as in docs/reference/js-names.md.

    newCall = new_call  # noqa: N815
    getIsRegistered = is_registered  # noqa: N815
    clearReconnectToken = clear_reconnect_token  # noqa: N815
    getAudioInDevices = get_audio_in_devices  # noqa: N815
    getAudioOutDevices = get_audio_out_devices  # noqa: N815
    speedTest = speed_test  # noqa: N815
    switchRegion = switch_region  # noqa: N815


class Call(_Relayed):
    """`telnyx_drivers.asyncio.CallHandle` without ``async``. ``with call:`` hangs up on the way out."""

    def __init__(self, threads: Threads, handle: CallHandle) -> None:
        self._threads = threads
        self._handle = handle
        self._relays = Relays(threads)

    @property
    def _source(self) -> CallHandle:
        return self._handle

    def __repr__(self) -> str:
        return f"<Call {self.id} {self.direction} {self.state.value}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Call) and other._handle is self._handle

    def __hash__(self) -> int:
        return hash(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hangup()

    @property
    def id(self) -> CallId:
        return self._handle.id

    @property
    def state(self) -> CallState:
        return self._handle.state

    @property
    def direction(self) -> Direction:
        return self._handle.direction

    @property
    def live(self) -> bool:
        return self._handle.live

    @property
    def ended(self) -> Cause | None:
        return self._handle.ended

    @property
    def error(self) -> TelnyxError | None:
        """The last error of the catalogue that named this call."""
        return self._handle.error

    @property
    def info(self) -> CallInfo:
        return self._threads.touch(lambda: self._handle.info)

    @property
    def connection_state(self) -> PeerState:
        return self.info.connection_state

    @property
    def ice_connection_state(self) -> str:
        return self.info.ice_connection_state

    @property
    def ice_gathering_state(self) -> str:
        return self.info.ice_gathering_state

    @property
    def signaling_state(self) -> str:
        return self.info.signaling_state

    @checked
    def wait_for_state(self, states: States, timeout: float | None = None) -> CallState:
        """Raises `CallEnded` when the call ends first, ``TimeoutError`` after ``timeout`` seconds."""
        return self._threads.run(lambda: self._handle.wait_for_state(states, timeout))

    @checked
    def wait_ended(self, timeout: float | None = None) -> Cause:
        """Wait until everything of the call is released."""
        if self._handle.state is CallState.DESTROY and self._handle.ended is not None:
            return self._handle.ended
        return self._threads.run(lambda: self._handle.wait_ended(timeout))

    def answer(self, custom_headers: Headers = ()) -> None:
        self._threads.run(lambda: self._handle.answer(custom_headers))

    def hangup(
        self,
        cause: str | None = None,
        cause_code: int | None = None,
        *,
        sip_code: int | None = None,
        sip_reason: str | None = None,
        sip_call_id: str | None = None,
        custom_headers: Headers = (),
        drain: bool = False,
    ) -> Cause:
        """End the call and wait until it is released; with ``drain`` let everything written be heard first."""
        if self._handle.state is CallState.DESTROY:
            return self.wait_ended()
        return self._threads.run(
            lambda: self._handle.hangup(
                cause,
                cause_code,
                sip_code=sip_code,
                sip_reason=sip_reason,
                sip_call_id=sip_call_id,
                custom_headers=custom_headers,
                drain=drain,
            )
        )

    def hold(self) -> bool:
        return self._threads.run(self._handle.hold)

    def unhold(self) -> bool:
        return self._threads.run(self._handle.unhold)

    def toggle_hold(self) -> bool:
        return self._threads.run(self._handle.toggle_hold)

    toggleHold = toggle_hold  # noqa: N815  # the JavaScript SDK's spelling

    def mute(self) -> None:
        self._threads.do(self._handle.mute)

    def unmute(self) -> None:
        self._threads.do(self._handle.unmute)

    def toggle_mute(self) -> bool:
        return self._threads.do(self._handle.toggle_mute)

    def deaf(self) -> None:
        self._threads.do(self._handle.deaf)

    def undeaf(self) -> None:
        self._threads.do(self._handle.undeaf)

    def toggle_deaf(self) -> bool:
        return self._threads.do(self._handle.toggle_deaf)

    def dtmf(
        self,
        digits: str,
        *,
        via: DigitsVia = "info",
        duration: float | None = None,
        gap: float | None = None,
        volume: int | None = None,
    ) -> JsonView:
        return self._threads.run(lambda: self._handle.dtmf(digits, via=via, duration=duration, gap=gap, volume=volume))

    send_digits = dtmf

    def message(self, to: str, body: str) -> JsonView:
        return self._threads.run(lambda: self._handle.message(to, body))

    def send_conversation_message(self, text: str, attachments: Sequence[str] = ()) -> JsonView:
        return self._threads.run(lambda: self._handle.send_conversation_message(text, attachments))

    def send_ai_item(self, item: Mapping[str, Json]) -> None:
        self._threads.do(lambda: self._handle.send_ai_item(item))

    def restart_media(self) -> bool:
        """See `telnyx_drivers.asyncio.CallHandle.restart_media`."""
        return self._threads.run(self._handle.restart_media)

    def flush_report(self) -> None:
        self._threads.do(self._handle.flush_report)

    def resume_media(self) -> bool:
        return self._threads.do(self._handle.resume_media)

    def reject_media(self) -> bool:
        return self._threads.do(self._handle.reject_media)

    def set_audio_in_device(self, device_id: str | None, muted: bool | None = None) -> bool:
        return self._threads.run(lambda: self._handle.set_audio_in_device(device_id, muted))

    def set_audio_out_device(self, device_id: str) -> bool:
        return self._threads.run(lambda: self._handle.set_audio_out_device(device_id))

    def set_audio_bandwidth_encodings_max_bps(self, max_bps: int | None) -> None:
        self._threads.do(lambda: self._handle.set_audio_bandwidth_encodings_max_bps(max_bps))

    def play(self, what: "Playable", *, loop: bool = False) -> "Playback":
        return Playback(self._threads, self._threads.run(lambda: self._handle.play(what, loop=loop)))

    @checked_with(channels=one_of("both", "received"))
    def record(
        self, path: str | os.PathLike[str], *, sample_rate: int = 16_000, channels: "Channels" = "both"
    ) -> "Recording":
        return Recording(
            self._threads,
            self._threads.run(lambda: self._handle.record(path, sample_rate=sample_rate, channels=channels)),
        )

    def capture(self, path: str | os.PathLike[str]) -> "Capture":
        return Capture(self._threads, self._threads.run(lambda: self._handle.capture(path)))

    @checked
    def audio_in(
        self, sample_rate: int = 16_000, channels: int = 1, frame_ms: int = 20, timeout: float | None = None
    ) -> "Iterator[AudioFrame]":
        """Frames from now on, until the end of the call; ``TimeoutError`` when none comes for so long."""
        reader = self._threads.do(lambda: self._handle.audio_in(sample_rate, channels, frame_ms))
        return self._threads.iterate(reader.__anext__, timeout)

    def write(self, pcm: "Pcm", sample_rate: int | None = None, channels: int = 1) -> bool:
        """Send PCM16 at the pace of playback; False when part of it was dropped."""
        return self._threads.run(lambda: self._handle.audio_out.write(pcm, sample_rate, channels))

    def clear(self) -> float:
        """Drop what was written and not sent; returns its seconds."""
        return self._threads.do(lambda: self._handle.audio_out.clear())

    def drain(self) -> None:
        """Wait until everything written has been sent."""
        self._threads.run(lambda: self._handle.audio_out.drain())

    # Other spellings, as in docs/reference/js-names.md.

    muteAudio = mute  # noqa: N815
    unmuteAudio = unmute  # noqa: N815
    toggleAudioMute = toggle_mute  # noqa: N815
    mute_audio = mute
    unmute_audio = unmute
    toggle_audio_mute = toggle_mute
    toggleDeaf = toggle_deaf  # noqa: N815
    sendDigits = dtmf  # noqa: N815
    sendConversationMessage = send_conversation_message  # noqa: N815
    setAudioInDevice = set_audio_in_device  # noqa: N815
    setAudioOutDevice = set_audio_out_device  # noqa: N815
    setAudioBandwidthEncodingsMaxBps = set_audio_bandwidth_encodings_max_bps  # noqa: N815
    resumeMedia = resume_media  # noqa: N815
    rejectMedia = reject_media  # noqa: N815
    restartMedia = restart_media  # noqa: N815


class Playback:
    """What `play` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""

    def __init__(self, threads: Threads, playback: "AsyncPlayback") -> None:
        self._threads = threads
        self._playback = playback

    @property
    def position(self) -> float:
        return self._playback.position

    @property
    def ended(self) -> bool:
        return self._playback.ended

    def wait(self) -> None:
        """Until its end; raises what broke it off."""
        self._threads.run(self._playback.wait)

    def stop(self) -> None:
        self._threads.do(self._playback.stop)


class Capture:
    """What `capture` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""

    def __init__(self, threads: Threads, capture: "AsyncCapture") -> None:
        self._threads = threads
        self._capture = capture

    @property
    def ended(self) -> bool:
        return self._capture.ended

    def stop(self) -> None:
        """Complete the file."""
        self._threads.run(self._capture.stop)


class Recording:
    """What `record` returns of `telnyx_drivers.asyncio.CallHandle`, without ``async``."""

    def __init__(self, threads: Threads, recording: "AsyncRecording") -> None:
        self._threads = threads
        self._recording = recording

    @property
    def ended(self) -> bool:
        return self._recording.ended

    def stop(self) -> None:
        """Complete the file."""
        self._threads.run(self._recording.stop)
