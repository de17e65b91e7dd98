"""The RTP path of our own between two engines, over real sockets, with loss, stalls and rough handling."""

import asyncio
import logging
import random
import re
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from telnyx_core.actions import ClosePeer
from telnyx_core.facts import DigitHeard
from telnyx_core.options import Codec, IceServer
from telnyx_drivers._audio.rtp import rtcp
from telnyx_drivers._webrtc.direct_rtp import DirectRtpPath, direct_rtp_path
from telnyx_drivers._webrtc.measure import correlate, dominant_frequency
from telnyx_drivers._webrtc.rtp_path import RtpStats
from tests.media import servers
from tests.media.rig import LOOPBACK, Pair, Side, ice_of, peer_of, run, until

pytestmark = pytest.mark.media

PCMU, OPUS = Codec("audio/PCMU", 8_000), Codec("audio/opus", 48_000, 2)
DIRECT = evolve(LOOPBACK, rtp_path=direct_rtp_path)


def direct_pair() -> Pair:
    return Pair(Side(DIRECT), Side(DIRECT))


def path_of(side: Side) -> DirectRtpPath:
    path = peer_of(side)._path
    assert isinstance(path, DirectRtpPath)
    return path


def stats_of(side: Side) -> RtpStats:
    return path_of(side).stats()


def lose(side: Side, percent: int, seed: int = 1) -> None:
    """Lose so many of the packets on their way to ``side``."""
    rng = random.Random(seed)
    for protocol in ice_of(side).sockets.values():
        receive = protocol.datagram_received

        def received(data: bytes, addr: tuple[str, int], receive: Any = receive) -> None:
            if data[0] < 128 or rng.randrange(100) >= percent:
                receive(data, addr)

        protocol.datagram_received = received  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_no_thread_no_task_and_no_packet_of_the_library(codec: Codec) -> None:
    async def main() -> None:
        threads = set(threading.enumerate())
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (codec,)})
        pair.caller.audio().hum(440)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert not [thread for thread in set(threading.enumerate()) - threads if "decoder" in thread.name]
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
        assert not {name for name in names if "_run_rtp" in name or "_run_rtcp" in name}
        assert stats_of(pair.caller).packets_sent > 20
        await pair.aclose()

    run(main())


def test_an_echo_comes_back_within_a_tenth_of_a_second() -> None:
    """Both ways, each with its jitter buffer: stock aiortc takes 160 ms for this, and 560 after two lost packets."""

    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.callee.audio().connect(pair.callee.audio())
        caller = pair.caller.audio()
        await until(lambda: len(caller.heard) > 25)
        caller.heard.clear()
        chirp = np.rint(12_000 * np.sin(2 * np.pi * np.cumsum(np.linspace(300, 2_500, 4_000)) / 8_000)).astype(np.int16)
        caller.audio_out.write_nowait(chirp, 8_000)
        await until(lambda: sum(map(len, caller.heard)) > 8_000)
        lag, likeness = correlate(chirp, np.concatenate(caller.heard), 8_000)
        assert likeness > 0.95
        assert 0.0 <= lag < 0.16
        await pair.aclose()

    run(main())


@pytest.mark.parametrize("codec", [PCMU, OPUS])
def test_loss_is_concealed_counted_and_costs_no_delay(codec: Codec) -> None:
    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (codec,)})
        pair.caller.audio().hum(440)
        callee = pair.callee.audio()
        await callee.hears(0.2)
        lose(pair.callee, 10)
        await callee.hears(0.2)
        callee.heard.clear()
        await until(lambda: len(callee.heard) >= 100)
        heard = np.concatenate(callee.heard)
        assert dominant_frequency(heard, callee.rate) == pytest.approx(440, abs=2)
        stats = stats_of(pair.callee)
        assert stats.packets_lost is not None
        assert 3 <= stats.packets_lost <= 30
        assert stats.concealment_events is not None
        assert stats.jitter_buffer_delay is not None
        assert stats.jitter_buffer_emitted_count
        assert stats.concealment_events + (stats.fec_packets_received or 0) >= 3
        clock = 8_000 if codec is PCMU else 48_000
        assert stats.jitter_buffer_delay / stats.jitter_buffer_emitted_count < 0.1, "seconds"
        assert stats.samples_received is not None
        assert stats.samples_received >= clock
        await pair.aclose()

    run(main())


def test_both_ends_learn_of_each_other_by_rtcp() -> None:
    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.caller.audio().hum(440)
        for side in (pair.caller, pair.callee):
            await until(lambda side=side: stats_of(side).round_trip is not None)
            stats = stats_of(side)
            assert stats.round_trip is not None
            assert 0 <= stats.round_trip < 1
            assert stats.remote_packets_lost == 0
            assert stats.remote_fraction_lost == 0
            assert stats.remote_packets_sent
            assert stats.remote_bytes_sent
            assert stats.remote_jitter is not None
            assert stats.jitter is not None
            assert stats.jitter < 0.05
        await pair.aclose()

    run(main())


def test_a_bye_in_rtcp_ends_nothing() -> None:
    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.caller.audio().hum(440)
        callee = pair.callee.audio()
        assert await callee.hears() == pytest.approx(440, abs=2)
        leg = path_of(pair.caller)._leg
        assert leg is not None
        leg._wire.send_rtcp(rtcp.compound(rtcp.ReceiverReport(leg.sender.ssrc), "x", [leg.sender.ssrc]))
        await asyncio.sleep(0.1)
        callee.heard.clear()
        assert await callee.hears() == pytest.approx(440, abs=2)
        await pair.aclose()

    run(main())


def narrow_digits(offer: str) -> str:
    """As of a far end that knows telephone-event/8000 alone, which many send beside Opus."""
    found = re.search(r"a=rtpmap:(\d+) telephone-event/48000\r\n", offer)
    assert found is not None
    offer = re.sub(rf"a=(rtpmap|fmtp):{found[1]} .*\r\n", "", offer)
    return re.sub(rf"(m=audio .*?) {found[1]}\b", r"\1", offer)


@pytest.mark.parametrize(
    ("codec", "alter", "rates"),
    [(PCMU, str, {8_000}), (OPUS, str, {8_000, 48_000}), (OPUS, narrow_digits, {8_000})],
)
def test_digits_are_heard_while_audio_goes_on(codec: Codec, alter: Callable[[str], str], rates: set[int]) -> None:
    """RFC 4733 both ways (SRV-005), also by another clock than the codec's."""

    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (codec,)}, alter_offer=alter)
        for side in (pair.caller, pair.callee):
            leg = path_of(side)._leg
            assert leg is not None
            assert set(leg._agreed.telephone_events.values()) == rates
            assert leg.sender.clock_rate == codec.clock_rate
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        assert path_of(pair.caller).send_digits("1#A")
        assert path_of(pair.callee).send_digits("9")
        await until(lambda: len([fact for fact in pair.callee.facts if isinstance(fact, DigitHeard)]) == 3)
        await until(lambda: any(isinstance(fact, DigitHeard) for fact in pair.caller.facts))
        (nine,) = [fact for fact in pair.caller.facts if isinstance(fact, DigitHeard)]
        assert (nine.digit, nine.duration) == ("9", 0.1)
        digits = [(fact.digit, fact.duration) for fact in pair.callee.facts if isinstance(fact, DigitHeard)]
        assert digits == [("1", 0.1), ("#", 0.1), ("A", 0.1)]
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        with pytest.raises(ValueError, match="digits are"):
            path_of(pair.caller).send_digits("x")
        await pair.aclose()

    run(main())


def test_forged_and_broken_datagrams_change_nothing() -> None:
    async def main() -> None:
        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        (protocol,) = ice_of(pair.callee).sockets.values()
        rng = random.Random(4)
        for size in [0, 1, 11, 12, 13, 30, 172, 1_500, 2_000] * 5:
            for data in (
                bytes([rng.choice([128, 144, 191])]) + rng.randbytes(size),
                bytes([128, 200]) + rng.randbytes(size),
            ):
                protocol.datagram_received(data, ("127.0.0.1", 9))
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert stats_of(pair.callee).packets_lost == 0
        await pair.aclose()

    run(main())


def test_a_stalled_loop_costs_the_stall_and_nothing_after_it() -> None:
    """An application that blocks the loop for half a second: no burst, and the delay is back in two seconds."""

    async def main() -> None:
        import time

        pair = direct_pair()
        await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.caller.audio().hum(440)
        callee = pair.callee.audio()
        await callee.hears(0.5)
        time.sleep(0.5)  # noqa: ASYNC251  this is the point
        await asyncio.sleep(2.2)
        before = stats_of(pair.callee)
        callee.heard.clear()
        assert await callee.hears() == pytest.approx(440, abs=2)
        after = stats_of(pair.callee)
        assert after.jitter_buffer_delay is not None
        assert before.jitter_buffer_delay is not None
        assert after.jitter_buffer_emitted_count is not None
        assert before.jitter_buffer_emitted_count is not None
        emitted = after.jitter_buffer_emitted_count - before.jitter_buffer_emitted_count
        assert (after.jitter_buffer_delay - before.jitter_buffer_delay) / emitted < 0.15
        await pair.aclose()

    run(main())


def test_after_the_far_end_has_gone_nothing_is_sent_and_nothing_breaks(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        pair = direct_pair()
        media = await pair.connect(caller={"preferred_codecs": (PCMU,)})
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        pair.callee.perform(ClosePeer(media))
        await pair.caller.state("failed", media)
        sent, pulled = stats_of(pair.caller).packets_sent, pair.caller.audio().counts.sent
        await until(lambda: pair.caller.audio().counts.sent >= pulled + 10)
        assert stats_of(pair.caller).packets_sent == sent
        await pair.aclose()

    run(main())
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_packets_through_a_turn_channel_need_no_task() -> None:
    """By an indication until the channel is bound, and by the channel from then on."""

    async def main() -> None:
        server = servers.TurnServer()
        turn = IceServer((f"turn:127.0.0.1:{await servers.serve(server)}",), "user", "secret")
        relayed = {"ice_servers": (turn,), "force_relay": True, "preferred_codecs": (PCMU,)}
        pair = direct_pair()
        await pair.connect(caller=relayed, callee=relayed)
        pair.caller.audio().hum(440)
        await pair.callee.audio().hears(0.2)
        assert [len(each.channels) for each in server.allocations.values()] == [1, 1]
        made: list[object] = []

        def make(loop: asyncio.AbstractEventLoop, job: Any, **options: Any) -> "asyncio.Task[Any]":
            made.append(job)
            return asyncio.Task(job, loop=loop, **options)

        sent = stats_of(pair.caller).packets_sent
        asyncio.get_running_loop().set_task_factory(make)
        await until(lambda: stats_of(pair.caller).packets_sent > sent + 20)
        assert made == []
        asyncio.get_running_loop().set_task_factory(None)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        await pair.aclose()
        server.close()

    run(main())
