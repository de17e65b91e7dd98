"""aiortc's own RTP path: its encoders, jitter buffer and decoders, driven from an `AudioPort`."""

import asyncio
import fractions
import logging
from typing import Final

import numpy as np
from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from aiortc.rtp import RtpPacket
from attrs import evolve
from av import AudioFrame
from numpy.typing import NDArray

from telnyx_core.actions import DigitTone
from telnyx_drivers._webrtc import aiortc_private as private
from telnyx_drivers._webrtc.ports import AudioPort
from telnyx_drivers._webrtc.rtp_path import AgreedAudio, RtpPath, RtpStats, RtpWiring

log = logging.getLogger(__name__)

FRAME_SECONDS: Final = 0.02
_MOST_BEHIND: Final = 0.2
"""Seconds. A loop that was blocked longer starts afresh, rather than sending what it missed in a burst."""
_G722_RATE: Final = 16_000


class PortTrack(MediaStreamTrack):
    """Hands the encoder 20 ms of the port, every 20 ms of the loop's monotonic clock."""

    kind = "audio"

    def __init__(self, port: AudioPort) -> None:
        super().__init__()
        self.rate = 48_000
        """What the encoder wants, in hertz; set before it asks for the first time."""
        self._port = port
        self._due: float | None = None
        self._samples = 0

    async def recv(self) -> AudioFrame:
        """The next frame. Raises `MediaStreamError` after `stop`, as the sender expects."""
        if self.readyState != "live":
            raise MediaStreamError
        now = asyncio.get_running_loop().time()
        due = now if self._due is None else self._due + FRAME_SECONDS
        if due > now:
            await asyncio.sleep(due - now)
        elif now - due > _MOST_BEHIND:
            due = now
        self._due = due
        samples = self._port.pull(self.rate, due)
        frame = AudioFrame(format="s16", layout="mono", samples=samples.size)
        frame.planes[0].update(samples.tobytes())
        frame.sample_rate = self.rate
        frame.pts = self._samples
        frame.time_base = fractions.Fraction(1, self.rate)
        self._samples += samples.size
        return frame


class AiortcRtpPath:
    """Implements `RtpPath`. Received digits are not decoded, and kept from the decoder, which would fail on them."""

    def __init__(self, wiring: RtpWiring) -> None:
        self._wiring = wiring
        self._track = PortTrack(wiring.port)
        self._reader: asyncio.Task[None] | None = None
        self._agreed: AgreedAudio | None = None
        self._packets = 0
        self._bytes = 0
        wiring.transceiver.sender.replaceTrack(self._track)
        private.tap(wiring.transceiver, self._on_packet)

    def start(self, agreed: AgreedAudio) -> None:
        self._agreed = agreed
        codec = agreed.codecs[0]
        self._track.rate = _G722_RATE if codec.name.lower() == "g722" else codec.clock_rate
        for payload_type in agreed.telephone_events:
            private.accept_payload_type(self._wiring.transceiver, payload_type)
        remote = private.remote_track(self._wiring.transceiver)
        if remote is not None:
            self._reader = asyncio.create_task(self._read(remote), name="remote audio")

    def send_digits(self, digits: str, tone: DigitTone) -> bool:
        return False

    @property
    def sending_digits(self) -> bool:
        return False

    def limit_bit_rate(self, bits_per_second: int) -> bool:
        return False

    def stats(self) -> RtpStats:
        sent = private.sent(self._wiring.transceiver.sender)
        stats = RtpStats(
            packets_sent=sent.packets,
            bytes_sent=sent.octets,
            packets_received=self._packets,
            bytes_received=self._bytes,
            round_trip=sent.round_trip,
        )
        if self._agreed is None:
            return stats
        received = private.received(self._wiring.transceiver.receiver, self._agreed.codecs[0].clock_rate)
        return stats if received is None else evolve(stats, packets_lost=received.lost, jitter=received.jitter)

    async def stop(self) -> None:
        self._track.stop()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def _on_packet(self, packet: RtpPacket) -> bool:
        if self._agreed is not None and packet.payload_type in self._agreed.telephone_events:
            return True
        self._packets += 1
        self._bytes += len(packet.payload)
        if self._packets == 1:
            self._wiring.heard()
        return False

    async def _read(self, track: MediaStreamTrack) -> None:
        """Drain the remote track until it ends: if it is not read, it grows without bound (MEDIA-401)."""
        while True:
            try:
                frame: object = await track.recv()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
            except MediaStreamError:
                return
            if isinstance(frame, AudioFrame):
                self._wiring.port.push(_mono(frame), frame.sample_rate)


def _mono(frame: AudioFrame) -> NDArray[np.int16]:
    channels = frame.layout.nb_channels
    interleaved = np.frombuffer(bytes(frame.planes[0]), dtype=np.int16, count=frame.samples * channels)
    return interleaved if channels == 1 else interleaved.reshape(-1, channels).mean(axis=1).astype(np.int16)


def aiortc_rtp_path(wiring: RtpWiring) -> RtpPath:
    return AiortcRtpPath(wiring)
