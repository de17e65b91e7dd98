"""From `OpenPeer` to `ClosePeer`, whenever that comes: order, silence after the end, nothing left behind."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Callable, Mapping

import pytest
from attrs import evolve

from telnyx_core._wire.json_types import Json
from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    OpenSource,
    SetDeaf,
    SetMuted,
    StartTone,
    UseMedia,
)
from telnyx_core.facts import (
    CandidateFound,
    DigitHeard,
    LocalDescribed,
    MediaFact,
    NegotiationFailed,
    PeerStateChanged,
    RemoteApplied,
    RemoteRefused,
    SourceOpened,
    SourceRefused,
    TransportStateChanged,
)
from telnyx_core.ids import MediaId
from telnyx_drivers._audio.source_registry import MediaAccessError
from telnyx_drivers._webrtc import private
from telnyx_drivers._webrtc.direct_rtp import DirectRtpPath
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.rtp_path import AgreedAudio
from telnyx_drivers.asyncio import Source, Tone
from tests.media.rig import CALL, LOOPBACK, Pair, Side, ground_of, ice_of, open_descriptors, peer_of, run, silent, until
from tests.media.test_sdp_remote import read

pytestmark = pytest.mark.media


def test_orders_of_one_peer_are_carried_out_one_after_the_other() -> None:
    """MEDIA-037: the offer first, then the source, then the answer, whatever each of them takes."""

    async def main() -> None:
        side = Side()

        async def slow(constraints: Mapping[str, Json]) -> Source:
            await asyncio.sleep(0.05)
            return Source(None, "slow")

        side.engine.register_source("slow", slow)
        media = side.open(1, "answer")
        side.perform(
            ApplyRemote(media, "offer", read("offer-chromium")), OpenSource(media, "slow"), CreateAnswer(media)
        )
        await side.description(media)
        kinds = [type(fact) for fact in side.facts if not isinstance(fact, PeerStateChanged | TransportStateChanged)]
        assert kinds == [RemoteApplied, SourceOpened, CandidateFound, LocalDescribed]
        await side.engine.aclose()

    run(main())


def test_peers_do_not_wait_for_each_other() -> None:
    async def main() -> None:
        side = Side()
        stuck = asyncio.Event()

        async def never(constraints: Mapping[str, Json]) -> Source:
            await stuck.wait()
            raise AssertionError

        side.engine.register_source("never", never)
        first, second = side.open(1, "offer"), side.open(2, "offer")
        side.perform(OpenSource(first, "never"), CreateOffer(first), CreateOffer(second))
        await side.description(second)
        assert not [fact for fact in side.facts if fact.media == first]
        await side.engine.aclose()

    run(main())


def test_nothing_is_reported_from_inside_perform() -> None:
    """The driver drains the core's queue without waiting; a fact in the middle of that would be out of order."""

    async def main() -> None:
        side = Side()
        side.perform(CreateOffer(side.open(1, "offer")), ClosePeer(MediaId(9)), CreateAnswer(MediaId(9)))
        assert not side.facts
        await side.fact(LocalDescribed)
        await side.engine.aclose()

    run(main())


@pytest.mark.parametrize("order", [CreateOffer, CreateAnswer])
def test_a_description_at_the_wrong_time_is_a_fact(order: Callable[[MediaId], CreateOffer | CreateAnswer]) -> None:
    """MEDIA-050."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        side.perform(CreateOffer(media))
        await side.description(media)
        side.perform(order(media))
        fact = await side.fact(NegotiationFailed, media)
        assert fact.stage == ("create_offer" if order is CreateOffer else "create_answer")
        assert fact.reason
        await side.engine.aclose()

    run(main())


def test_an_answer_to_nothing_is_refused() -> None:
    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        side.perform(ApplyRemote(media, "answer", read("answer-freeswitch")))
        assert (await side.fact(RemoteRefused, media)).reason
        await side.engine.aclose()

    run(main())


Phase = Callable[[Pair], "asyncio.Future[None] | None"]


async def negotiated(pair: Pair) -> None:
    await pair.connect(wait=False)


async def offered(pair: Pair) -> None:
    media = pair.caller.open(1, "offer")
    pair.caller.perform(CreateOffer(media))
    await pair.caller.description(media)


async def ordered(pair: Pair) -> None:
    pair.caller.perform(CreateOffer(pair.caller.open(1, "offer")))


async def opened(pair: Pair) -> None:
    pair.caller.open(1, "offer")


async def answering(pair: Pair) -> None:
    await offered(pair)
    pair.callee.open(1, "answer")
    offer = await pair.caller.description(MediaId(1))
    pair.callee.perform(ApplyRemote(MediaId(1), "offer", offer), CreateAnswer(MediaId(1)))


async def connected(pair: Pair) -> None:
    await pair.connect()


async def talking(pair: Pair) -> None:
    await pair.connect()
    pair.caller.audio().hum(440)
    await pair.callee.audio().hears(0.1)


PHASES = [opened, ordered, offered, answering, negotiated, connected, talking]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("pause", [0.0, 0.001, 0.03, 0.06])
def test_a_peer_may_be_closed_at_any_time_and_is_silent_from_then_on(
    phase: Callable[[Pair], object], pause: float
) -> None:
    """MEDIA-009, MEDIA-054. `run` finds what is left behind: tasks, decoder threads, errors that nobody heard."""

    async def main() -> None:
        pair = Pair()
        await phase(pair)  # type: ignore[misc]
        await asyncio.sleep(pause)
        facts = [list(side.facts) for side in (pair.caller, pair.callee)]
        pair.close(MediaId(1))
        pair.close(MediaId(1))
        late = (
            AddCandidate(MediaId(1), "x"),
            UseMedia(MediaId(1)),
            SetMuted(MediaId(1), True),
            SetDeaf(MediaId(1), True),
        )
        pair.caller.perform(CreateOffer(MediaId(1)), *late)
        await asyncio.sleep(0.1)
        assert [side.facts for side in (pair.caller, pair.callee)] == facts
        await pair.aclose()

    run(main())


@pytest.mark.parametrize("kind", [CandidateFound, LocalDescribed, RemoteApplied, PeerStateChanged])
def test_a_peer_may_be_closed_from_within_a_report(kind: type[MediaFact]) -> None:
    """The core answers a fact with `ClosePeer` at once: in the middle of the library's own callback."""

    async def main() -> None:
        pair = Pair()

        def close(fact: MediaFact) -> None:
            if isinstance(fact, kind):
                pair.caller.perform(ClosePeer(fact.media))

        pair.caller.on_fact = close
        connecting = asyncio.create_task(pair.connect())
        fact = await pair.caller.fact(kind)
        await asyncio.sleep(0.1)
        assert pair.caller.facts[-1] == fact
        connecting.cancel()
        await asyncio.gather(connecting, return_exceptions=True)
        await pair.aclose()

    run(main())


@pytest.mark.slow
def test_nothing_is_left_of_twenty_calls() -> None:
    async def main() -> None:
        pair = Pair()
        before: list[tuple[int, int, int]] = []
        for number in range(1, 21):
            media = await pair.connect(number)
            pair.close(media)
            await until(lambda: not (pair.caller.engine._closing or pair.callee.engine._closing))
            await until(lambda: len(asyncio.all_tasks()) == 1)
            if number in (5, 20):
                gc.collect()
                before.append((len(asyncio.all_tasks()), threading.active_count(), open_descriptors()))
        early, late = before
        assert late == early
        await pair.aclose()

    run(main())


def test_the_engine_closes_everything_though_it_is_being_cancelled() -> None:
    async def main() -> None:
        pair = Pair()
        await pair.connect()
        pair.caller.open(2, "offer")
        audio = pair.caller.audio()
        closing = asyncio.create_task(pair.caller.engine.aclose())
        for _ in range(3):
            await asyncio.sleep(0)
            closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert not pair.caller.engine._closing
        assert audio.closed
        await pair.aclose()

    run(main())


def test_a_closed_engine_opens_nothing() -> None:
    async def main() -> None:
        side = Side()
        await side.engine.aclose()
        side.perform(CreateOffer(side.open(1, "offer")))
        await asyncio.sleep(0.02)
        assert not side.facts
        await side.engine.aclose()

    run(main())


def test_sockets_are_not_lost_when_gathering_is_cut_short() -> None:
    async def main() -> None:
        addresses = [f"127.0.0.{last}" for last in range(2, 8)]
        before = open_descriptors()
        for turns in range(12):
            side = Side(evolve(LOOPBACK, addresses=lambda: addresses))
            side.open(1, "offer")
            for _ in range(turns):
                await asyncio.sleep(0)
            await side.engine.aclose()
        await asyncio.sleep(0.01)
        assert open_descriptors() == before

    run(main())


def test_a_path_that_does_not_start_is_a_failed_peer(caplog: pytest.LogCaptureFixture) -> None:
    """In the middle of the library's handshake: an exception there would leave it half done, without a word."""

    class Broken(DirectRtpPath):
        def start(self, agreed: AgreedAudio) -> None:
            raise OSError("no encoder")

    async def main() -> None:
        pair = Pair(caller=Side(evolve(LOOPBACK, rtp_path=Broken)))
        media = await pair.connect(wait=False)
        await pair.caller.state("failed")
        assert pair.caller.states(media) == ["connecting", "failed"]
        await pair.aclose()

    run(main())
    assert "no encoder" in caplog.text


def test_closing_is_bounded_though_a_source_does_not_let_go() -> None:
    async def main() -> None:
        side = Side()
        release = asyncio.Event()

        async def stubborn(constraints: Mapping[str, Json]) -> Source:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue
            return Source(None, "stubborn")

        side.engine.register_source("stubborn", stubborn)
        media = side.open(1, "offer")
        side.perform(OpenSource(media, "stubborn"))
        await asyncio.sleep(0.01)
        ice = ground_of(side).ice
        async with asyncio.timeout(5.5):
            await side.engine.aclose()
        assert ice.state == "closed"
        assert not side.facts
        release.set()

    run(main())


# Sources


async def open_source(side: Side, source: str | None, media: int = 1) -> MediaFact:
    name = MediaId(media)
    side.facts.clear()
    side.perform(OpenSource(name, source, {"echoCancellation": True}))
    await until(lambda: bool(side.facts))
    return side.facts[0]


def test_the_default_source_is_silence() -> None:
    """MEDIA-408."""

    async def main() -> None:
        side = Side()
        side.open(1, "offer")
        assert await open_source(side, None) == SourceOpened(MediaId(1), "silence")
        await side.engine.aclose()

    run(main())


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (PermissionError("no"), "permission"),
        (FileNotFoundError("gone"), "not_found"),
        (LookupError("no such device"), "not_found"),
        (TimeoutError(), "other"),
        (ValueError("odd"), "other"),
        (MediaAccessError("permission", "asked and refused"), "permission"),
        (MediaAccessError("not_found", "no such rate"), "not_found"),
    ],
)
def test_a_source_that_does_not_open_is_judged_by_what_it_raised(error: Exception, fault: str) -> None:
    """MEDIA-409. What is no known kind of failure is a fault of the application's, and told to its loop as well."""
    told: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
        side = Side()

        async def broken(constraints: Mapping[str, Json]) -> Source:
            raise error

        side.engine.register_source("broken", broken)
        side.open(1, "offer")
        fact = await open_source(side, "broken")
        assert isinstance(fact, SourceRefused)
        assert fact.fault == fault
        assert fact.reason
        await side.engine.aclose()

    run(main())
    assert told == ([error] if isinstance(error, ValueError) else [])


def test_an_unknown_source_is_not_found() -> None:
    """MEDIA-410."""

    async def main() -> None:
        side = Side()
        side.open(1, "offer")
        fact = await open_source(side, "nobody")
        assert isinstance(fact, SourceRefused)
        assert fact.fault == "not_found"
        assert "'nobody'" in fact.reason
        await side.engine.aclose()

    run(main())


def test_a_source_is_sent_kept_over_a_second_peer_and_closed_with_the_last() -> None:
    """MEDIA-414, CALL-531."""

    async def main() -> None:
        tones: list[Tone] = []
        asked: list[Mapping[str, Json]] = []

        async def tone(constraints: Mapping[str, Json]) -> Source:
            asked.append(constraints)
            tones.append(Tone(520))
            return Source(tones[-1], "a tone")

        pair = Pair()
        pair.caller.engine.register_source("tone", tone)
        old = await pair.connect(1)
        assert await open_source(pair.caller, "tone") == SourceOpened(old, "a tone")
        assert asked == [{"echoCancellation": True}]
        assert await pair.callee.audio().hears() == pytest.approx(520, abs=2)
        pair.caller.perform(SetMuted(old, True))
        pair.callee.audio().heard.clear()
        await until(lambda: len(pair.callee.audio().heard) > 20)
        assert all(silent(frame) for frame in pair.callee.audio().heard[-5:])
        pair.caller.perform(SetMuted(old, False))
        new = pair.caller.open(2, "offer")
        assert await open_source(pair.caller, "tone", 2) == SourceOpened(new, "a tone")
        assert len(tones) == 1
        pair.caller.perform(ClosePeer(old))
        assert not tones[0].ended
        pair.caller.perform(ClosePeer(new))
        assert tones[0].ended
        await pair.aclose()

    run(main())


def test_a_source_that_opens_after_the_end_is_closed_at_once() -> None:
    """MEDIA-320."""

    async def main() -> None:
        side = Side()
        go, voice = asyncio.Event(), Tone(440)

        async def late(constraints: Mapping[str, Json]) -> Source:
            with contextlib.suppress(asyncio.CancelledError):
                await go.wait()
            return Source(voice, "late")

        side.engine.register_source("late", late)
        media = side.open(1, "offer")
        side.perform(OpenSource(media, "late"))
        await asyncio.sleep(0.01)
        side.perform(ClosePeer(media))
        await until(lambda: voice.ended)
        assert not side.facts
        await side.engine.aclose()

    run(main())


def test_a_new_peer_starts_muted_and_deaf_when_its_call_is() -> None:
    """MEDIA-723, CALL-531."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer", muted=True, deaf=True)
        assert (side.audio().muted, side.audio().deaf) == (True, True)
        side.perform(SetDeaf(media, False))
        assert (side.audio().muted, side.audio().deaf) == (True, False)
        await side.engine.aclose()

    run(main())


# The engine's edges


def test_the_audio_of_a_call_is_one_object_until_it_is_released() -> None:
    async def main() -> None:
        engine = AiortcEngine(lambda fact: None)
        audio = engine.audio(CALL)
        assert engine.audio(CALL) is audio
        engine.release(CALL)
        engine.release(CALL)
        assert audio.closed
        assert engine.audio(CALL) is not audio
        await engine.aclose()

    run(main())


def test_tones_are_somebody_elses_and_go_to_them() -> None:
    async def main() -> None:
        heard: list[object] = []
        engine = AiortcEngine(lambda fact: None, tones=heard.append)
        engine.perform(StartTone(CALL, "ringback"))
        assert heard == [StartTone(CALL, "ringback")]
        AiortcEngine(lambda fact: None).perform(StartTone(CALL, "ringback"))

    run(main())


def test_digits_that_a_path_hears_are_reported() -> None:
    """SRV-005."""

    async def main() -> None:
        side = Side()
        media = side.open(1, "offer")
        peer_of(side)._path._wiring.digit("5", 0.1)  # type: ignore[attr-defined]
        assert side.facts == [DigitHeard(media, "5", 0.1)]
        await side.engine.aclose()

    run(main())


def test_every_private_name_is_where_it_is_expected() -> None:
    """An upgrade of pylibsrtp that moves one fails here."""

    async def main() -> None:
        pair = Pair()
        await pair.connect()
        keys = ground_of(pair.caller).dtls.keys
        assert keys is not None
        (socket,) = ice_of(pair.caller).sockets.values()
        objects = {"srtp": keys[0], "udp transport": socket.transport}
        assert objects.keys() == private.PRIVATE_NAMES.keys()
        missing = [
            f"{role}.{name}"
            for role, names in private.PRIVATE_NAMES.items()
            for name in names
            if not hasattr(objects[role], name)
        ]
        assert not missing
        await pair.aclose()

    run(main())
