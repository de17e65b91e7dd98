"""Barge-in: from the moment at which `clear` is called to the first silent packet on the wire.

    python bench/barge_in.py [--codec PCMU] [--interruptions 100]

Seconds of a tone are waiting each time, as after a speech service that is faster than real time. Goal: p50 25 ms, p99
40 ms.
"""

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.latency import Echo
from bench.rig import CODECS
from telnyx_drivers._audio.rtp.codecs import make_decoder
from telnyx_drivers._audio.rtp.packet import parse

RATE = 8_000
TONE = np.rint(16_000 * np.sin(2 * np.pi * 800 * np.arange(RATE) / RATE)).astype(np.int16)
SILENT = 300
"""A peak below this is silence, also through a codec that fades."""


async def main(codec: str, interruptions: int) -> None:
    line, rng = Echo("direct", codec), random.Random(1)
    await line.start()
    audio, decoder = line.caller.audio, make_decoder(codec)
    assert decoder is not None
    sent: list[tuple[float, int]] = []
    tapped = audio.packet

    def packet(data: bytes, out: bool) -> None:
        found = parse(data) if out and not 192 <= data[1] <= 223 else None
        if found is not None:
            sent.append((time.perf_counter(), int(np.abs(decoder.decode(found.payload)).max())))
        tapped(data, out)

    line.caller.engine._peers[next(iter(line.caller.engine._peers))][0]._path._leg._tap = packet  # type: ignore[attr-defined]
    took: list[float] = []
    for _ in range(interruptions):
        for _ in range(3):
            audio.audio_out.write_nowait(TONE, RATE)
        await asyncio.sleep(0.3 + rng.uniform(0, 0.02))
        decided = time.perf_counter()
        audio.audio_out.clear()
        await asyncio.sleep(0.2)
        took.append(next(at for at, peak in sent if at > decided and peak < SILENT) - decided)
        sent.clear()
    await line.stop()
    p50, p99 = (1_000 * np.percentile(took, each) for each in (50, 99))
    print(f"{codec}: clear to silence on the wire, {interruptions} times: p50 {p50:.1f} ms, p99 {p99:.1f} ms")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codec", choices=sorted(CODECS), action="append", help="default: both")
    parser.add_argument("--interruptions", type=int, default=100)
    given = parser.parse_args()
    for name in given.codec or sorted(CODECS):
        asyncio.run(main(name, given.interruptions))
