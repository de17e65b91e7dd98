"""A call as applications use it: `CallHandle`, the same on every event loop."""

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias
from uuid import uuid4

import anyio
import anyio.lowlevel
from attrs import evolve, field, fields, frozen

from telnyx_core._options.values import read_custom_headers
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import DigitsVia, Done, Failed, Outcome
from telnyx_core.errors import InvalidCallState, TelnyxError
from telnyx_core.events import CallInfo, CallUpdated, Cause, Direction, Event, StatsFrame, StatsReport
from telnyx_core.facts import DigitSensed, PeerState
from telnyx_core.ids import CallId, Ticket
from telnyx_core.options import CustomHeader
from telnyx_core.states import LIVE, CallState
from telnyx_core.stats.call_stats import CallStats
from telnyx_core.stats.latency import Latency
from telnyx_core.stats.timings import EstablishmentTimings
from telnyx_drivers._arguments import checked, checked_with, one_of, seconds, text
from telnyx_drivers._driver import Driver
from telnyx_drivers._emitter import Broadcast, Emits, EventStream, Handlers
from telnyx_drivers._exceptions import CallEnded, CallFailed, MediaUnavailable, TelnyxClientError
from telnyx_drivers._guard import Handler, Spawn
from telnyx_drivers._images import image_url
from telnyx_drivers._services.telnyx_api import BASE_URL, Account
from telnyx_drivers._worker_threads import in_thread

if TYPE_CHECKING:
    from telnyx_drivers._audio.audio_input import Playable
    from telnyx_drivers._audio.player import Playback
    from telnyx_drivers._audio.readers import AudioIn
    from telnyx_drivers._audio.recorder import Channels, Recording
    from telnyx_drivers._audio.rtp.pcap import Capture
    from telnyx_drivers._audio.sense import Sense
    from telnyx_drivers._audio.turns import Turns
    from telnyx_drivers._audio.writer import AudioOut
    from telnyx_drivers._webrtc.call_audio import CallAudio

Headers: TypeAlias = Sequence[CustomHeader | Mapping[str, str]]
States: TypeAlias = CallState | str | Iterable[CallState | str]

_OVER: Final = frozenset({CallState.DESTROY})
_LAST_WORD: Final = 0.1
"""Seconds for encoders and the far end's jitter buffer in a draining hang-up, in addition to the network delay."""
_LONGEST_WAY: Final = 0.5
_SHORTEST_RING: Final = 5
"""Seconds that Call Control lets the new party of a transfer ring, at least."""


@frozen(kw_only=True)
class LiveCall(CallInfo):
    """The call of a notification: its state at that time as a snapshot, and the handle's commands."""

    handle: "CallHandle" = field(repr=False, eq=False)
    """The call itself."""

    async def answer(self, custom_headers: Headers = ()) -> None:
        """As `CallHandle.answer`."""
        await self.handle.answer(custom_headers)

    async def hangup(self, cause: str | None = None, cause_code: int | None = None) -> Cause:
        """As `CallHandle.hangup`."""
        return await self.handle.hangup(cause, cause_code)


@frozen
class CallNotification(CallUpdated):
    """The event ``telnyx.notification`` of type ``callUpdate``: ``notification.call.answer()``, as in the documents."""

    call: LiveCall
    """The call as it was then, with the commands of its handle."""


def notification(event: CallUpdated, handle: "CallHandle") -> CallNotification:
    members = {member.name: getattr(event.call, member.name) for member in fields(CallInfo)}
    return CallNotification(LiveCall(**members, handle=handle), timestamp=event.timestamp)


class _Waiter:
    def __init__(self, states: frozenset[CallState]) -> None:
        self.states = states
        self.reached: CallState | Exception | None = None
        self.event = anyio.Event()


class CallHandle(Emits["CallNotification"]):
    """One call, identified by its id. After every re-attach the handle stays the same object.

    A command that is not possible now raises `InvalidCallState`, `NotConnected` or `NotReady` and changes nothing (the
    reference lists when, under "States"); the getters always work. ``async with call:`` hangs up on the way out.
    """

    def __init__(self, driver: Driver, info: CallInfo, on_notification: Handler | None = None) -> None:
        self._driver = driver
        self._info = info
        self._error: TelnyxError | None = None
        self._broken: Exception | None = None
        """The client failed before this call ended."""
        self._audio: CallAudio | None = None
        self._playbacks: list[Playback] = []
        self._timings: EstablishmentTimings | None = None
        self._way = 0.05
        """Seconds of one-way network delay, as far as known."""
        self._waiters: list[_Waiter] = []
        self._broadcast = Broadcast[Event]()
        self._handlers = Handlers()
        self.offered = False
        """True: ``incoming()`` has returned this call."""
        self.on_notification = on_notification
        """If set, gets the call's notifications *instead of* the client's handlers, as in the JavaScript SDK."""

    def __repr__(self) -> str:
        return f"<CallHandle {self.id} {self.direction} {self.state.value}>"

    # Looking.

    @property
    def id(self) -> CallId:
        """The call's id, a UUID."""
        return self._info.id

    @property
    def info(self) -> CallInfo:
        """A snapshot: the present state while the call is live, and its last state afterwards."""
        return self._driver.session.call(self.id) if self.live else self._info

    @property
    def state(self) -> CallState:
        """The present state."""
        return self._info.state

    @property
    def direction(self) -> Direction:
        """``inbound`` or ``outbound``, as seen from here."""
        return self._info.direction

    @property
    def live(self) -> bool:
        """False from the hang-up on, by either end."""
        return self._info.state in LIVE

    @property
    def ended(self) -> Cause | None:
        """How the call ended, or ``None`` while it has not."""
        return self._info.ended

    @property
    def error(self) -> TelnyxError | None:
        """The last error of the catalogue that named this call."""
        return self._error

    @property
    def timings(self) -> EstablishmentTimings | None:
        """How long each stage of the set-up took: ``timings.steps``, with labels and milliseconds.

        As far as it has come; after the end as the call's report has it, and ``None`` without a report.
        """
        return self._driver.session.timings(self.id) if self.live else self._timings

    @property
    def latency(self) -> Latency | None:
        """Round trip and jitter of the signalling, in seconds, from what the server answers at once; ``None`` before.

        `TelnyxRTC.is_registered` asks it for another one.
        """
        return self._driver.session.latency

    async def stats(self) -> CallStats:
        """The counters of the media path now: round trip, jitter, packets, and all of them under the W3C's names.

        Raises `InvalidCallState` before there is a media path and after the end, and `MediaUnavailable`.
        """
        reading = self.audio.reading()
        await anyio.lowlevel.checkpoint()
        if reading is None or not self.live:
            raise InvalidCallState(f"there is no media path: the call is {self.state.value}")
        return CallStats(time.time(), reading)

    @property
    def connection_state(self) -> PeerState:
        """Of the peer in use: ``new``, ``connecting``, ``connected``, ``disconnected``, ``failed`` or ``closed``."""
        return self.info.connection_state

    @property
    def ice_connection_state(self) -> str:
        """W3C ``RTCIceConnectionState`` of the peer in use."""
        return self.info.ice_connection_state

    @property
    def ice_gathering_state(self) -> str:
        """W3C ``RTCIceGatheringState`` of the peer in use."""
        return self.info.ice_gathering_state

    @property
    def signaling_state(self) -> str:
        """W3C ``RTCSignalingState`` of the peer in use."""
        return self.info.signaling_state

    # Waiting.

    @checked
    async def wait_for_state(self, states: States, timeout: float | None = None) -> CallState:
        """Wait until the call is, or passes through, one of the states; returns the one it was.

        Raises `CallEnded` when the call ends first, ``TimeoutError`` after ``timeout`` seconds, ``ValueError`` for a
        state that does not exist.
        """
        wanted = _states(states)
        names = ", ".join(sorted(state.value for state in wanted))
        try:
            with anyio.fail_after(timeout):
                reached = await self._reach(wanted | _OVER)
        except TimeoutError:
            raise TimeoutError(f"the call is {self.state.value} and was not {names} within {timeout:g} s") from None
        if reached in wanted:
            return reached
        raise self._ended_before(f"it was {names}")

    def _ended_before(self, what: str) -> CallEnded:
        """The error to raise. A fault on this side is the reason to give, not the cause that the far end was told."""
        cause, error = self.ended or Cause(None, None), self._error
        why = str(cause.cause)
        if error is not None:
            why = f"{error.code} {error.message}" + (f" {error.original.text}" if error.original is not None else "")
        return CallEnded(f"the call ended before {what}: {why}", cause, error=error)

    @checked
    async def wait_ended(self, timeout: float | None = None) -> Cause:
        """Wait until all resources of the call are released. Raises ``TimeoutError`` after ``timeout`` seconds."""
        with anyio.fail_after(timeout):
            await self._reach(_OVER)
        return self.ended or Cause(None, None)

    async def _reach(self, states: frozenset[CallState]) -> CallState:
        if self._broken is not None:
            raise self._broken
        if self.state in states:
            await anyio.lowlevel.checkpoint()
            return self.state
        waiter = _Waiter(states)
        self._waiters.append(waiter)
        try:
            await waiter.event.wait()
        finally:
            self._waiters.remove(waiter)
        assert waiter.reached is not None, "woken without a state"
        if isinstance(waiter.reached, Exception):
            raise waiter.reached
        return waiter.reached

    # Commands.

    @checked
    async def answer(self, custom_headers: Headers = ()) -> None:
        """Accept an incoming call; `wait_for_state` tells when it is ``active``.

        A microphone that cannot be opened is an event, not an exception, and so is an answer where none is needed: to a
        call that is being answered, that is answered, or that was placed here (33006, 33007).
        """
        self._check_live()
        await self._driver.engine_loaded()
        self._check_live()
        self._driver.engine()
        self._driver.session.answer(self.id, now=self._driver.now(), custom_headers=_headers(custom_headers))
        self._driver.commanded()
        await anyio.lowlevel.checkpoint()

    @checked
    async def hangup(
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
        """End the call, in any state; returns once it is released, at most about five seconds later.

        ``drain`` first lets everything written and every playback that has an end be heard, also at the far end: it
        waits for one network delay more. Never raises because of the network, and on an ended call does
        nothing.
        """
        if drain and self.live:
            with contextlib.suppress(MediaUnavailable):  # nothing is to be heard then
                await self._drain()
        if self.live:
            await self._driver.ask(
                lambda now: self._driver.session.hangup(
                    self.id,
                    now=now,
                    cause=cause,
                    cause_code=cause_code,
                    sip_code=sip_code,
                    sip_reason=sip_reason,
                    sip_call_id=sip_call_id,
                    custom_headers=_headers(custom_headers),
                )
            )
        return await self.wait_ended()

    async def hold(self) -> bool:
        """Put the call on hold. False: the server did not do it, and a 44001 event says why.

        Raises `InvalidCallState` unless the call is active or held, and `NotConnected` or `NotReady` without a
        registered socket.
        """
        return await self._done(lambda now: self._driver.session.hold(self.id, now=now))

    async def unhold(self) -> bool:
        """Resume the call from hold; as `hold`."""
        return await self._done(lambda now: self._driver.session.unhold(self.id, now=now))

    async def toggle_hold(self) -> bool:
        """`hold` or `unhold`, whichever is due; True when it was done."""
        return await self._done(lambda now: self._driver.session.toggle_hold(self.id, now=now))

    toggleHold = toggle_hold  # noqa: N815  # the JavaScript SDK's spelling

    def mute(self) -> None:
        """Send silence from now on; allowed before there is media, and kept over every re-attach."""
        self._set_muted(True)

    def unmute(self) -> None:
        """Send again what is played or spoken."""
        self._set_muted(False)

    def toggle_mute(self) -> bool:
        """Returns whether the call is muted now."""
        muted = not self.info.muted
        self._set_muted(muted)
        return muted

    def deaf(self) -> None:
        """Replace received audio by silence from now on; the far end does not notice."""
        self._set_deaf(True)

    def undeaf(self) -> None:
        """Hear again what comes in."""
        self._set_deaf(False)

    def toggle_deaf(self) -> bool:
        """Returns whether the call is deaf now."""
        deaf = not self.info.deaf
        self._set_deaf(deaf)
        return deaf

    @checked
    async def dtmf(
        self,
        digits: str,
        *,
        via: DigitsVia = "info",
        duration: float | None = None,
        gap: float | None = None,
        volume: int | None = None,
    ) -> JsonView:
        """Send digits, ``0-9 * # A-D`` (and ``F``) and the pauses ``w`` (0.5 s), ``W`` (1 s), ``,`` (2 s).

        They go as messages to the server, whose last reply is returned; the pauses are kept here and not
        sent. The platform passes digits on, but not to a WebRTC client: the far end's reach this one as tones at most.

        ``via="rtp"`` sends them in the audio stream (RFC 4733) instead and returns when the last one is out. There each
        takes ``duration`` seconds (0.1; 0.04 to 8), with ``gap`` seconds after it (0.05; 0.02 to 8), at ``volume`` dBm0
        (-10; -63 to 0). Raises ``ValueError`` for other characters, for values out of these ranges, and for any of them
        without ``via="rtp"``; `CallFailed` when the server refuses or does not answer. Where the far end takes no
        digits in the stream, as in inbound calls of the platform, they go as messages all the same. While the media
        path is being replaced, they wait for the new one; `CallFailed` says so if none comes about, and of digits that
        were being sent when the old one was given up, for nothing tells how many of those were heard.
        """
        session = self._driver.session
        return await self._value(
            "dtmf",
            lambda now: session.dtmf(self.id, digits, via, duration=duration, gap=gap, volume=volume, now=now),
        )

    send_digits = dtmf

    @checked
    async def message(self, to: str, body: str) -> JsonView:
        """Send a text message along with the call. Raises `CallFailed`."""
        return await self._value("message", lambda now: self._driver.session.message(self.id, to, body, now=now))

    @checked_with(timeout=seconds(most=600))
    async def transfer(
        self,
        to: str,
        *,
        caller_number: str | None = None,
        caller_name: str | None = None,
        custom_headers: Headers = (),
        client_state: str | None = None,
        timeout: float | None = None,
        api_key: str | None = None,
        base_url: str = BASE_URL,
    ) -> None:
        """Have the platform connect this call with a number or a SIP URI, and leave it, by Call Control's ``transfer``.

        The WebSocket has no such message: this is one request to Telnyx's REST API with the ``telnyx_call_control_id``
        of the call, by an account's ``api_key`` (``TELNYX_API_KEY``), with the ``http`` extra. ``caller_number`` and
        ``caller_name`` are shown to the new party, which rings for ``timeout`` seconds (5 to 600). It returns when the
        API has taken the command; the call ends when the new party answers, and goes on if it does not.

        Raises `InvalidCallState` after the end and before the server has told that id, and `AccountFailed` where there
        is no key, or the API refuses or is not reached.
        """
        self._check_live()
        control = self.info.telnyx_call_control_id
        if control is None:
            raise InvalidCallState("the server has not told a call_control_id, without which a call is not transferred")
        body: JsonObject = {"to": to, "command_id": str(uuid4())}
        body |= {
            name: value
            for name, value in {
                "from": caller_number,
                "from_display_name": caller_name,
                "client_state": client_state,
                "timeout_secs": None if timeout is None else max(round(timeout), _SHORTEST_RING),
            }.items()
            if value is not None
        }
        if custom_headers:
            body["custom_headers"] = [{"name": each.name, "value": each.value} for each in _headers(custom_headers)]
        account = Account(api_key=api_key, base_url=base_url)
        await in_thread(lambda: account.transfer(control, body), abandon_on_cancel=True)

    @checked
    async def send_conversation_message(self, text: str, attachments: Sequence[str | bytes] = ()) -> JsonView:
        """Say something in writing to the AI assistant on the call, with images: their URLs, or what is in their files.

        The content of PNG, JPEG, GIF and WebP files goes along in the message, of which the server takes a million
        bytes: about 700 kB of images. Raises ``ValueError`` for bytes of another kind, and `CallFailed` where the
        message is too long or the server refuses it.
        """
        session, urls = self._driver.session, tuple(map(image_url, attachments))
        return await self._value(
            "ai_conversation",
            lambda now: session.send_conversation_message(self.id, text, urls, now=now),
        )

    @checked
    def send_ai_item(self, item: Mapping[str, Json]) -> None:
        """Send a function call's output, or a subscription to the audio stream, to the AI assistant.

        Raises ``ValueError`` for any other item.
        """
        self._check_live()
        self._driver.session.send_ai_item(item, now=self._driver.now())
        self._driver.commanded()

    async def restart_media(self) -> bool:
        """Look for the media path anew by an ICE restart (RFC 8445 section 2.4), with the addresses that there are now.

        For applications that know of a better network; a broken path is renewed without this. Audio goes over the old
        path until the new one is connected; where the far end changes its certificate, it is negotiated from scratch.
        False: it could not be, and a 47001 event says why. Raises `InvalidCallState` before media was connected, and
        `NotConnected` or `NotReady` without a registered socket.
        """
        return await self._done(lambda now: self._driver.session.restart_media(self.id, now=now))

    def flush_report(self) -> None:
        """Have what there is of the call's report sent to the platform at once, and not only in its time.

        Raises `InvalidCallState` after the end, when all of it is on its way already.
        """
        self._check_live()
        self._driver.session.flush_report(self.id, now=self._driver.now())
        self._driver.commanded()

    def resume_media(self) -> bool:
        """Try the microphone again after a recoverable failure. False: there is nothing to resume."""
        return self._recover(self._driver.session.resume_media)

    def reject_media(self) -> bool:
        """Give the microphone up. False: there is nothing to reject."""
        return self._recover(self._driver.session.reject_media)

    @checked
    async def set_audio_in_device(self, device_id: str | None, muted: bool | None = None) -> bool:
        """Send audio from another source from now on, named as a ``mic_id`` is; ``None``: the default one.

        ``muted`` also sets whether the call is muted. False: an event says why, and the call continues unchanged:
        42001 to 42003 that the source could not be opened, 33009 that the call sends no audio now.
        """
        done = await self._done(lambda now: self._driver.session.set_source(self.id, device_id, now=now))
        if done and muted is not None and self.live:
            self._set_muted(muted)
        return done

    @checked_with(device_id=text("the id of a device", empty=False))
    async def set_audio_out_device(self, device_id: str) -> bool:
        """Play the call through another sink from now on, named as a ``speaker_id`` is; the old one is closed.

        False: it could not be opened, an event gives the reason, and the call continues unchanged.
        """
        self._check_live()
        return await self._driver.sinks.switch(self.id, device_id)

    @checked
    def set_audio_bandwidth_encodings_max_bps(self, max_bps: int | None) -> None:
        """Limit the encoder to so many bits per second from now on; ``None``: no limit.

        Kept over every re-attach. The far end's limit and ``max_kbps`` stay in force: the lowest applies.
        Opus obeys, from 6000 on; G.711 and G.722 have one rate. Raises ``ValueError`` for less than one.
        """
        self._check_live()
        self._driver.session.set_max_bit_rate(self.id, max_bps, now=self._driver.now())
        self._driver.commanded()

    # Audio.

    @property
    def audio(self) -> "CallAudio":
        """All audio that is received and sent. Raises `MediaUnavailable`, or `InvalidCallState` after the end."""
        if self._audio is None:
            self._check_live()
            self._audio = self._driver.engine().audio(self.id)
        return self._audio

    @property
    def audio_out(self) -> "AudioOut":
        """Audio to send: ``write``, ``clear``, ``drain``, ``heard``, ``filler`` and more, see `AudioOut`."""
        return self.audio.audio_out

    @property
    def turns(self) -> "Turns":
        """Who spoke when, and how long the other one took to answer; measured from the first time that this is used.

        Iterate over them as they end, or look at ``turns.so_far``. Raises what `audio` raises, unless it was used
        before. ::

            async for turn in call.turns:
                print(turn.who, turn.start, turn.end, turn.response)
        """
        return self.audio.turns

    def sense(self) -> "Sense":
        """What the far end sounds like: a human, a machine, its beep, a fax, tones of the network, music, silence.

        Looked at from the first time that this is used; iterate over it, or look at ``sense().so_far``. From then on
        digits whose tones are in the audio are `DigitReceived` with ``via="audio"``. Raises what `audio` raises. ::

            async for sensed in call.sense():
                print(sensed.kind, sensed.at)
        """
        tell = self._driver.tell
        return self.audio.sense(lambda found: tell(DigitSensed(self.id, found.digit, found.duration)))

    @checked
    def audio_in(self, sample_rate: int = 16_000, channels: int = 1, frame_ms: int = 20) -> "AudioIn":
        """Received audio from now on: an asynchronous iterator of `AudioFrame` (PCM16) that ends with the call.

        ``sample_rate`` is in hertz, 8000 to 192,000 in steps of 25; ``channels`` is 1 or 2; ``frame_ms`` is the length
        of a frame, 10 to 1000 ms. Raises ``ValueError`` for others, and what `audio` raises. A reader that is a second
        behind loses the oldest frames. ::

            async for frame in call.audio_in(16_000):
                await recognizer.send(frame.data)
        """
        return self.audio.audio_in(sample_rate, channels, frame_ms)

    @checked
    async def play(self, what: "Playable", *, loop: bool = False) -> "Playback":
        """Play a file, a URL, a `Tone` or an iterator of `AudioFrame`, asynchronous or not; returns when it starts.

        An iterator that is not asynchronous may block: its frames are fetched in a thread. Raises ``TypeError`` for
        what cannot be played, ``OSError`` for a file that cannot be opened, ``ValueError`` for one without audio.
        """
        playback = await self.audio.play(what, loop=loop)
        self._playbacks = [each for each in self._playbacks if not each.ended]
        if not loop:
            self._playbacks.append(playback)
        return playback

    @checked_with(channels=one_of("both", "received"))
    async def record(
        self, path: str | os.PathLike[str], *, sample_rate: int = 16_000, channels: "Channels" = "both"
    ) -> "Recording":
        """Record into a WAV file until the call or the recording ends. Raises ``OSError``."""
        return await self.audio.record(path, sample_rate=sample_rate, channels=channels)

    @checked
    async def capture(self, path: str | os.PathLike[str]) -> "Capture":
        """Write the call's RTP and RTCP packets, decrypted, into a pcap file; see `CallAudio.capture`."""
        return await self.audio.capture(path)

    # Events.

    def events(self) -> EventStream[Event]:
        """This call's events from now on; ends with the call."""
        stream = self._broadcast.stream()
        if self.state in _OVER:
            stream.end()
        return stream

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._driver.shielded(self._leave)

    async def _leave(self) -> None:
        await self.hangup()

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

    # For the client.

    def note(self, info: CallInfo) -> None:
        self._info = info
        for waiter in self._waiters:
            if waiter.reached is None and info.state in waiter.states:
                waiter.reached = info.state
                waiter.event.set()

    def note_error(self, error: TelnyxError) -> None:
        self._error = error

    def publish(self, event: Event) -> None:
        if isinstance(event, StatsFrame) and event.rtt is not None:
            self._way = min(event.rtt / 2_000, _LONGEST_WAY)
        elif isinstance(event, StatsReport):
            self._timings = event.establishment
        self._broadcast.publish(event)
        if self.state in _OVER:
            self._broadcast.end()

    def deliver(self, event: Event, spawn: Spawn) -> None:
        self._handlers.call(event, spawn)

    def give_up(self, error: Exception) -> None:
        """The client failed before this call ended: end its event streams and wake all who wait for it."""
        self._broken = error
        self._info = evolve(self._info, state=CallState.DESTROY, previous=self._info.state)
        self._broadcast.end(error)
        for waiter in self._waiters:
            if waiter.reached is None:
                waiter.reached = error
                waiter.event.set()

    # Inside.

    def _check_live(self) -> None:
        if self._broken is not None:
            raise self._broken
        if not self.live:
            raise InvalidCallState(f"the call has ended: it is {self.state.value}")

    def _set_muted(self, muted: bool) -> None:
        self._check_live()
        self._driver.session.set_muted(self.id, muted, now=self._driver.now())
        self._driver.commanded()

    def _set_deaf(self, deaf: bool) -> None:
        self._check_live()
        self._driver.session.set_deaf(self.id, deaf, now=self._driver.now())
        self._driver.commanded()

    def _recover(self, command: Callable[..., bool]) -> bool:
        if not self.live:
            return False
        accepted = command(self.id, now=self._driver.now())
        self._driver.commanded()
        return accepted

    async def _ask(self, command: Callable[[float], Ticket]) -> Outcome:
        self._check_live()
        return await self._driver.ask(command)

    async def _done(self, command: Callable[[float], Ticket]) -> bool:
        return isinstance(await self._ask(command), Done)

    async def _value(self, what: str, command: Callable[[float], Ticket]) -> JsonView:
        match await self._ask(command):
            case Done(value):
                return value
            case Failed(failure):
                raise CallFailed(f"{what}: {failure}", failure=failure)

    async def _drain(self) -> None:
        """Until all queued audio has been played at the far end, or can no longer be heard there."""
        audio = self.audio

        async def say() -> None:
            await audio.drain()
            for playback in self._playbacks:
                with contextlib.suppress(Exception):  # a playback that failed has nothing more to send
                    await playback.wait()
            await anyio.sleep(_LAST_WORD + self._way)
            group.cancel_scope.cancel()

        failure: TelnyxClientError | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(say)
            try:
                await self._reach(frozenset(CallState) - LIVE)
            except TelnyxClientError as error:
                failure = error  # raised below: the group would wrap it into one of its own
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure


def _states(states: States) -> frozenset[CallState]:
    if isinstance(states, CallState | str):
        states = (states,)
    try:
        wanted = frozenset(CallState(state) for state in states)
    except ValueError as error:
        raise ValueError(f"{error}; the states are {', '.join(state.value for state in CallState)}") from None
    if not wanted:
        raise ValueError("states must name at least one state")
    return wanted


def _headers(headers: Headers) -> tuple[CustomHeader, ...]:
    return read_custom_headers(headers)
