"""No description and no candidate of the far end makes the engine raise: it is answered, or it is refused.

    python fuzz/fuzz_sdp.py -dict=fuzz/sdp.dict -max_total_time=600 findings tests/media/sdp_corpus

Each input is an offer to us, and once more an answer to an offer of ours. Lines that begin with ``+`` are candidates of
their own, before the description or after it, as they stand. An answer to what is read is also given to the parser of a
stock library, which must understand it. Sockets are those of loopback only, so whatever address a candidate names,
nothing leaves.
"""

import asyncio
import logging
import sys

import atheris

with atheris.instrument_imports(include=["telnyx_drivers._webrtc"]):
    from telnyx_drivers._webrtc import local_sdp, preferences, remote_sdp, sdp
    from telnyx_drivers._webrtc.engine import AiortcEngine

from aiortc.sdp import SessionDescription, candidate_from_sdp
from attrs import define, field

from telnyx_core.actions import (
    AddCandidate,
    ApplyRemote,
    ClosePeer,
    CreateAnswer,
    CreateOffer,
    DescriptionKind,
    OpenPeer,
    PeerConfig,
)
from telnyx_core.facts import LocalDescribed, MediaFact, NegotiationFailed, RemoteApplied, RemoteRefused
from telnyx_core.ids import CallId, MediaId
from telnyx_drivers._webrtc.settings import PeerSettings

CALL = CallId("call")
KINDS: tuple[DescriptionKind, ...] = ("offer", "answer")
SETTINGS = PeerSettings(loopback=True, addresses=list)
MOST = 8  # candidates of one input


@define
class Spoken:
    """What the far end says."""

    early: list[str] = field(factory=list[str])
    sdp: str = ""
    late: list[str] = field(factory=list[str])

    @classmethod
    def of(cls, text: str) -> "Spoken":
        spoken = cls()
        for line in text.splitlines(keepends=True):
            if line.startswith("+"):
                (spoken.late if spoken.sdp else spoken.early).append(line[1:])
            else:
                spoken.sdp += line
        del spoken.early[MOST:], spoken.late[MOST:]
        return spoken


END = local_sdp.LocalEnd(
    session_id=1,
    ice_ufrag="abcd",
    ice_pwd=22 * "a",
    fingerprint=":".join(["AB"] * 32),
    ssrc=1,
    cname="x",
)


def read(spoken: Spoken, kind: DescriptionKind) -> None:
    """What is read can be answered, and others read the answer."""
    try:
        theirs = remote_sdp.parse_remote(spoken.sdp, kind)
    except sdp.SdpError:
        pass
    else:
        codecs = preferences.in_common((), theirs.codecs)
        ours = local_sdp.write(
            END, codecs, (), direction="sendrecv", complete=True, version=1, style=local_sdp.Style(), remote=theirs
        )
        assert len(sdp.parse(ours.sdp).sections) == len(theirs.sections)
        again = remote_sdp.parse_remote(ours.sdp, "answer")
        assert [each.payload_type for each in again.codecs] == [each.payload_type for each in codecs]
        if len(theirs.sections) == 1 and theirs.audio.protocol.isupper():
            (media,) = SessionDescription.parse(ours.sdp).media
            assert media.ice.usernameFragment == END.ice_ufrag
    for line in spoken.early + spoken.late:
        if (candidate := sdp.parse_candidate(line)) is not None:
            candidate_from_sdp(str(candidate).removeprefix("candidate:"))


class Bench(logging.Handler):
    """One engine on one loop, for a peer after the other. An error that is only logged is a fault, too."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        logging.getLogger().addHandler(self)
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self.faults: list[object] = []
        self.facts: list[MediaFact] = []
        self.news = asyncio.Event()
        self.media = 0
        self.engine = self.loop.run_until_complete(self._make())

    def emit(self, record: logging.LogRecord) -> None:
        self.faults.append(record)

    async def _make(self) -> AiortcEngine:
        return AiortcEngine(self._told, settings=SETTINGS)

    def _told(self, fact: MediaFact) -> None:
        self.facts.append(fact)
        self.news.set()

    async def _until(self, *kinds: type[MediaFact]) -> MediaFact:
        async with asyncio.timeout(10):
            while True:
                for fact in self.facts:
                    if isinstance(fact, kinds):
                        return fact
                self.news.clear()
                await self.news.wait()

    async def negotiate(self, spoken: Spoken, kind: DescriptionKind) -> None:
        self.media += 1
        media = MediaId(self.media)
        self.facts.clear()
        perform = self.engine.perform
        role: DescriptionKind = "answer" if kind == "offer" else "offer"
        perform(OpenPeer(media, CALL, PeerConfig(role=role, ice_servers=())))
        if role == "offer":
            perform(CreateOffer(media))
            await self._until(LocalDescribed)
        for line in spoken.early:
            perform(AddCandidate(media, line))
        perform(ApplyRemote(media, kind, spoken.sdp))
        for line in spoken.late:
            perform(AddCandidate(media, line))
        if isinstance(await self._until(RemoteApplied, RemoteRefused), RemoteApplied) and role == "answer":
            perform(CreateAnswer(media))
            await self._until(LocalDescribed, NegotiationFailed)
        await asyncio.sleep(0)  # the candidates after it are being added
        perform(ClosePeer(media))
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            _, stuck = await asyncio.wait(left, timeout=10)
            assert not stuck, stuck
        assert not self.faults, self.faults


bench: Bench | None = None


def one_input(data: bytes) -> None:
    global bench
    spoken = Spoken.of(data.decode("utf-8", "replace"))
    if bench is None:
        bench = Bench()
    for kind in KINDS:
        read(spoken, kind)
        bench.loop.run_until_complete(bench.negotiate(spoken, kind))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
