"""What the media benchmarks share: legs between two processes on loopback, and audio that costs nothing to make."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from struct import pack
from typing import Any, ClassVar, TypeAlias

import numpy as np
from attrs import define, field

import telnyx_drivers
from bench.stock import StockEngine
from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, DigitTone, OpenPeer, PeerConfig, UseMedia
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged
from telnyx_core.ids import CallId, MediaId
from telnyx_core.options import Codec
from telnyx_drivers._audio.decode import open_decoder
from telnyx_drivers._audio.frames import FRAMES_PER_SECOND, Samples, silence
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp import pacer
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.direct_rtp import direct_rtp_path
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.rtp_path import AgreedAudio, RtpPathFactory, RtpStats, RtpWiring
from telnyx_drivers._webrtc.settings import PeerSettings


class BareRtpPath:
    """What no path can do without: decrypt what comes, and encrypt and send a packet at every beat. No audio at all."""

    sending_digits = False

    def __init__(self, wiring: RtpWiring) -> None:
        self._wiring = wiring
        self._sequence = 0
        self._stop: Callable[[], None] = lambda: None

    def start(self, agreed: AgreedAudio) -> None:
        port, codec = self._wiring.port, agreed.codecs[0]
        rate, payload = codec.clock_rate, bytes(BARE_BYTES[codec.name.upper()])
        frame = silence(rate // FRAMES_PER_SECOND)

        def beat(now: float, skipped: int) -> None:
            port.pull(rate)
            self._sequence = (self._sequence + 1) & 0xFFFF
            wire.send(pack("!BBHII", 0x80, codec.payload_type, self._sequence, 0, self._wiring.ssrc) + payload)

        wire = self._wiring.wire(lambda data: port.push(frame, rate), lambda data: None)
        leave = pacer.join(beat)

        def stop() -> None:
            leave()
            wire.close()

        self._stop = stop

    def send_digits(self, digits: str, tone: DigitTone) -> bool:
        return False

    def limit_bit_rate(self, bits_per_second: int) -> bool:
        return False

    def stats(self) -> RtpStats:
        return RtpStats()

    async def stop(self) -> None:
        self._stop()


BARE_BYTES = {"PCMU": 160, "OPUS": 80}
PATHS: dict[str, RtpPathFactory | None] = {"stock": None, "direct": direct_rtp_path, "bare": BareRtpPath}
"""``None``: no path of ours, but aiortc with a peer connection of its own."""
CODECS = {"PCMU": Codec("audio/PCMU", 8_000), "opus": Codec("audio/opus", 48_000, 2)}
BEAT = 0.02
GIVEN_UP = 0.06
LOOK = 0.01
"""Seconds between two looks at the lag of the loop."""
Reply: TypeAlias = "list[str] | dict[str, float] | None"


def engine(
    path: str, report: Callable[[MediaFact], None], call_audio: Callable[[CallId], CallAudio]
) -> AiortcEngine | StockEngine:
    rtp_path = PATHS[path]
    if rtp_path is None:
        return StockEngine(report, call_audio)
    settings = PeerSettings(rtp_path=rtp_path, loopback=True, addresses=list)
    return AiortcEngine(report, settings=settings, call_audio=call_audio)


def sockets_of(engine: AiortcEngine | StockEngine, media: MediaId) -> Iterable[Any]:
    """The protocols of a leg's UDP sockets."""
    if isinstance(engine, StockEngine):
        return engine.connection(media)._protocols
    return engine._peers[media][0]._ground.ice.sockets.values()


def voice(rate: int) -> Samples:
    """A spoken sentence, so that codecs work as hard as they do."""
    decoder = open_decoder(Path(telnyx_drivers.__file__).parent / "_assets" / "hello.wav")
    pieces: list[Samples] = []
    source = rate
    while (piece := decoder.read()) is not None:
        samples, source = piece
        pieces.append(samples)
    decoder.close()
    spoken = Resampler(source, rate).process(np.concatenate(pieces))
    return spoken[: spoken.size - spoken.size % (rate // 50)]


class LoopedVoice:
    """A `AudioInput` that costs nothing to make."""

    error: None = None
    ended = False
    _frames: ClassVar[dict[int, list[Samples]]] = {}

    def __init__(self) -> None:
        self._next = 0

    def read(self, rate: int) -> Samples:
        frames = self._frames.get(rate)
        if frames is None:
            whole = voice(rate)
            frames = self._frames[rate] = [whole[at : at + rate // 50] for at in range(0, whole.size, rate // 50)]
        self._next += 1
        return frames[self._next % len(frames)]

    def close(self) -> None:
        pass


class CountingAudio(CallAudio):
    """Sends the same voice for ever; counts what is asked for too late and what arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.add_voice(LoopedVoice())
        self.clear_counts()

    def clear_counts(self) -> None:
        self.pulled = self.late = self.pushed = 0
        self.worst = 0.0
        self._start = 0.0

    def pull(self, rate: int, due: float | None = None) -> Samples:
        now = time.perf_counter()
        if not self.pulled:
            self._start = now
        lateness = now - self._start - self.pulled * BEAT
        self.worst = max(self.worst, lateness)
        # A frame that misses its whole slot: the far end hears it, at best, with more delay.
        self.late += lateness > BEAT
        self.pulled += 1
        if lateness > GIVEN_UP:
            # Nobody catches up with so much: count what was missed, and go on from here.
            self.late += int(lateness / BEAT)
            self._start += lateness
        return super().pull(rate, due)

    def push(self, samples: Samples, rate: int, due: float | None = None) -> None:
        self.pushed += samples.size / rate > BEAT / 2
        super().push(samples, rate, due)


@define
class Legs:
    """One end of any number of legs."""

    engine: AiortcEngine | StockEngine = field(init=False)
    facts: list[MediaFact] = field(factory=list[MediaFact])
    audios: list[CountingAudio] = field(factory=list[CountingAudio])
    path: str = "direct"
    empty: float = field(factory=lambda: resident())
    """Megabytes before the first leg."""
    _news: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self.engine = engine(self.path, self._report, self._audio)

    def _report(self, fact: MediaFact) -> None:
        self.facts.append(fact)
        self._news.set()

    def _audio(self, call: CallId) -> CallAudio:
        self.audios.append(CountingAudio())
        return self.audios[-1]

    async def described(self, media: MediaId) -> str:
        while True:
            for fact in self.facts:
                if isinstance(fact, LocalDescribed) and fact.media == media:
                    return fact.sdp
            self._news.clear()
            await self._news.wait()

    async def connected(self, count: int) -> None:
        while sum(isinstance(fact, PeerStateChanged) and fact.state == "connected" for fact in self.facts) < count:
            self._news.clear()
            await self._news.wait()

    def open(self, number: int, role: str, codec: str) -> MediaId:
        media = MediaId(number)
        config = PeerConfig(
            role="offer" if role == "offer" else "answer", ice_servers=(), preferred_codecs=(CODECS[codec],)
        )
        self.engine.perform(OpenPeer(media, CallId(f"call {number}"), config))
        return media

    async def offer(self, number: int, codec: str) -> str:
        media = self.open(number, "offer", codec)
        self.engine.perform(CreateOffer(media))
        return await self.described(media)

    async def answer(self, number: int, codec: str, offer: str) -> str:
        media = self.open(number, "answer", codec)
        self.engine.perform(ApplyRemote(media, "offer", offer))
        self.engine.perform(CreateAnswer(media))
        self.engine.perform(UseMedia(media))
        return await self.described(media)

    def accept(self, number: int, answer: str) -> None:
        media = MediaId(number)
        self.engine.perform(ApplyRemote(media, "answer", answer))
        self.engine.perform(UseMedia(media))

    async def measure(self, seconds: float) -> dict[str, float]:
        for audio in self.audios:
            audio.clear_counts()
        cpu, wall = time.process_time(), time.perf_counter()
        lags = await lag(seconds)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        # The first and the last slot may lie outside, for all legs that are served together.
        expected = len(self.audios) * (wall / BEAT - 1)
        return {
            "cpu": cpu / wall,
            "late": sum(audio.late for audio in self.audios) / expected,
            "unsent": max(1 - sum(audio.pulled for audio in self.audios) / expected, 0.0),
            "unheard": max(1 - sum(audio.pushed for audio in self.audios) / expected, 0.0),
            "worst": max(audio.worst for audio in self.audios),
            "lag_p50": float(np.percentile(lags, 50)),
            "lag_p99": float(np.percentile(lags, 99)),
            "memory": (resident() - self.empty) / len(self.audios),
        }


async def lag(seconds: float) -> list[float]:
    """How much later than asked for the loop comes back, in seconds, looked at for so long."""
    loop, lags = asyncio.get_running_loop(), list[float]()
    end = loop.time() + seconds
    while (due := loop.time() + LOOK) < end:
        await asyncio.sleep(LOOK)
        lags.append(loop.time() - due)
    return lags


def resident() -> float:
    """Megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def serve(path: str, codec: str, core: int | None) -> None:
    """One end as a process of its own, told what to do by JSON lines."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    legs, loop = Legs(path=path), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        reply: Reply = None
        match order["do"]:
            case "offer":
                reply = [await legs.offer(number, codec) for number in order["numbers"]]
            case "answer":
                pairs = zip(order["numbers"], order["offers"], strict=True)
                reply = [await legs.answer(number, codec, offer) for number, offer in pairs]
            case "accept":
                for number, answer in zip(order["numbers"], order["answers"], strict=True):
                    legs.accept(number, answer)
            case "connected":
                await legs.connected(order["count"])
            case "measure":
                reply = await legs.measure(order["seconds"])
            case _:
                break
        print(json.dumps(reply), flush=True)
    os._exit(0)


class End:
    """The other side of `serve`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def do(self, what: str, **more: object) -> Reply:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": what, **more}).encode() + b"\n")
        await self._process.stdin.drain()
        reply: Reply = json.loads(await self._process.stdout.readline())
        return reply

    async def measure(self, seconds: float) -> dict[str, float]:
        measured = await self.do("measure", seconds=seconds)
        assert isinstance(measured, dict)
        return measured


@asynccontextmanager
async def ends(path: str, codec: str) -> AsyncIterator[tuple[End, End]]:
    """Caller and callee, each in a process and, where there are two, on a core of its own."""
    cores: list[int | None] = [*sorted(os.sched_getaffinity(0))[:2]] if hasattr(os, "sched_getaffinity") else []
    cores += [None] * (2 - len(cores))
    script = Path(__file__).with_name("media.py")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, str(script), "--serve", path, codec, "" if core is None else str(core),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 26,
        )
        for core in cores
    ]  # fmt: skip
    try:
        yield End(processes[0]), End(processes[1])
    finally:
        for process in processes:
            process.kill()
            await process.wait()


async def add_legs(caller: End, callee: End, numbers: list[int]) -> None:
    offers = await caller.do("offer", numbers=numbers)
    answers = await callee.do("answer", numbers=numbers, offers=offers)
    await caller.do("accept", numbers=numbers, answers=answers)
    count = numbers[-1]
    await asyncio.gather(caller.do("connected", count=count), callee.do("connected", count=count))
