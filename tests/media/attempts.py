"""One call, or one new path of a call that is up, to a `ServerEnd`: does audio flow both ways, and how soon?"""

import asyncio
from random import Random
from typing import Final, Literal, TypeAlias

from attrs import frozen

from telnyx_core.actions import ApplyRemote, ClosePeer, CreateAnswer, CreateOffer, UseMedia
from telnyx_core.ids import MediaId
from telnyx_core.options import IceServer
from telnyx_drivers._webrtc import ice
from telnyx_drivers._webrtc.settings import PeerSettings
from tests.media.rig import Side, peer_of
from tests.media.server_end import ServerEnd, Setup

Kind: TypeAlias = Literal["first", "renewal", "re-attach"]
Ways: TypeAlias = Literal["one", "two", "TURN", "two and TURN"]

ENOUGH: Final = 10
PATIENCE: Final = 5.0
ADDRESSES: Final[dict[Ways, int]] = {"one": 1, "two": 2, "TURN": 1, "two and TURN": 2}


@frozen(kw_only=True)
class Cell:
    kind: Kind
    ways: Ways
    round_trip: float
    """Seconds."""
    loss: float = 0.0
    setup: Setup = "active"
    controlling: bool = False
    servers: tuple[IceServer, ...] = ()
    seed: int = 1

    def __str__(self) -> str:
        far = f"{self.setup}{', takes itself for controlling' if self.controlling else ''}"
        return f"{self.kind}, {self.ways}, {self.round_trip * 1000:.0f} ms, {self.loss:.0%} loss ({far})"


@frozen
class Outcome:
    seconds: float | None
    """``None``: one end heard nothing of the other in time."""
    moves: int = 0
    dropped: int = 0
    drawn_away: int = 0
    """Times that the far end has left an address which had answered it."""


def _settings(ways: Ways) -> PeerSettings:
    addresses = [f"127.0.0.{number + 2}" for number in range(ADDRESSES[ways])]
    patience = ice.GatheringTimeouts(window=0.3)
    return PeerSettings(addresses=lambda: addresses, patience=patience)


async def attempt(cell: Cell) -> Outcome:
    """One call, or one new path of a call that is up."""
    near = Side(_settings(cell.ways))
    far = ServerEnd(
        delay=cell.round_trip / 2,
        relay_delay=cell.round_trip / 4,
        loss=cell.loss,
        setup=cell.setup,
        controlling=cell.controlling,
        rng=Random(cell.seed),
    )
    async with far:
        try:
            if cell.kind == "first":
                return await _offered(near, far, cell, 1)
            before = await _offered(near, far, cell, 1)
            if before.seconds is None:
                return before
            if cell.kind == "renewal":
                outcome = await _offered(near, far, cell, 2)
            else:
                outcome = await _attached(near, far, cell, 2)
            near.perform(ClosePeer(MediaId(1)))
            return outcome
        finally:
            await near.engine.aclose()


async def _offered(near: Side, far: ServerEnd, cell: Cell, number: int) -> Outcome:
    media = near.open(number, "offer", ice_servers=cell.servers)
    near.perform(CreateOffer(media))
    answer = far.answer(await near.description(media))
    await asyncio.sleep(cell.round_trip / 2)
    near.perform(ApplyRemote(media, "answer", answer), UseMedia(media))
    return await _outcome(near, far, number)


async def _attached(near: Side, far: ServerEnd, cell: Cell, number: int) -> Outcome:
    media = near.open(number, "answer", ice_servers=cell.servers)
    near.perform(ApplyRemote(media, "offer", far.offer()), CreateAnswer(media), UseMedia(media))
    answer = await near.description(media)
    await asyncio.sleep(cell.round_trip / 2)
    far.accept(answer)
    return await _outcome(near, far, number)


async def _outcome(near: Side, far: ServerEnd, number: int) -> Outcome:
    now = asyncio.get_running_loop().time
    begun, peer, before = now(), peer_of(near, number), far.counted.copy()

    def since(seconds: float | None) -> Outcome:
        return Outcome(seconds, *(far.counted[name] - before[name] for name in ("moves", "dropped", "drawn away")))

    while now() - begun < PATIENCE:
        await asyncio.sleep(0.01)
        if min(far.heard, peer._path.stats().packets_received) >= ENOUGH:
            return since(now() - begun)
    return since(None)
