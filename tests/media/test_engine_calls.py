"""Real calls between two engines over loopback: ICE, DTLS, SRTP, codecs, and audio that is measured."""

import pytest

from telnyx_core.facts import MediaHeard
from telnyx_core.options import Codec
from tests.media.rig import Pair, run

pytestmark = pytest.mark.media


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (Codec("audio/PCMU", 8_000), "PCMU"),
        (Codec("audio/opus", 48_000, 2), "opus"),
        (Codec("audio/G722", 8_000), "G722"),
        (Codec("audio/PCMA", 8_000), "PCMA"),
    ],
)
def test_a_tone_crosses_in_both_directions(codec: Codec, name: str) -> None:
    async def main() -> None:
        pair = Pair()
        media = await pair.connect(caller={"preferred_codecs": (codec,)})
        pair.caller.audio().hum(440)
        pair.callee.audio().hum(1_000)
        assert await pair.callee.audio().hears() == pytest.approx(440, abs=2)
        assert await pair.caller.audio().hears() == pytest.approx(1_000, abs=2)
        for side in (pair.caller, pair.callee):
            assert len([fact for fact in side.facts if isinstance(fact, MediaHeard)]) == 1
            snapshot = side.engine.snapshot(media)
            assert snapshot is not None
            assert snapshot.codec is not None
            assert snapshot.codec.name == name
        await pair.aclose()

    run(main())
