"""What time audio takes: from `write` to the wire, from the wire to `audio_in`, and to the far end and back.

    python bench/latency.py [--codec PCMU] [--path direct] [--probes 20]

A tone burst is written and looked for at each station, on a clean loopback, then with packets lost and delayed where
they arrive. The far end echoes what it hears, so the third pair of columns is mouth to ear, twice, through two jitter
buffers. The last two columns are of what came to the caller: packets that were lost on the way, and frames of 20 ms
that were not there when their time came. At the end: what concealment makes of lost speech, beside silence.
"""

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import TypeAlias

import numpy as np
from attrs import define, field, frozen

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import BEAT, CODECS, engine, sockets_of, voice
from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, OpenPeer, PeerConfig, UseMedia
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples
from telnyx_drivers._audio.rtp.codecs import make_decoder, make_encoder
from telnyx_drivers._audio.rtp.packet import parse
from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.sender import RtpSender
from telnyx_drivers._webrtc.call_audio import CallAudio

MEDIA, CALL = MediaId(1), CallId("call")
BURST = np.rint(16_000 * np.sin(2 * np.pi * 800 * np.arange(1_600) / 8_000)).astype(np.int16)
LOUD = 4_000
GIVE_UP = 1.5
"""Seconds after which a burst counts as not heard."""
LOSS = 0.05
AUDIBLE = 500
"""The least peak of a frame whose concealment is worth a look."""

Receive: TypeAlias = Callable[[bytes, tuple[str, int]], None]
Network: TypeAlias = Callable[[Callable[[], None]], None]
"""Is given the delivery of a packet, to do at once, later, or never."""


@define(eq=False)
class Losing:
    percent: float
    lost: int = 0
    rng: random.Random = field(factory=lambda: random.Random(3))

    def __call__(self, deliver: Callable[[], None]) -> None:
        if self.rng.random() * 100 < self.percent:
            self.lost += 1
        else:
            deliver()


@define(eq=False)
class Jittering:
    seconds: float
    lost: int = 0
    rng: random.Random = field(factory=lambda: random.Random(3))

    def __call__(self, deliver: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(self.rng.uniform(0, self.seconds), deliver)


class ProbedAudio(CallAudio):
    """Notes when a burst is taken for sending and when one is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = self.heard = 0.0

    def pull(self, rate: int, due: float | None = None) -> Samples:
        samples = super().pull(rate, due)
        if not self.taken and np.abs(samples).max() > LOUD:
            self.taken = time.perf_counter()
        return samples


class Side:
    def __init__(self, path: str) -> None:
        self.audio = ProbedAudio()
        self.facts: asyncio.Queue[MediaFact] = asyncio.Queue()
        self.engine = engine(path, self.facts.put_nowait, lambda call: self.audio)
        self.network: Network = lambda deliver: deliver()
        self.sent_at = 0.0

    async def fact(self, wanted: Callable[[MediaFact], bool]) -> MediaFact:
        while not wanted(fact := await self.facts.get()):
            pass
        return fact

    async def described(self) -> str:
        fact = await self.fact(lambda fact: isinstance(fact, LocalDescribed))
        assert isinstance(fact, LocalDescribed)
        return fact.sdp

    async def connected(self) -> None:
        await self.fact(lambda fact: isinstance(fact, PeerStateChanged) and fact.state == "connected")

    def watch(self) -> None:
        """Put the network before the socket, and a stop-watch after it."""
        for protocol in sockets_of(self.engine, MEDIA):
            receive, send = protocol.datagram_received, protocol.transport.sendto

            def received(data: bytes, addr: tuple[str, int], receive: Receive = receive) -> None:
                if 127 < data[0] < 192:
                    self.network(lambda: receive(data, addr))
                else:
                    receive(data, addr)

            def sendto(data: bytes, addr: tuple[str, int], send: Receive = send) -> None:
                send(data, addr)
                if self.audio.taken and not self.sent_at and 127 < data[0] < 192 and not 192 <= data[1] <= 223:
                    self.sent_at = time.perf_counter()

            protocol.datagram_received = received  # type: ignore[method-assign, assignment]
            protocol.transport.sendto = sendto  # type: ignore[method-assign]

    async def listen(self) -> None:
        async for frame in self.audio.audio_in(8_000):
            if not self.audio.heard and np.abs(frame.to_numpy()).max() > LOUD:
                self.audio.heard = time.perf_counter()


class Echo:
    """A caller, and a callee that sends back what it hears."""

    def __init__(self, path: str, codec: str) -> None:
        self.caller, self.callee, self._codec = Side(path), Side(path), codec
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        for side, role in ((self.caller, "offer"), (self.callee, "answer")):
            config = PeerConfig(role=role, ice_servers=(), preferred_codecs=(CODECS[self._codec],))  # type: ignore[arg-type]
            side.engine.perform(OpenPeer(MEDIA, CALL, config))
        self.caller.engine.perform(CreateOffer(MEDIA))
        self.callee.engine.perform(ApplyRemote(MEDIA, "offer", await self.caller.described()))
        self.callee.engine.perform(CreateAnswer(MEDIA))
        self.caller.engine.perform(ApplyRemote(MEDIA, "answer", await self.callee.described()))
        for side in (self.caller, self.callee):
            side.engine.audio(CALL)
            side.engine.perform(UseMedia(MEDIA))
            await side.connected()
            side.watch()
            self._tasks.append(asyncio.create_task(side.listen()))
        self.callee.audio.connect(self.callee.audio)
        await asyncio.sleep(1)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self.caller.engine.aclose(), self.callee.engine.aclose())

    def missing(self) -> int:
        """Frames that the caller has not heard so far, or that were made up for it."""
        stats = self.caller.engine._peers[MEDIA][0]._path.stats()
        if stats.concealed_samples is None:
            return self.callee.audio.counts.sent - self.caller.audio.counts.heard
        return round(stats.concealed_samples * FRAMES_PER_SECOND / CODECS[self._codec].clock_rate)

    async def probe(self, rng: random.Random) -> tuple[float, float, float] | None:
        """Seconds: write to wire, wire to the far end's `audio_in`, write to our own. ``None`` when not heard."""
        await asyncio.sleep(0.3 + rng.uniform(0, 0.02))
        for side in (self.caller, self.callee):
            side.audio.taken = side.audio.heard = side.sent_at = 0.0
        written = time.perf_counter()
        self.caller.audio.audio_out.write_nowait(BURST, 8_000)
        while not self.caller.audio.heard:
            await asyncio.sleep(0.002)
            if time.perf_counter() - written > GIVE_UP:
                return None
        sent = self.caller.sent_at
        return sent - written, self.callee.audio.heard - sent, self.caller.audio.heard - written


@frozen
class Outcome:
    probes: list[tuple[float, float, float]]
    lost: int
    """Packets that did not come to the caller."""
    missing: int
    """Frames that it did not hear, or that were made up for it."""


async def condition(path: str, codec: str, network: Callable[[], Losing | Jittering], probes: int) -> Outcome:
    echo, rng = Echo(path, codec), random.Random(1)
    await echo.start()
    there, back, before = network(), network(), echo.missing()
    echo.callee.network, echo.caller.network = there, back
    await asyncio.sleep(1.5)
    found = [await echo.probe(rng) for _ in range(probes)]
    missing = echo.missing() - before
    await echo.stop()
    return Outcome([each for each in found if each is not None], back.lost, missing)


async def one_loss(path: str, codec: str) -> tuple[float, float]:
    """Mouth to ear and back before one packet is lost, and two seconds after."""
    echo, rng = Echo(path, codec), random.Random(1)
    await echo.start()
    before = [await echo.probe(rng) for _ in range(4)]
    lost = 0

    def network(deliver: Callable[[], None]) -> None:
        nonlocal lost
        lost += 1
        if lost > 1:
            deliver()

    echo.callee.network = network
    await asyncio.sleep(2)
    after = [await echo.probe(rng) for _ in range(4)]
    await echo.stop()
    return (
        median(each[2] for each in before if each is not None),
        median(each[2] for each in after if each is not None),
    )


def through(codec: str, lost: set[int]) -> list[Samples]:
    """Frames of speech as a receiver hears them that never gets the packets ``lost``; on a virtual clock."""
    encoder, decoder = make_encoder(codec), make_decoder(codec)
    assert encoder is not None
    assert decoder is not None
    encoder.expect_loss(LOSS)
    sender = RtpSender(encoder, payload_type=0, ssrc=1, sequence=0, timestamp=0)
    receiver = RtpReceiver({0: decoder}, events={}, heard_digit=lambda digit: None, rng=np.random.default_rng(1))
    heard: list[Samples] = []
    speech = voice(encoder.sample_rate).reshape(-1, encoder.sample_rate // FRAMES_PER_SECOND)
    for index, spoken in enumerate(speech):
        packet = parse(sender.next(lambda _, spoken=spoken: spoken))
        assert packet is not None
        if index not in lost:
            receiver.receive(packet, index * BEAT)
        audio = receiver.beat(index * BEAT + 0.03)
        if audio is not None:
            heard.append(audio)
    return heard


def distance(one: Samples, other: Samples) -> float:
    """Between the spectra of two frames, in decibels (log-spectral distance); 60 dB below full scale is the floor."""
    window = np.hanning(one.size)
    levels = [20 * np.log10(np.abs(np.fft.rfft(each * window)) / one.size + 32.768) for each in (one, other)]
    return float(np.sqrt(np.mean((levels[0] - levels[1]) ** 2)))


def concealment(codec: str) -> None:
    """How far lost frames of speech are from what they were: as concealed, and as silence."""
    whole = through(codec, set())
    rng = random.Random(2)
    rounds: list[tuple[float, float]] = []
    for _ in range(10):
        lost = {index for index in range(5, len(whole)) if rng.random() < LOSS}
        heard = through(codec, lost)
        for index in lost:
            if index < len(heard) and np.abs(whole[index]).max() > AUDIBLE:
                nothing = np.zeros_like(whole[index])
                rounds.append((distance(whole[index], heard[index]), distance(whole[index], nothing)))
    made_up, silent = (np.mean([each[column] for each in rounds]) for column in (0, 1))
    print(
        f"{codec:5} {100 * LOSS:.0f} % of speech lost, {len(rounds)} frames: {made_up:.1f} dB from what was said when "
        f"concealed, {silent:.1f} dB when silent",
        flush=True,
    )


async def main(paths: list[str], codecs: list[str], probes: int) -> None:
    networks: dict[str, Callable[[], Losing | Jittering]] = {
        "clean": lambda: Losing(0),
        "1 % lost": lambda: Losing(1),
        "2 % lost": lambda: Losing(2),
        "5 % lost": lambda: Losing(5),
        "30 ms jitter": lambda: Jittering(0.03),
    }
    titles = f"{'write-wire':>15}{'wire-in':>15}{'there and back':>17}{'heard':>9}{'lost':>6}{'missing':>9}"
    print(f"{'p50 / p99 in ms':28}{titles}")
    for codec in codecs:
        round_trips: dict[tuple[str, str], float] = {}
        for name, network in networks.items():
            for path in paths:
                found = await condition(path, codec, network, probes)
                if not found.probes:
                    print(f"{path:7} {codec:5} {name:14}{'nothing heard':>47}{0:6}/{probes}", flush=True)
                    continue
                columns = [1_000 * np.array(column) for column in zip(*found.probes, strict=True)]
                wire, heard, back = (f"{np.median(each):.1f} / {np.percentile(each, 99):.1f}" for each in columns)
                round_trips[path, name] = float(np.median(columns[2]))
                print(
                    f"{path:7} {codec:5} {name:14}{wire:>15}{heard:>15}{back:>17}{len(found.probes):6}/{probes}"
                    f"{found.lost:6}{found.missing:9}",
                    flush=True,
                )
            if all((path, name) in round_trips for path in ("stock", "direct")):
                print(
                    f"{'':13} {name:14} stock / direct: {round_trips['stock', name] / round_trips['direct', name]:.1f}"
                )
        for path in paths:
            before, after = await one_loss(path, codec)
            print(
                f"{path:7} {codec:5} one packet lost: there and back {1_000 * before:.0f} ms before, "
                f"{1_000 * after:.0f} ms from two seconds after it on",
                flush=True,
            )
        if "direct" in paths:
            concealment(codec)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", choices=("direct", "stock"), action="append")
    parser.add_argument("--codec", choices=sorted(CODECS), action="append", help="default: PCMU")
    parser.add_argument("--probes", type=int, default=20, help="bursts for each line (default: 20)")
    given = parser.parse_args()
    asyncio.run(main(given.path or ["stock", "direct"], given.codec or ["PCMU"], given.probes))
