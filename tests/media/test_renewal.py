"""A path that is renewed in place: an ICE restart (RFC 8445 section 2.4) under a call that goes on talking."""

import asyncio
import re

import pytest
from attrs import evolve

from telnyx_core.actions import ApplyRemote, ClosePeer, CreateAnswer, CreateOffer, UseMedia
from telnyx_core.facts import NegotiationFailed, RemoteRefused
from telnyx_core.ids import MediaId
from telnyx_drivers._webrtc.settings import PeerSettings
from tests.media.rig import LOOPBACK, Pair, Side, ground_of, ice_of, peer_of, run, until

pytestmark = [pytest.mark.media, pytest.mark.net]

OLD, NEW = MediaId(1), MediaId(2)
SERVER = evolve(LOOPBACK, stands_in_for_server=True)


def mark(sdp: str, name: str) -> str:
    found = re.search(rf"^a={name}:(.*)$", sdp, re.MULTILINE)
    assert found is not None, name
    return found[1]


async def talking(far: PeerSettings = LOOPBACK) -> Pair:
    pair = Pair(callee=Side(far))
    await pair.connect()
    pair.caller.audio().hum(440)
    pair.callee.audio().hum(880)
    await hears(pair)
    return pair


async def hears(pair: Pair) -> None:
    """Each the other's tone, sooner or later: a busy machine may garble the first packets."""
    for side, tone in ((pair.callee, 440), (pair.caller, 880)):
        while await side.audio().hears(0.2) != pytest.approx(tone, abs=4):
            pass


@pytest.mark.parametrize("far", [LOOPBACK, SERVER], ids=["ICE", "server"])
def test_a_path_is_renewed_in_place_and_no_packet_is_lost(far: PeerSettings) -> None:
    """The certificate, the keys and both packet streams live on; what carries the call is never interrupted."""

    async def main() -> None:
        pair = await talking(far)
        sides = pair.caller, pair.callee
        before = [await side.description(OLD) for side in sides]
        grounds = [ground_of(side) for side in sides]
        path = ice_of(pair.caller).agent.path
        await pair.connect(2, caller={"renews": OLD}, callee={"renews": OLD})
        after = [await side.description(NEW) for side in sides]
        for old, new, side, ground in zip(before, after, sides, grounds, strict=True):
            for name in ("fingerprint", "ssrc", "msid"):
                assert mark(old, name) == mark(new, name)
            assert mark(old, "ice-ufrag") != mark(new, "ice-ufrag")
            assert ground_of(side, NEW) is ground
            assert not ground.ice.agent.restarting
            side.perform(ClosePeer(OLD))
        assert ice_of(pair.caller, NEW).agent.path == path
        await hears(pair)
        for side in sides:
            reading = peer_of(side, NEW).reading()
            assert reading.packets_lost == 0
            assert reading.packets_sent is not None
            assert reading.packets_sent > 20, "it counts on where the peer before it ended"
        pair.close(NEW)
        await pair.aclose()
        assert all(ground.ice.state == "closed" for ground in grounds)

    run(main())


def test_an_offer_that_numbers_otherwise_gets_another_stream_over_the_same_keys() -> None:
    """A browser that was called numbers as it was told, and as it likes when it offers itself."""

    def renumbered(old: str, new: str, text: str) -> str:
        return re.sub(rf"(?<=[ :]){old}(?=[ \r])", new, text)

    async def main() -> None:
        pair = await talking()
        await pair.connect(
            2,
            caller={"renews": OLD},
            callee={"renews": OLD},
            alter_offer=lambda text: renumbered("101", "120", text),
            alter_answer=lambda text: renumbered("120", "101", text),
        )
        old, new = [mark(await pair.callee.description(each), "ssrc") for each in (OLD, NEW)]
        assert old != new
        pair.close(OLD)
        await hears(pair)
        assert ground_of(pair.callee, NEW).dtls.state == "connected"
        await pair.aclose()

    run(main())


def test_a_far_end_with_another_certificate_is_refused_and_costs_nothing() -> None:
    async def main() -> None:
        pair = await talking()
        offered, other = pair.caller.open(2, "offer", renews=OLD), pair.callee.open(2, "answer")
        pair.caller.perform(CreateOffer(offered))
        pair.callee.perform(ApplyRemote(other, "offer", await pair.caller.description(offered)), CreateAnswer(other))
        pair.caller.perform(ApplyRemote(offered, "answer", await pair.callee.description(other)))
        refused = await pair.caller.fact(RemoteRefused, offered)
        assert "another certificate" in refused.reason
        assert ice_of(pair.caller).agent.restarting
        pair.close(NEW)
        assert not ice_of(pair.caller).agent.restarting
        await hears(pair)
        assert pair.caller.states(OLD) == ["connecting", "connected"]
        await pair.aclose()

    run(main())


def test_an_address_that_goes_is_noticed_by_the_first_packet_that_cannot_be_sent() -> None:
    """The path moves to the other address by itself: nothing is negotiated."""

    async def main() -> None:
        addresses = ["127.0.0.2", "127.0.0.3"]
        pair = Pair(caller=Side(evolve(LOOPBACK, loopback=False, addresses=lambda: list(addresses))))
        await pair.connect()
        pair.callee.audio().hum(880)
        pair.caller.audio().hum(440)
        await hears(pair)
        used = ice_of(pair.caller)._socket
        assert used is not None
        used.error_received(ConnectionRefusedError())
        assert ice_of(pair.caller)._socket is used, "the address is still there"
        addresses.remove(used.base.host)
        await asyncio.sleep(0.15)
        used.error_received(OSError(22, "Invalid argument"))
        await hears(pair)
        (left,) = ice_of(pair.caller).sockets
        assert ice_of(pair.caller).agent.path is not None
        assert ice_of(pair.caller).agent.path[0] == left != used.base
        await pair.aclose()

    run(main())


def test_a_path_that_is_gone_is_not_renewed() -> None:
    async def main() -> None:
        pair = await talking()
        pair.caller.perform(ClosePeer(OLD))
        media = pair.caller.open(2, "offer", renews=OLD)
        pair.caller.perform(CreateOffer(media))
        assert "gone" in (await pair.caller.fact(NegotiationFailed, media)).reason
        await pair.aclose()

    run(main())


def test_a_broken_path_is_mended_by_the_addresses_that_there_are_now() -> None:
    """The address of the path goes, and another one is there: one restart, and the audio is back."""

    async def main() -> None:
        addresses = ["127.0.0.2"]
        pair = Pair(caller=Side(evolve(LOOPBACK, loopback=False, addresses=lambda: list(addresses))))
        await pair.connect()
        pair.callee.audio().hum(880)
        pair.caller.audio().hum(440)
        await hears(pair)
        addresses[:] = ["127.0.0.3"]
        await pair.connect(2, caller={"renews": OLD}, callee={"renews": OLD})
        offer = await pair.caller.description(NEW)
        assert "127.0.0.2" not in offer
        assert "127.0.0.3" in offer
        pair.caller.perform(UseMedia(NEW))
        pair.close(OLD)
        await hears(pair)
        assert ice_of(pair.caller, NEW).agent.path is not None
        assert {base.host for base in ice_of(pair.caller, NEW).sockets} == {"127.0.0.3"}
        await until(lambda: pair.caller.states(NEW)[-1] == "connected")
        await asyncio.sleep(0)
        await pair.aclose()

    run(main())
