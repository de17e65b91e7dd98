"""Two engines on one loop, wired to each other as a signalling server would, and what a test needs to look inside."""

import asyncio
import gc
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import numpy as np
from attrs import define, evolve, field
from numpy.typing import NDArray

from telnyx_core.actions import (
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    DescriptionKind,
    MediaAction,
    OpenPeer,
    PeerConfig,
    UseMedia,
)
from telnyx_core.facts import LocalDescribed, MediaFact, PeerStateChanged
from telnyx_core.ice import stun
from telnyx_core.ice.stun import Attr, Kind, Method
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.engine import AiortcEngine
from telnyx_drivers._webrtc.ice_socket import IceSocket
from telnyx_drivers._webrtc.ice_transport import IceTransport
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers._webrtc.peer import Peer
from telnyx_drivers._webrtc.peer_transport import PeerTransport
from telnyx_drivers._webrtc.settings import PeerSettings
from telnyx_drivers.asyncio import Tone
from tests.ice.inside import checks_of, current

F = TypeVar("F", bound=MediaFact)
CALL = CallId("call")


def local_only() -> list[str]:
    """No address but loopback: nothing leaves the machine."""
    return []


LOOPBACK = PeerSettings(loopback=True, addresses=local_only)


def run(main: Coroutine[Any, Any, None], *, timeout: float = 30.0) -> None:
    """Run a test on its own loop, and fail on anything that a library left behind: unheard errors, tasks, threads."""
    unheard: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: unheard.append(context))
        async with asyncio.timeout(timeout):
            await main
        for _ in range(50):
            if len(asyncio.all_tasks()) == 1:
                break
            await asyncio.sleep(0.02)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left, f"tasks left behind: {left}"
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(watched())
    assert not unheard, unheard
    decoders = [thread for thread in threading.enumerate() if "decoder" in thread.name]
    assert not decoders, decoders


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def until(condition: Callable[[], bool]) -> None:
    """Look often; the test's own time limit ends a wait in vain."""
    while not condition():  # noqa: ASYNC110  what is waited for is a state of the library, which sends no event
        await asyncio.sleep(0.005)


def silent(frame: NDArray[np.int16]) -> bool:
    """Below what anybody hears (-72 dB): Opus decodes silence to a bit of noise."""
    return int(np.abs(frame.astype(np.int32)).max(initial=0)) <= 8


class HeardAudio(CallAudio):
    """A call's audio that keeps what it heard, at the rate that it came in."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[NDArray[np.int16]] = []
        self.rate = 0

    def push(self, samples: NDArray[np.int16], rate: int, due: float | None = None) -> None:
        super().push(samples, rate)
        self.heard.append(samples.copy())
        self.rate = rate

    def hum(self, frequency: float) -> None:
        self.add_voice(Tone(frequency))

    async def hears(self, seconds: float = 0.5) -> float:
        """The frequency of the next ``seconds`` of sound, once there is any."""
        await until(lambda: bool(self.heard) and bool(np.any(self.heard[-1])))
        self.heard.clear()
        await until(lambda: sum(map(len, self.heard)) > seconds * self.rate)
        return dominant_frequency(np.concatenate(self.heard), self.rate)


@define(eq=False)
class Side:
    """One engine and the facts that it reported."""

    settings: PeerSettings = field(default=LOOPBACK)
    facts: list[MediaFact] = field(factory=list[MediaFact])
    engine: AiortcEngine = field(init=False)
    on_fact: Callable[[MediaFact], None] | None = None
    _news: asyncio.Event = field(factory=asyncio.Event)

    def __attrs_post_init__(self) -> None:
        self.engine = AiortcEngine(self._report, settings=self.settings, call_audio=lambda call: HeardAudio())

    def _report(self, fact: MediaFact) -> None:
        self.facts.append(fact)
        self._news.set()
        if self.on_fact is not None:
            self.on_fact(fact)

    def audio(self, call: CallId = CALL) -> HeardAudio:
        audio = self.engine.audio(call)
        assert isinstance(audio, HeardAudio)
        return audio

    def perform(self, *actions: MediaAction) -> None:
        for action in actions:
            self.engine.perform(action)

    def open(self, media: int, role: DescriptionKind, **config: Any) -> MediaId:
        name = MediaId(media)
        self.perform(OpenPeer(name, CALL, evolve(PeerConfig(role=role, ice_servers=()), **config)))
        return name

    async def fact(
        self, kind: type[F], media: MediaId | None = None, where: Callable[[F], bool] = lambda fact: True
    ) -> F:
        """The first fact of a kind, waited for."""
        while True:
            for fact in self.facts:
                if isinstance(fact, kind) and media in (None, fact.media) and where(fact):
                    return fact
            self._news.clear()
            await self._news.wait()

    async def state(self, state: str, media: MediaId | None = None) -> PeerStateChanged:
        return await self.fact(PeerStateChanged, media, lambda fact: fact.state == state)

    async def description(self, media: MediaId) -> str:
        return (await self.fact(LocalDescribed, media)).sdp

    def states(self, media: MediaId) -> list[str]:
        return [fact.state for fact in self.facts if isinstance(fact, PeerStateChanged) and fact.media == media]


def peer_of(side: Side, media: int = 1) -> Peer:
    """The engine's own object, to play tricks on."""
    return side.engine._peers[MediaId(media)][0]


def ground_of(side: Side, media: int = 1) -> PeerTransport:
    """What its peer stands on: ICE and DTLS."""
    return peer_of(side, media)._ground


def prepared_of(side: Side) -> PeerTransport | None:
    """What the engine holds ready for the next peer."""
    return side.engine._standby._ground


def ice_of(side: Side, media: int = 1) -> IceTransport:
    """Its sockets, and its ICE agent."""
    return ground_of(side, media).ice


def other_socket(ice: IceTransport) -> IceSocket:
    """Of two, the one that does not carry the path."""
    (other,) = (each for each in ice.sockets.values() if each is not ice._socket)
    return other


def check_from(ice: IceTransport, socket: IceSocket) -> None:
    """A check of the far end that nominates, from any socket: as one that was on its way for long."""
    generation = current(ice.agent)
    assert generation.remote is not None
    attributes = [
        (Attr.USERNAME, f"{generation.remote.ufrag}:{generation.local.ufrag}".encode()),
        stun.number(Attr.ICE_CONTROLLING, checks_of(ice.agent).tie_breaker, 8),
        stun.number(Attr.PRIORITY, 1),
        (Attr.USE_CANDIDATE, b""),
    ]
    key = generation.remote.password.encode()
    socket.send(stun.encode(Method.BINDING, Kind.REQUEST, os.urandom(12), attributes, key=key), ice._remote)


@define(eq=False)
class Pair:
    """A caller and a callee."""

    caller: Side = field(factory=Side)
    callee: Side = field(factory=Side)

    async def connect(
        self,
        media: int = 1,
        *,
        caller: dict[str, Any] | None = None,
        callee: dict[str, Any] | None = None,
        alter_offer: Callable[[str], str] = lambda text: text,
        alter_answer: Callable[[str], str] = lambda text: text,
        opened: Callable[[], None] = lambda: None,
        wait: bool = True,
    ) -> MediaId:
        """Negotiate ``media`` on both sides; ``alter_*`` stands for what a server makes of a description on its way."""
        name = self.caller.open(media, "offer", **(caller or {}))
        self.callee.open(media, "answer", **(callee or {}))
        opened()
        self.caller.perform(CreateOffer(name))
        offer = alter_offer(await self.caller.description(name))
        self.callee.perform(ApplyRemote(name, "offer", offer), CreateAnswer(name))
        answer = alter_answer(await self.callee.description(name))
        self.caller.perform(ApplyRemote(name, "answer", answer), UseMedia(name))
        self.callee.perform(UseMedia(name))
        if wait:
            await self.caller.state("connected", name)
            await self.callee.state("connected", name)
        return name

    def close(self, media: MediaId) -> None:
        for side in (self.caller, self.callee):
            side.perform(ClosePeer(media))

    async def aclose(self) -> None:
        await asyncio.gather(self.caller.engine.aclose(), self.callee.engine.aclose())
