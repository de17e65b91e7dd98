"""Candidates gathered before the call (MEDIA-023): used once, for the same servers only, and never when stale."""

import asyncio
import time

import pytest
from attrs import evolve

from telnyx_core.actions import CreateOffer, PrepareMedia
from telnyx_core.facts import CandidateFound, NegotiationFailed
from telnyx_core.ids import MediaId
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc import transport_pool as standby
from telnyx_drivers._webrtc.ice import GatheringTimeouts
from tests.media import servers
from tests.media.rig import LOOPBACK, Pair, Side, ground_of, prepared_of, run, until
from tests.media.test_engine_ice import routable_address, turn

pytestmark = pytest.mark.media

QUICK = GatheringTimeouts(window=0.3, stun=0.05, turn=0.1, attempt=0.3)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "REFILL_SECONDS", 0.05)
    monkeypatch.setattr(standby, "CHECK_SECONDS", 0.1)


async def relay_of(side: Side, number: int = 1, **config: object) -> int:
    """The relayed port that a fresh peer describes; 0 when it fails."""
    media = side.open(number, "offer", force_relay=True, **config)
    side.perform(CreateOffer(media))
    described = asyncio.create_task(side.description(media))
    failed = asyncio.create_task(side.fact(NegotiationFailed, media))
    await asyncio.wait([described, failed], return_when=asyncio.FIRST_COMPLETED)
    for task in (described, failed):
        task.cancel()
    found = [fact for fact in side.facts if isinstance(fact, CandidateFound) and fact.media == media]
    return int(found[0].candidate.split()[5]) if found else 0


def ports(server: servers.TurnServer) -> list[int]:
    return [each.transport.get_extra_info("sockname")[1] for each in server.allocations.values()]


def test_a_relay_is_there_before_the_call_and_the_next_one_soon_after_it() -> None:
    async def main() -> None:
        server = servers.TurnServer()
        offered = (turn(await servers.serve(server)),)
        side = Side()
        side.engine.perform(PrepareMedia(offered, True))
        await until(lambda: len(server.allocations) == 1)
        prepared = ports(server)
        server.mute = True
        assert [await relay_of(side, ice_servers=offered)] == prepared
        server.mute = False
        await until(lambda: len(server.allocations) == 2)
        assert await relay_of(side, 2, ice_servers=offered) == ports(server)[1]
        assert not [fact for fact in side.facts if fact.media not in (1, 2)]
        await side.engine.aclose()
        assert not server.allocations, "an allocation was not given back"
        server.close()

    run(main())


def test_a_call_works_on_what_was_prepared_in_either_role() -> None:
    async def main() -> None:
        pair = Pair()
        for side in (pair.caller, pair.callee):
            side.engine.perform(PrepareMedia((), False))
        await until(lambda: all(prepared_of(side) is not None for side in (pair.caller, pair.callee)))
        grounds = [prepared_of(side) for side in (pair.caller, pair.callee)]
        await pair.connect()
        assert [ground_of(side) for side in (pair.caller, pair.callee)] == grounds
        pair.caller.audio().hum(700)
        assert await pair.callee.audio().hears() == pytest.approx(700, abs=2)
        await pair.aclose()

    run(main())


@pytest.mark.parametrize(
    "config", [{"prefetch": False}, {"force_relay": True}, {"ice_servers": (IceServer("stun:192.0.2.1"),)}]
)
def test_other_wishes_are_not_served_from_it(config: dict[str, object]) -> None:
    async def main() -> None:
        side = Side()
        side.engine.perform(PrepareMedia((), False))
        await until(lambda: prepared_of(side) is not None)
        ground = prepared_of(side)
        side.open(1, "offer", **config)
        assert ground_of(side) is not ground
        assert prepared_of(side) is ground
        await side.engine.aclose()

    run(main())


def test_it_is_not_used_once_an_address_is_gone() -> None:
    async def main() -> None:
        addresses = ["127.0.0.2", "127.0.0.3"]
        side = Side(evolve(LOOPBACK, addresses=lambda: list(addresses)))
        side.engine.perform(PrepareMedia((), False))
        await until(lambda: (ready := prepared_of(side)) is not None and not ready.asking)
        del addresses[0]
        media = side.open(1, "offer")
        side.perform(CreateOffer(media))
        assert "127.0.0.2" not in await side.description(media)
        await side.engine.aclose()

    run(main())


def test_it_is_not_used_after_the_machine_has_slept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every other clock stands still meanwhile; the wall's does not."""

    async def main() -> None:
        side = Side()
        side.engine.perform(PrepareMedia((), False))
        await until(lambda: prepared_of(side) is not None)
        ground, awake = prepared_of(side), time.time()
        monkeypatch.setattr(time, "time", lambda: awake + 3600)
        side.open(1, "offer")
        assert ground_of(side) is not ground
        await side.engine.aclose()

    run(main())


def test_what_a_stun_server_sees_otherwise_is_gathered_anew() -> None:
    """A NAT that was restarted, or has forgotten us."""
    address = routable_address()

    async def main() -> None:
        stun = servers.StunServer(mapped=("198.51.100.1", 4000))
        port = await servers.serve(stun, address)
        offered = (IceServer((f"stun:{address}:{port}",)),)
        side = Side(evolve(LOOPBACK, addresses=lambda: [address], patience=QUICK))
        side.engine.perform(PrepareMedia(offered, False))
        await until(lambda: stun.asked >= 3)
        ground = prepared_of(side)
        assert ground is not None
        stun.mapped = ("198.51.100.2", 4000)
        await until(lambda: any(each.address.host == "198.51.100.2" for each in ground.candidates))
        media = side.open(1, "offer", ice_servers=offered)
        side.perform(CreateOffer(media))
        assert "198.51.100.2 4000 typ srflx" in await side.description(media)
        await side.engine.aclose()
        stun.transport.close()

    run(main())


def test_an_allocation_is_kept_alive_and_replaced_when_its_server_has_forgotten_it() -> None:
    async def main() -> None:
        server = servers.TurnServer()
        offered = (turn(await servers.serve(server)),)
        side = Side(evolve(LOOPBACK, patience=QUICK))
        side.engine.perform(PrepareMedia(offered, True))
        await until(lambda: server.refreshed >= 2)
        (first,) = ports(server)
        server.forget()
        await until(lambda: bool(server.allocations))
        (second,) = ports(server)
        assert second != first
        assert await relay_of(side, ice_servers=offered) == second
        await side.engine.aclose()
        server.close()

    run(main())


def test_wishing_the_same_again_changes_nothing_and_wishing_another_replaces_it() -> None:
    async def main() -> None:
        side = Side()
        side.engine.perform(PrepareMedia((), False))
        await until(lambda: prepared_of(side) is not None)
        ground = prepared_of(side)
        side.engine.perform(PrepareMedia((), False))
        await asyncio.sleep(0)
        assert prepared_of(side) is ground
        side.engine.perform(PrepareMedia((), True))
        await until(lambda: prepared_of(side) not in (None, ground))
        await side.engine.aclose()
        side.engine.perform(PrepareMedia((), False))
        side.perform(CreateOffer(MediaId(1)))

    run(main())
