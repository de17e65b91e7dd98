"""aiortc as it comes, with a peer connection of its own: what our path is measured against."""

import asyncio
import fractions
from collections.abc import Callable
from typing import TYPE_CHECKING

import aioice.ice
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame

from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, EngineAction, OpenPeer
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND
from telnyx_drivers._webrtc.call_audio import CallAudio

if TYPE_CHECKING:
    from aiortc.rtcrtpparameters import RTCRtpCodecCapability

FRAME_SECONDS = 1 / FRAMES_PER_SECOND
MOST_BEHIND = 0.2
"""Seconds. A loop that was blocked longer starts afresh, rather than sending what it missed in a burst."""
RATES = {"audio/pcmu": 8_000, "audio/opus": 48_000}

# It offers no loopback, and nothing but loopback is measured.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


class PulledTrack(MediaStreamTrack):
    """Hands the encoder 20 ms of a call's audio, every 20 ms of the loop's monotonic clock."""

    kind = "audio"

    def __init__(self, audio: CallAudio, rate: int) -> None:
        super().__init__()
        self._audio, self._rate = audio, rate
        self._due: float | None = None
        self._samples = 0

    async def recv(self) -> AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        due = now if self._due is None else self._due + FRAME_SECONDS
        if due > now:
            await asyncio.sleep(due - now)
        elif now - due > MOST_BEHIND:
            due = now
        self._due = due
        samples = self._audio.pull(self._rate, due)
        frame = AudioFrame(format="s16", layout="mono", samples=samples.size)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = self._rate
        frame.pts = self._samples
        frame.time_base = fractions.Fraction(1, self._rate)
        self._samples += samples.size
        return frame


class StockEngine:
    """Performs what a bench orders of an engine, and reports what it waits for."""

    def __init__(self, report: Callable[[MediaFact], None], call_audio: Callable[[CallId], CallAudio]) -> None:
        self._report, self._call_audio = report, call_audio
        self._peers: dict[MediaId, RTCPeerConnection] = {}
        self._audios: dict[CallId, CallAudio] = {}
        self._orders: dict[MediaId, asyncio.Queue[EngineAction]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def perform(self, action: EngineAction) -> None:
        if isinstance(action, OpenPeer):
            self._open(action)
        elif isinstance(action, CreateOffer | CreateAnswer | ApplyRemote):
            self._orders[action.media].put_nowait(action)

    def audio(self, call: CallId) -> CallAudio:
        if call not in self._audios:
            self._audios[call] = self._call_audio(call)
        return self._audios[call]

    def connection(self, media: MediaId) -> aioice.Connection:
        transport = self._peers[media].getTransceivers()[0].receiver.transport.transport
        return transport._connection

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        for peer in self._peers.values():
            await peer.close()

    def _open(self, action: OpenPeer) -> None:
        media, audio = action.media, self.audio(action.call)
        peer = self._peers[media] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        codecs: list[RTCRtpCodecCapability] = [
            each
            for codec in action.config.preferred_codecs
            for each in RTCRtpSender.getCapabilities("audio").codecs
            if each.mimeType.lower() == codec.mime_type.lower()
        ]
        rate = RATES[codecs[0].mimeType.lower()] if codecs else 48_000
        peer.addTransceiver(PulledTrack(audio, rate)).setCodecPreferences(codecs)
        peer.on("track", lambda track: self._spawn(_read(track, audio)))
        peer.on("connectionstatechange", lambda: self._state(media, peer.connectionState))
        self._orders[media] = asyncio.Queue()
        self._spawn(self._work(media, peer, self._orders[media]))

    def _state(self, media: MediaId, state: str) -> None:
        if state in ("connected", "failed"):
            self._report(PeerStateChanged(media, "connected" if state == "connected" else "failed"))

    async def _work(self, media: MediaId, peer: RTCPeerConnection, orders: "asyncio.Queue[EngineAction]") -> None:
        while True:
            match await orders.get():
                case CreateOffer():
                    await peer.setLocalDescription(await peer.createOffer())
                    self._report(LocalDescribed(media, peer.localDescription.sdp, complete=True))
                case CreateAnswer():
                    await peer.setLocalDescription(await peer.createAnswer())
                    self._report(LocalDescribed(media, peer.localDescription.sdp, complete=True))
                case ApplyRemote(_, kind, sdp):
                    await peer.setRemoteDescription(RTCSessionDescription(sdp, kind))

    def _spawn(self, job: "asyncio.Future[None] | object") -> None:
        task = asyncio.ensure_future(job)  # type: ignore[call-overload]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _read(track: MediaStreamTrack, audio: CallAudio) -> None:
    """Unread, it grows without bound."""
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, AudioFrame):
            channels = frame.layout.nb_channels
            samples = np.frombuffer(bytes(frame.planes[0]), dtype=np.int16, count=frame.samples * channels)
            if channels > 1:
                samples = samples.reshape(-1, channels).mean(axis=1).astype(np.int16)
            audio.push(samples, frame.sample_rate)
