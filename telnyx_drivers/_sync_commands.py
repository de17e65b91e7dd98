"""The commands of the client and of a call, without ``async``.

Made by docs/_tools/commands.py from `Client` and `CallHandle`: change that one, and run the tool.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Unpack

from telnyx_core._signalling.speed import SpeedTestResult
from telnyx_core._wire.json_types import Json, JsonObject, JsonView
from telnyx_core.actions import DigitsVia
from telnyx_core.errors import TelnyxError
from telnyx_core.events import CallInfo, Cause, Direction, TranscriptItem
from telnyx_core.facts import NetworkChange, PeerState
from telnyx_core.ids import CallId
from telnyx_core.options import Region
from telnyx_core.states import CallState, SessionState
from telnyx_core.stats.call_stats import CallStats
from telnyx_core.stats.latency import Latency
from telnyx_core.stats.timings import EstablishmentTimings
from telnyx_drivers._audio.audio_devices import SinkFactory
from telnyx_drivers._blocking import Capture, Playback, Recording, Relayed
from telnyx_drivers._calls import CallHandle, Headers, States
from telnyx_drivers._client import Client
from telnyx_drivers._keywords import LoginKeywords
from telnyx_drivers._listening import N
from telnyx_drivers._services.telnyx_api import BASE_URL

if TYPE_CHECKING:
    from telnyx_drivers._audio.audio_input import Playable
    from telnyx_drivers._audio.recorder import Channels
    from telnyx_drivers._audio.source_registry import SourceFactory


class ClientCommands(Relayed[Client, N]):
    """The commands and members of `TelnyxRTC`."""

    def login(self, credentials: Mapping[str, object] | None = None, **keywords: Unpack[LoginKeywords]) -> None:
        """Log in on the live socket with new credentials: a fresh token, or another user.

        Raises `LoginFailed` when they are refused or there is no socket, `InvalidCredentials` when they are unusable:
        then nothing is sent, and handlers of ``telnyx.error`` hear 46002 as well, with ``InvalidCredentialsOptions``
        as the kind of ``error.original``.
        """
        self._run(lambda: self._source.login(credentials, **keywords))

    def switch_region(self, region: Region | str) -> None:
        """Go to the signalling servers of another region, and wait until registered there.

        Answered calls are carried on: the server offers them again on the new socket. Calls that ring or are being
        dialled end. Without a connection the region counts from the next `connect` on. Raises `OptionsError` for what
        is no region, and otherwise what `connect` raises.
        """
        self._run(lambda: self._source.switch_region(region))

    def is_registered(self) -> bool:
        """Ask the server whether this session is registered now."""
        return self._run(self._source.is_registered)

    get_is_registered = is_registered

    def subscribe(self, channel: str) -> JsonView:
        """Subscribe to the events of a channel, which arrive as `ServerEvent` until the socket is replaced.

        Returns the server's reply. Raises `CallFailed` where it refuses, `NotConnected` or `NotReady` before `connect`.
        """
        return self._run(lambda: self._source.subscribe(channel))

    def unsubscribe(self, channel: str) -> JsonView:
        """End the subscription to a channel; as `subscribe`."""
        return self._run(lambda: self._source.unsubscribe(channel))

    def broadcast(self, channel: str, data: Mapping[str, Json]) -> JsonView:
        """Send an event to all other subscribers of a channel; as `subscribe`."""
        return self._run(lambda: self._source.broadcast(channel, data))

    def speed_test(self, size: int = 262144) -> SpeedTestResult:
        """Send so many bytes (1 to 1,048,576) over the signalling socket, be sent as many, and tell how fast that went.

        The server does nothing else meanwhile, and the audio of calls shares the line: measure before a call. Raises
        `Busy` while another test is under way, `CallFailed` when the server has not answered after 30 s (not every
        server has a speed test) or the socket is lost, and `NotConnected` or `NotReady` before `connect`.
        """
        return self._run(lambda: self._source.speed_test(size))

    def clear_reconnect_token(self) -> None:
        """Forget the values that would route the next socket to the same server and session."""
        self._do(self._source.clear_reconnect_token)

    def network_changed(self, change: NetworkChange) -> None:
        """Report a change of the host's network: ``"offline"``, ``"online"``, ``"path_changed"`` or ``"resumed"``.

        ``"online"`` follows ``"offline"``, and ``"resumed"`` a sleep of the host.

        Recovery works without such reports, but begins earlier with them. Offline raises the error event 48001.
        """
        self._do(lambda: self._source.network_changed(change))

    @property
    def state(self) -> SessionState:
        """Of the connection and the registration; ``idle`` also after a fault of this package ended the client."""
        return self._source.state

    @property
    def connected(self) -> bool:
        """The socket is open."""
        return self._source.connected

    @property
    def session_id(self) -> str | None:
        """The server's id of the session, or ``None`` before the first login."""
        return self._source.session_id

    @property
    def region(self) -> str | None:
        """The region that the server tells of itself, once registered."""
        return self._source.region

    @property
    def dc(self) -> str | None:
        """The data centre that the server tells of itself, once registered."""
        return self._source.dc

    @property
    def call_report_id(self) -> str | None:
        """The id under which call reports are sent, once registered."""
        return self._source.call_report_id

    def register_source(self, source_id: str, factory: "SourceFactory", label: str | None = None) -> None:
        """Let calls send what ``factory`` opens, by ``mic_id=source_id``; at any time, also anew.

        ``"default"`` is for calls without a ``mic_id``, the incoming ones among them. The factory is called for every
        call, on the loop that media runs on: asyncio, also for a client on trio. What it raises becomes 42001, 42002
        or 42003. A ``mic_id`` that is neither registered nor the id of a device is 42002. For
        microphones see `telnyx_drivers.asyncio.microphone`. ``label`` is what `get_audio_in_devices` calls it.
        """
        self._do(lambda: self._source.register_source(source_id, factory, label))

    def register_sink(self, sink_id: str, factory: SinkFactory, label: str | None = None) -> None:
        """Let calls be played through what ``factory`` opens, by ``speaker_id=sink_id``; else as `register_source`.

        All of it happens on the client's loop. A sink that cannot be opened, or that fails, raises an event 42001 to
        42003, which is not fatal: the call continues without it. See `Sink`.
        """
        self._do(lambda: self._source.register_sink(sink_id, factory, label))

    @property
    def tools(self) -> tuple[JsonObject, ...]:
        """The functions given to `tool` with their JSON schemas, as an assistant's configuration describes them."""
        return self._source.tools

    @property
    def transcript(self) -> tuple[TranscriptItem, ...]:
        """What caller and AI assistant said since the call began, oldest first; it stays until the next call begins.

        With a ``conversation_id`` it goes on over several calls.
        """
        return self._source.transcript

    @property
    def widget_settings(self) -> JsonView | None:
        """How the assistant's owner wants it shown, as the server told it; ``None`` before."""
        return self._source.widget_settings

    @property
    def conversation_id(self) -> str | None:
        """The conversation that an anonymous login joins: ``conversation_id`` of its ``target_params``."""
        return self._source.conversation_id

    getIsRegistered = is_registered  # noqa: N815
    clearReconnectToken = clear_reconnect_token  # noqa: N815
    speedTest = speed_test  # noqa: N815
    switchRegion = switch_region  # noqa: N815


class CallCommands(Relayed[CallHandle, N]):
    """The commands and members of `Call`."""

    @property
    def id(self) -> CallId:
        """The call's id, a UUID."""
        return self._source.id

    @property
    def info(self) -> CallInfo:
        """A snapshot: the present state while the call is live, and its last state afterwards."""
        return self._threads.touch(lambda: self._source.info)

    @property
    def state(self) -> CallState:
        """The present state."""
        return self._source.state

    @property
    def direction(self) -> Direction:
        """``inbound`` or ``outbound``, as seen from here."""
        return self._source.direction

    @property
    def live(self) -> bool:
        """False from the hang-up on, by either end."""
        return self._source.live

    @property
    def ended(self) -> Cause | None:
        """How the call ended, or ``None`` while it has not."""
        return self._source.ended

    @property
    def error(self) -> TelnyxError | None:
        """The last error of the catalogue that named this call."""
        return self._source.error

    @property
    def timings(self) -> EstablishmentTimings | None:
        """How long each stage of the set-up took: ``timings.steps``, with labels and milliseconds.

        As far as it has come; after the end as the call's report has it, and ``None`` without a report.
        """
        return self._threads.touch(lambda: self._source.timings)

    @property
    def latency(self) -> Latency | None:
        """Round trip and jitter of the signalling, in seconds, from what the server answers at once; ``None`` before.

        `TelnyxRTC.is_registered` asks it for another one.
        """
        return self._threads.touch(lambda: self._source.latency)

    def stats(self) -> CallStats:
        """The counters of the media path now: round trip, jitter, packets, and all of them under the W3C's names.

        Raises `InvalidCallState` before there is a media path and after the end, and `MediaUnavailable`.
        """
        return self._run(self._source.stats)

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

    def wait_for_state(self, states: States, timeout: float | None = None) -> CallState:
        """Wait until the call is, or passes through, one of the states; returns the one it was.

        Raises `CallEnded` when the call ends first, ``TimeoutError`` after ``timeout`` seconds, ``ValueError`` for a
        state that does not exist.
        """
        return self._run(lambda: self._source.wait_for_state(states, timeout))

    def wait_ended(self, timeout: float | None = None) -> Cause:
        """Wait until all resources of the call are released. Raises ``TimeoutError`` after ``timeout`` seconds."""
        return self._run(lambda: self._source.wait_ended(timeout))

    def answer(self, custom_headers: Headers = ()) -> None:
        """Accept an incoming call; `wait_for_state` tells when it is ``active``.

        A microphone that cannot be opened is an event, not an exception, and so is an answer where none is needed: to a
        call that is being answered, that is answered, or that was placed here (33006, 33007).
        """
        self._run(lambda: self._source.answer(custom_headers))

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
        """End the call, in any state; returns once it is released, at most about five seconds later.

        ``drain`` first lets everything written and every playback that has an end be heard, also at the far end: it
        waits for one network delay more. Never raises because of the network, and on an ended call does
        nothing.
        """
        return self._run(
            lambda: self._source.hangup(
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
        """Put the call on hold. False: the server did not do it, and a 44001 event says why.

        Raises `InvalidCallState` unless the call is active or held, and `NotConnected` or `NotReady` without a
        registered socket.
        """
        return self._run(self._source.hold)

    def unhold(self) -> bool:
        """Resume the call from hold; as `hold`."""
        return self._run(self._source.unhold)

    def toggle_hold(self) -> bool:
        """`hold` or `unhold`, whichever is due; True when it was done."""
        return self._run(self._source.toggle_hold)

    toggleHold = toggle_hold  # noqa: N815

    def mute(self) -> None:
        """Send silence from now on; allowed before there is media, and kept over every re-attach."""
        self._do(self._source.mute)

    def unmute(self) -> None:
        """Send again what is played or spoken."""
        self._do(self._source.unmute)

    def toggle_mute(self) -> bool:
        """Returns whether the call is muted now."""
        return self._do(self._source.toggle_mute)

    def deaf(self) -> None:
        """Replace received audio by silence from now on; the far end does not notice."""
        self._do(self._source.deaf)

    def undeaf(self) -> None:
        """Hear again what comes in."""
        self._do(self._source.undeaf)

    def toggle_deaf(self) -> bool:
        """Returns whether the call is deaf now."""
        return self._do(self._source.toggle_deaf)

    def dtmf(
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
        return self._run(lambda: self._source.dtmf(digits, via=via, duration=duration, gap=gap, volume=volume))

    send_digits = dtmf

    def message(self, to: str, body: str) -> JsonView:
        """Send a text message along with the call. Raises `CallFailed`."""
        return self._run(lambda: self._source.message(to, body))

    def transfer(
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
        self._run(
            lambda: self._source.transfer(
                to,
                caller_number=caller_number,
                caller_name=caller_name,
                custom_headers=custom_headers,
                client_state=client_state,
                timeout=timeout,
                api_key=api_key,
                base_url=base_url,
            )
        )

    def send_conversation_message(self, text: str, attachments: Sequence[str | bytes] = ()) -> JsonView:
        """Say something in writing to the AI assistant on the call, with images: their URLs, or what is in their files.

        The content of PNG, JPEG, GIF and WebP files goes along in the message, of which the server takes a million
        bytes: about 700 kB of images. Raises ``ValueError`` for bytes of another kind, and `CallFailed` where the
        message is too long or the server refuses it.
        """
        return self._run(lambda: self._source.send_conversation_message(text, attachments))

    def send_ai_item(self, item: Mapping[str, Json]) -> None:
        """Send a function call's output, or a subscription to the audio stream, to the AI assistant.

        Raises ``ValueError`` for any other item.
        """
        self._do(lambda: self._source.send_ai_item(item))

    def restart_media(self) -> bool:
        """Look for the media path anew by an ICE restart (RFC 8445 section 2.4), with the addresses that there are now.

        For applications that know of a better network; a broken path is renewed without this. Audio goes over the old
        path until the new one is connected; where the far end changes its certificate, it is negotiated from scratch.
        False: it could not be, and a 47001 event says why. Raises `InvalidCallState` before media was connected, and
        `NotConnected` or `NotReady` without a registered socket.
        """
        return self._run(self._source.restart_media)

    def flush_report(self) -> None:
        """Have what there is of the call's report sent to the platform at once, and not only in its time.

        Raises `InvalidCallState` after the end, when all of it is on its way already.
        """
        self._do(self._source.flush_report)

    def resume_media(self) -> bool:
        """Try the microphone again after a recoverable failure. False: there is nothing to resume."""
        return self._do(self._source.resume_media)

    def reject_media(self) -> bool:
        """Give the microphone up. False: there is nothing to reject."""
        return self._do(self._source.reject_media)

    def set_audio_in_device(self, device_id: str | None, muted: bool | None = None) -> bool:
        """Send audio from another source from now on, named as a ``mic_id`` is; ``None``: the default one.

        ``muted`` also sets whether the call is muted. False: an event says why, and the call continues unchanged:
        42001 to 42003 that the source could not be opened, 33009 that the call sends no audio now.
        """
        return self._run(lambda: self._source.set_audio_in_device(device_id, muted))

    def set_audio_out_device(self, device_id: str) -> bool:
        """Play the call through another sink from now on, named as a ``speaker_id`` is; the old one is closed.

        False: it could not be opened, an event gives the reason, and the call continues unchanged.
        """
        return self._run(lambda: self._source.set_audio_out_device(device_id))

    def set_audio_bandwidth_encodings_max_bps(self, max_bps: int | None) -> None:
        """Limit the encoder to so many bits per second from now on; ``None``: no limit.

        Kept over every re-attach. The far end's limit and ``max_kbps`` stay in force: the lowest applies.
        Opus obeys, from 6000 on; G.711 and G.722 have one rate. Raises ``ValueError`` for less than one.
        """
        self._do(lambda: self._source.set_audio_bandwidth_encodings_max_bps(max_bps))

    def play(self, what: "Playable", *, loop: bool = False) -> "Playback":
        """Play a file, a URL, a `Tone` or an iterator of `AudioFrame`, asynchronous or not; returns when it starts.

        An iterator that is not asynchronous may block: its frames are fetched in a thread. Raises ``TypeError`` for
        what cannot be played, ``OSError`` for a file that cannot be opened, ``ValueError`` for one without audio.
        """
        return Playback(self._threads, self._run(lambda: self._source.play(what, loop=loop)))

    def record(
        self, path: str | os.PathLike[str], *, sample_rate: int = 16000, channels: "Channels" = "both"
    ) -> "Recording":
        """Record into a WAV file until the call or the recording ends. Raises ``OSError``."""
        return Recording(
            self._threads, self._run(lambda: self._source.record(path, sample_rate=sample_rate, channels=channels))
        )

    def capture(self, path: str | os.PathLike[str]) -> "Capture":
        """Write the call's RTP and RTCP packets, decrypted, into a pcap file; see `CallAudio.capture`."""
        return Capture(self._threads, self._run(lambda: self._source.capture(path)))

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
