"""What a listener makes of speech over a bad network: our receiver beside aiortc's and NetEq, on the same packets.

    pip install -e '.[bench]'; python bench/hearing.py [--sentences 3] [--codec PCMU] [--recorded FOLDER]

Sentences of espeak-ng are sent by our encoders; the same packets are lost, late or early for both receivers. Ours runs
whole, jitter buffer, repair and changes of pace, on a virtual clock; aiortc's jitter buffer and decoder get the packets
in the same order, and each frame that they give is played at its own time: what they never give is silence. That is
more than aiortc does, which also adds up to 300 ms of delay; it says nothing about jitter, which is within its 80 ms.
libwebrtc's NetEq, where `wrtc` is installed, gets the same packets at the same times over a socket, in real time. On a
machine that is busy with other work it hears more jitter than the others, so that its column is left out for a codec
of which it does not hear a clean path about as well as aiortc does.

A call is not judged by how it begins: some seconds of silence go before each sentence, over the same network, in which
all three find out what it is like. The score is PESQ (ITU-T P.862.2 wideband for Opus, P.862 narrowband for PCMU)
against what was said, averaged over sentences and dice.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from statistics import mean
from typing import TypeAlias

import numpy as np
from aiortc.codecs import get_decoder
from aiortc.jitterbuffer import JitterBuffer, JitterFrame
from aiortc.rtcrtpparameters import RTCRtpCodecParameters
from aiortc.rtp import RtpPacket as StockPacket
from pesq import NoUtterancesError, pesq

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import neteq
from bench.quality import RATE, read, recorded, speak
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._audio.resampler import Resampler
from telnyx_drivers._audio.rtp.codecs import make_decoder, make_encoder
from telnyx_drivers._audio.rtp.packet import parse
from telnyx_drivers._audio.rtp.receiver import RtpReceiver
from telnyx_drivers._audio.rtp.rtcp import ReportBlock
from telnyx_drivers._audio.rtp.sender import RtpSender

BEAT = 0.02
ARRIVES = 0.04
Network = Callable[[random.Random, int], list[float | None]]
"""When each packet arrives after it was sent, in seconds; ``None``: never."""
LEAD_IN = 100
"""Packets of silence before each sentence."""
SANE = 0.25
"""So much less than aiortc's on a clean path, and NetEq's score tells of this machine."""
TYPES = {"PCMU": 0, "opus": 111}


def losing(percent: float) -> Network:
    return lambda rng, count: [None if rng.random() * 100 < percent else ARRIVES for _ in range(count)]


def bursts(rng: random.Random, count: int) -> list[float | None]:
    """Three to five in a row, every second or so."""
    delays: list[float | None] = [ARRIVES] * count
    at = 20
    while at < count:
        length = rng.randint(3, 5)
        delays[at : at + length] = [None] * len(delays[at : at + length])
        at += rng.randint(35, 65)
    return delays


def jitter(rng: random.Random, count: int) -> list[float | None]:
    return [ARRIVES + rng.uniform(0, 0.03) for _ in range(count)]


NETWORKS: dict[str, tuple[Network, float]] = {
    "clean": (losing(0), 0.0),
    "1 % lost": (losing(1), 0.01),
    "2 % lost": (losing(2), 0.02),
    "5 % lost": (losing(5), 0.05),
    "10 % lost": (losing(10), 0.1),
    "bursts of 3 to 5": (bursts, 0.08),
    "30 ms jitter": (jitter, 0.0),
}
"""With the share of losses that the far end has told of before."""


def packets(codec: str, speech: Samples, told: float) -> list[bytes]:
    encoder = make_encoder(codec)
    assert encoder is not None
    sender = RtpSender(encoder, payload_type=TYPES[codec], ssrc=1, sequence=0, timestamp=0)
    if told:
        sender.hear_report(ReportBlock(1, told, 10, 0, 0, 0, 0))
    before, after = np.zeros(LEAD_IN * RATE // 50, np.int16), np.zeros(RATE // 4, np.int16)
    given = Resampler(RATE, encoder.sample_rate).process(np.concatenate((before, speech, after)))
    size = encoder.sample_rate // 50
    pieces = iter([given[at : at + size] for at in range(0, given.size - size + 1, size)])
    made = [sender.next(lambda rate, piece=piece: piece) for piece in pieces]
    return [packet for packet in made if packet is not None]


def arrivals(sent: list[bytes], delays: list[float | None]) -> Iterator[tuple[float, bytes]]:
    return iter(
        sorted(
            (number * BEAT + late, data) for number, (data, late) in enumerate(zip(sent, delays, strict=True)) if late
        )
    )


def ours(codec: str, sent: list[bytes], delays: list[float | None]) -> tuple[Samples, int]:
    decoder = make_decoder(codec)
    assert decoder is not None
    receiver = RtpReceiver(
        {TYPES[codec]: decoder}, events={}, heard_digit=lambda digit: None, rng=np.random.default_rng(1)
    )
    coming, heard = list(arrivals(sent, delays))[::-1], list[Samples]()
    now = ARRIVES + receiver.target_delay + 0.002
    while now < (len(sent) + 20) * BEAT:
        while coming and coming[-1][0] <= now:
            when, data = coming.pop()
            packet = parse(data)
            assert packet is not None
            receiver.receive(packet, when)
        audio = receiver.beat(now)
        if audio is not None:
            heard.append(audio)
        now += BEAT + receiver.shift(now)
    return np.concatenate(heard), receiver.sample_rate


def stock(codec: str, sent: list[bytes], delays: list[float | None]) -> tuple[Samples, int]:
    rate, channels = (8_000, 1) if codec == "PCMU" else (48_000, 2)
    decoder = get_decoder(
        RTCRtpCodecParameters(mimeType=f"audio/{codec}", clockRate=rate, channels=channels, payloadType=TYPES[codec])
    )
    buffer = JitterBuffer(capacity=16, prefetch=4)
    heard: dict[int, Samples] = {}
    for _, data in arrivals(sent, delays):
        packet = StockPacket.parse(data)
        packet._data = packet.payload  # type: ignore[attr-defined]
        _, frame = buffer.add(packet)
        if frame is None:
            continue
        for decoded in decoder.decode(JitterFrame(frame.data, frame.timestamp)):
            plane = np.frombuffer(bytes(decoded.planes[0]), np.int16)  # type: ignore[union-attr]
            samples = plane[: channels * rate // 50 : channels]
            number = frame.timestamp // (rate // 50)
            heard[number] = samples
    silent = np.zeros(rate // 50, np.int16)
    return np.concatenate([heard.get(number, silent) for number in range(len(sent))]), rate


RECEIVERS = {"stock": stock, "ours": ours}
NETEQ = "NetEq"
Run: TypeAlias = tuple[str, list[bytes], list[float | None]]
"""A codec, what was sent, and when each packet came."""


def score(codec: str, said: Samples, heard: Samples, rate: int) -> float:
    heard = heard[LEAD_IN * rate // 50 :]
    if codec == "PCMU":
        heard = heard if rate == 8_000 else Resampler(rate, 8_000).process(heard)
        return float(pesq(8_000, Resampler(RATE, 8_000).process(said), heard, "nb"))
    return float(pesq(RATE, said, Resampler(rate, RATE).process(heard), "wb"))


def hear(name: str, runs: list[Run]) -> Iterable[tuple[Samples, int] | None]:
    """What that receiver makes of each; ``None`` where the machine was too busy to tell."""
    if name != NETEQ:
        return [RECEIVERS[name](*run) for run in runs]
    live = [(list(arrivals(sent, delays)), len(sent) * BEAT + 0.5) for _, sent, delays in runs]
    return neteq.at_once(runs[0][0], live)


def scores(codec: str, said: list[Samples], heard: Iterable[tuple[Samples, int] | None]) -> Iterator[float]:
    for speech, each in zip(said, heard, strict=True):
        if each is None:
            continue
        try:
            yield score(codec, speech, *each)
        except NoUtterancesError:
            yield 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=3)
    parser.add_argument("--dice", type=int, default=3)
    parser.add_argument("--only", choices=[*sorted(RECEIVERS), NETEQ])
    parser.add_argument("--recorded", type=Path, metavar="FOLDER", help="people instead: see bench/quality.py")
    parser.add_argument("--codec", choices=[*TYPES])
    given = parser.parse_args()
    names = [given.only] if given.only else [*RECEIVERS, NETEQ]
    if NETEQ in names and not neteq.INSTALLED:
        print(neteq.MISSING)
        names.remove(NETEQ)
    with tempfile.TemporaryDirectory() as folder:
        if given.recorded is None:
            files = [path for voice, path in speak(Path(folder)) if "espeak" in voice]
        else:
            files = [path for _, path in recorded(given.recorded)]
            files = files[:: max(len(files) // given.sentences, 1)]
        spoken = [read(path) for path in files[: given.sentences]]
    print("| codec | network |", " | ".join(names), "|")
    print("|---" * (len(names) + 2) + "|")
    for codec in [given.codec] if given.codec else TYPES:
        columns = list(names)
        for network, (deliver, told) in NETWORKS.items():
            said: list[Samples] = []
            runs: list[Run] = []
            for index, speech in enumerate(spoken):
                sent = packets(codec, speech, told)
                for die in range(given.dice if network != "clean" else 1):
                    said.append(speech)
                    runs.append((codec, sent, deliver(random.Random(100 * index + die), len(sent))))
            found = {name: list(scores(codec, said, hear(name, runs))) for name in columns}
            if network == "clean" and NETEQ in columns and mean(found[NETEQ] or [0]) < mean(found[columns[0]]) - SANE:
                print(f"no column of NetEq for {codec}: it hears a clean path as {found[NETEQ]} on this busy machine")
                columns.remove(NETEQ)
            cells = [f"{mean(found[name]):.2f}" if name in columns and found[name] else "" for name in names]
            if NETEQ in columns and len(found[NETEQ]) < len(runs):
                cells[-1] += f" ({len(found[NETEQ])} of {len(runs)})"
            print(f"| {codec} | {network} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
