"""libwebrtc's NetEq as the receiver of our packets, by `wrtc` from PyPI: over real sockets, in real time."""

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Final, Self, TypeAlias

import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from telnyx_drivers._audio.frames import Samples

INSTALLED: Final = find_spec("wrtc") is not None
MISSING: Final = "no column of NetEq: wrtc is not installed (pip install -e '.[bench]')"
CHUNKS: Final = 2_000
"""10 ms each, which may wait until they are read."""
_TOGETHER: Final = 3
_TRIES: Final = 6
_LATE, _MISSING = 0.015, 0.03
"""Seconds: a packet that we send so late, or so much audio that nobody gave, and it is our machine that is heard."""


class NetEq:
    """An asynchronous context manager. ``on_audio`` is given what is heard and its rate, 10 ms at a time."""

    def __init__(self, codec: str, on_audio: Callable[[Samples, int], None]) -> None:
        self._codec = codec.lower()
        self._on_audio = on_audio

    async def __aenter__(self) -> Self:
        # Before it is loaded, which is when it looks.
        os.environ["WRTC_ALLOW_LOOPBACK"] = "1"
        import webrtc

        self._near = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._far: Any = webrtc.RTCPeerConnection()
        tracks: asyncio.Queue[Any] = asyncio.Queue()
        self._far.on("track", lambda event: tracks.put_nowait(event.track))
        transceiver = self._near.addTransceiver("audio", direction="sendonly")
        transceiver.sender.send = transceiver.receiver.receive = _nothing
        await self._near.setLocalDescription(await self._near.createOffer())
        offer = self._near.localDescription.sdp
        await self._far.set_remote_description(webrtc.RTCSessionDescriptionInit("offer", offer))
        await self._far.set_local_description(await self._far.create_answer())
        while self._far.ice_gathering_state != "complete":  # noqa: ASYNC110  a bench
            await asyncio.sleep(0.01)
        await self._near.setRemoteDescription(RTCSessionDescription(self._far.local_description.sdp, "answer"))
        while {self._near.connectionState, self._far.connection_state} != {"connected"}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._transport: Any = transceiver.sender.transport
        number = next(each.payloadType for each in transceiver._codecs if each.name.lower() == self._codec)
        self._head, self._ssrc = bytes((number,)), transceiver.sender._ssrc.to_bytes(4, "big")
        wanted = webrtc.MediaStreamTrackProcessorInit(await tracks.get(), max_buffer_size=CHUNKS)
        self._reading = asyncio.create_task(self._read(webrtc.MediaStreamTrackProcessor(wanted)))
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._reading.cancel()
        self._far.close()
        await self._near.close()

    def send(self, packet: bytes) -> None:
        """Now, under the number and the source that were negotiated."""
        marker = bytes((packet[1] & 0x80 | self._head[0],))
        sending = self._transport._send_rtp(packet[:1] + marker + packet[2:8] + self._ssrc + packet[12:])
        with suppress(StopIteration):
            sending.send(None)  # it waits for nothing

    async def _read(self, processor: Any) -> None:  # noqa: ANN401  untyped for whoever has not installed it
        import webrtc

        reader, copying = processor.readable.get_reader(), webrtc.AudioDataCopyToOptions(0, format="s16")
        while not (result := await reader.read()).done:
            data = result.value
            samples = np.zeros(data.number_of_frames * data.number_of_channels, dtype=np.int16)
            data.copy_to(samples, copying)
            self._on_audio(samples[:: data.number_of_channels], round(data.sample_rate))
            data.close()


async def _nothing(parameters: object) -> None:
    """In place of the library's sender and receiver: packets are made here."""


Heard: TypeAlias = tuple[Samples, int]
Live: TypeAlias = tuple[list[tuple[float, bytes]], float]
"""Packets with the second at which each comes, and the seconds for which to listen."""


async def hear(codec: str, live: Live) -> Heard | None:
    """What is heard from the first second on, and its rate; ``None`` when this machine was late itself."""
    arrivals, seconds = live
    heard: dict[int, list[Samples]] = defaultdict(list)
    loop = asyncio.get_running_loop()
    latest = 0.0

    def send(packet: bytes, due: float) -> None:
        nonlocal latest
        latest = max(latest, loop.time() - due)
        receiver.send(packet)

    async with NetEq(codec, lambda samples, rate: heard[rate].append(samples)) as receiver:
        await asyncio.sleep(0.5)
        heard.clear()
        begun = loop.time()
        for when, data in arrivals:
            loop.call_at(begun + when, send, data, begun + when)
        await asyncio.sleep(seconds)
    given = sum(sum(each.size for each in pieces) / rate for rate, pieces in heard.items())
    if latest > _LATE or given < seconds - _MISSING:
        return None
    # Before the first packet it may have a rate of its own.
    rate = max(heard, key=lambda each: len(heard[each]))
    return np.concatenate(heard[rate]), rate


def at_once(codec: str, runs: list[Live]) -> list[Heard | None]:
    """As `hear`, for many: what waits anyway can wait together, but too many would make each other's jitter."""

    async def main() -> list[Heard | None]:
        heard: list[Heard | None] = [None] * len(runs)
        for _ in range(_TRIES):
            missing = [number for number, each in enumerate(heard) if each is None]
            for start in range(0, len(missing), _TOGETHER):
                some = missing[start : start + _TOGETHER]
                for number, each in zip(some, await asyncio.gather(*(hear(codec, runs[n]) for n in some)), strict=True):
                    heard[number] = each
        return heard

    return asyncio.run(main())
