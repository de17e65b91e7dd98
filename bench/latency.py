"""What time audio takes: from `write` to the wire, from the wire to `audio_in`, and to the far end and back.

    python bench/latency.py [--codec PCMU] [--path direct] [--probes 10]

A tone burst is written and looked for at each station, on a clean loopback, then with packets lost and delayed where
they arrive. The far end echoes what it hears, so the last column is mouth to ear, twice, through two jitter buffers.
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.rig import CODECS, PATHS, settings
from telnyx_core.actions import ApplyRemote, CreateAnswer, CreateOffer, OpenPeer, PeerConfig, UseMedia
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers.media import aiortc_private as private
from telnyx_drivers.media.audio.frames import Samples
from telnyx_drivers.media.call_audio import CallAudio
from telnyx_drivers.media.engine import AiortcEngine

MEDIA, CALL = MediaId(1), CallId("call")
BURST = np.rint(16_000 * np.sin(2 * np.pi * 800 * np.arange(1_600) / 8_000)).astype(np.int16)
LOUD = 4_000
GIVE_UP = 1.5
"""Seconds after which a burst counts as not heard."""

Receive: TypeAlias = Callable[[bytes, tuple[str, int]], None]
Network: TypeAlias = Callable[[Callable[[], None]], None]
"""Is given the delivery of a packet, to do at once, later, or never."""


def losing(percent: float) -> Network:
    dice = random.Random(3)
    return lambda deliver: deliver() if dice.random() * 100 >= percent else None


def jittering(seconds: float) -> Network:
    dice = random.Random(3)

    def network(deliver: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(dice.uniform(0, seconds), deliver)

    return network


class ProbedAudio(CallAudio):
    """Notes when a burst is taken for sending and when one is heard."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = self.heard = 0.0

    def pull(self, rate: int) -> Samples:
        samples = super().pull(rate)
        if not self.taken and np.abs(samples).max() > LOUD:
            self.taken = time.perf_counter()
        return samples


class Side:
    def __init__(self, path: str) -> None:
        self.audio = ProbedAudio()
        self.facts: asyncio.Queue[MediaFact] = asyncio.Queue()
        self.engine = AiortcEngine(self.facts.put_nowait, settings=settings(path), call_audio=lambda call: self.audio)
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
        connection = private.connection_of(self.engine._peers[MEDIA][0]._transceiver)
        for protocol in connection._protocols:
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

    async def probe(self, dice: random.Random) -> tuple[float, float, float] | None:
        """Seconds: write to wire, wire to the far end's `audio_in`, write to our own. ``None`` when not heard."""
        await asyncio.sleep(0.3 + dice.uniform(0, 0.02))
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


async def condition(path: str, codec: str, network: Network, probes: int) -> list[tuple[float, float, float]]:
    echo, dice = Echo(path, codec), random.Random(1)
    await echo.start()
    for side in (echo.caller, echo.callee):
        side.network = network
    await asyncio.sleep(1.5)
    found = [await echo.probe(dice) for _ in range(probes)]
    await echo.stop()
    return [each for each in found if each is not None]


async def one_loss(path: str, codec: str) -> tuple[float, float]:
    """Mouth to ear and back before one packet is lost, and two seconds after."""
    echo, dice = Echo(path, codec), random.Random(1)
    await echo.start()
    before = [await echo.probe(dice) for _ in range(4)]
    lost = 0

    def network(deliver: Callable[[], None]) -> None:
        nonlocal lost
        lost += 1
        if lost > 1:
            deliver()

    echo.callee.network = network
    await asyncio.sleep(2)
    after = [await echo.probe(dice) for _ in range(4)]
    await echo.stop()
    return (
        median(each[2] for each in before if each is not None),
        median(each[2] for each in after if each is not None),
    )


async def main(paths: list[str], codecs: list[str], probes: int) -> None:
    networks: dict[str, Callable[[], Network]] = {
        "clean": lambda: losing(0),
        "1 % lost": lambda: losing(1),
        "2 % lost": lambda: losing(2),
        "5 % lost": lambda: losing(5),
        "30 ms jitter": lambda: jittering(0.03),
    }
    print(f"{'medians in ms':28}{'write-wire':>12}{'wire-in':>10}{'there and back':>16}{'heard':>9}")
    for codec in codecs:
        round_trips: dict[tuple[str, str], float] = {}
        for name, network in networks.items():
            for path in paths:
                found = await condition(path, codec, network(), probes)
                if not found:
                    print(f"{path:7} {codec:5} {name:14}{'nothing heard':>38}{0:6}/{probes}", flush=True)
                    continue
                wire, heard, back = (1_000 * median(each[column] for each in found) for column in range(3))
                round_trips[path, name] = back
                print(
                    f"{path:7} {codec:5} {name:14}{wire:12.1f}{heard:10.1f}{back:16.1f}{len(found):6}/{probes}",
                    flush=True,
                )
            if all((path, name) in round_trips for path in PATHS):
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", choices=sorted(PATHS), action="append")
    parser.add_argument("--codec", choices=sorted(CODECS), action="append", help="default: PCMU")
    parser.add_argument("--probes", type=int, default=10, help="bursts for each line (default: 10)")
    given = parser.parse_args()
    asyncio.run(main(given.path or ["stock", "direct"], given.codec or ["PCMU"], given.probes))
