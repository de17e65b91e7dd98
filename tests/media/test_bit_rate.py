"""What is spent on what is sent: options, descriptions, commands, down to the bytes (MEDIA-045, MEDIA-046)."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from telnyx_core.actions import SetMaxBitRate
from telnyx_core.ids import MediaId
from telnyx_core.options import Codec
from telnyx_drivers._audio.frames import Samples
from telnyx_drivers._webrtc import bit_rate, sdp
from telnyx_drivers._webrtc.bit_rate import asked_of_us, of_bandwidth
from tests.media.rig import Pair, Side, run, until

pytestmark = pytest.mark.media
OPUS, PCMU = Codec("audio/opus", 48_000, 2), Codec("audio/PCMU", 8_000)
PACKETS = 75
RTP_HEADER = 12


class Noise:
    """As much as an encoder can spend bits on."""

    error: None = None
    ended = False

    def __init__(self) -> None:
        self._dice = np.random.default_rng(7)

    def read(self, rate: int) -> Samples:
        return self._dice.normal(0, 6_000, rate // 50).astype(np.int16)

    def close(self) -> None:
        """Nothing to let go of."""


class Meter:
    """The payloads of what one side sends, as they go out."""

    def __init__(self, side: Side) -> None:
        self.sizes: list[int] = []
        audio = side.audio()
        audio.add_voice(Noise())
        audio.packet = self._packet  # type: ignore[method-assign]

    def _packet(self, data: bytes, sent: bool) -> None:
        if sent and not 200 <= data[1] <= 207:  # RTCP
            self.sizes.append(len(data) - RTP_HEADER)

    async def rate(self) -> float:
        """Bits per second of the next packets, once what was in the encoder is out."""
        start = len(self.sizes) + 10
        await until(lambda: len(self.sizes) >= start + PACKETS)
        return sum(self.sizes[start : start + PACKETS]) * 8 * 50 / PACKETS


def unchanged(text: str) -> str:
    return text


def measured(
    measure: Callable[[Pair, MediaId, Meter, Meter], Any],
    *,
    codec: Codec = OPUS,
    caller: dict[str, Any] | None = None,
    callee: dict[str, Any] | None = None,
    alter_answer: Callable[[str], str] = unchanged,
) -> None:
    async def main() -> None:
        pair = Pair()
        meters = Meter(pair.caller), Meter(pair.callee)
        chosen = {"preferred_codecs": (codec,)}
        name = await pair.connect(
            caller=chosen | (caller or {}), callee=chosen | (callee or {}), alter_answer=alter_answer
        )
        await measure(pair, name, *meters)
        await pair.aclose()

    run(main())


def test_without_a_limit_opus_spends_what_it_likes() -> None:
    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        assert await caller.rate() > 28_000

    measured(measure)


def test_the_bandwidth_of_a_call_is_kept_to_both_ways() -> None:
    """MEDIA-045: 28 kbit/s with headers leave 12 for Opus: ours keeps to it, and the far end does as it is asked."""

    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        ours, theirs = await asyncio.gather(caller.rate(), callee.rate())
        assert 6_000 < ours < 13_500
        assert 6_000 < theirs < 13_500

    measured(measure, caller={"max_kbps": 28})


@pytest.mark.parametrize("line", ["b=AS:28", "b=TIAS:12000", "fmtp"])
def test_what_the_far_end_asks_for_is_kept_to(line: str) -> None:
    def ask(text: str) -> str:
        if line == "fmtp":
            return text.replace("minptime=10;", "minptime=10;maxaveragebitrate=12000;")
        head, audio = text.split("m=audio", 1)
        first, connection, rest = audio.split("\r\n", 2)
        return f"{head}m=audio{first}\r\n{connection}\r\n{line}\r\n{rest}"

    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        ours, theirs = await asyncio.gather(caller.rate(), callee.rate())
        assert ours < 13_500
        assert theirs > 28_000

    measured(measure, alter_answer=ask)


def test_media_046_the_limit_changes_in_mid_call_and_never_above_what_the_far_end_wants() -> None:
    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        assert 15_000 < await callee.rate() < 22_500
        pair.callee.perform(SetMaxBitRate(name, 9_000))
        assert await callee.rate() < 10_500
        pair.callee.perform(SetMaxBitRate(name, 300_000))
        assert 15_000 < await callee.rate() < 22_500
        pair.callee.perform(SetMaxBitRate(name, None))
        assert 15_000 < await callee.rate() < 22_500

    measured(measure, caller={"max_kbps": 36})


def test_a_later_peer_begins_with_the_limit() -> None:
    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        assert await caller.rate() < 10_500

    measured(measure, caller={"max_bit_rate": 9_000})


def test_a_codec_of_one_rate_takes_no_notice() -> None:
    async def measure(pair: Pair, name: MediaId, caller: Meter, callee: Meter) -> None:
        pair.caller.perform(SetMaxBitRate(name, 9_000))
        assert await caller.rate() == 64_000

    measured(measure, codec=PCMU, caller={"max_kbps": 40})


def test_headers_count_in_a_bandwidth_and_speech_gets_what_it_needs() -> None:
    """RFC 3550 section 6.2: at 20 ms, IPv4, UDP and RTP take 16 kbit/s."""
    assert [of_bandwidth(kbps) for kbps in (1, 16, 40, 10**9)] == [6_000, 6_000, 24_000, bit_rate.MOST]


@pytest.mark.parametrize(
    ("lines", "asked"),
    [
        ("", None),
        ("b=AS:40", 24_000),
        ("b=TIAS:20000", 20_000),
        ("b=AS:40\na=fmtp:96 useinbandfec=1;maxaveragebitrate=18000", 18_000),
        ("a=fmtp:96 maxaveragebitrate=18000; stereo=1\nb=TIAS:17000", 17_000),
        ("b=AS:0", None),
        ("b=AS:-3", None),
        ("b=CT:10", None),
        ("b=AS:" + "9" * 30, None),
        ("a=fmtp:96 maxaveragebitrate=1", None),
        ("a=fmtp:96 xmaxaveragebitrate=18000", None),
    ],
)
def test_what_is_asked_of_us_is_the_least_of_what_makes_sense(lines: str, asked: int | None) -> None:
    (section,) = sdp.parse(f"m=audio 9 UDP/TLS/RTP/SAVPF 96\nc=IN IP4 0.0.0.0\n{lines}").sections
    assert asked_of_us(section) == asked
