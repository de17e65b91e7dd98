"""No datagram makes a media path raise, end or keep anything, whoever sends it, before there are keys and after.

    python fuzz/fuzz_udp.py -dict=fuzz/udp.dict -max_total_time=600 findings fuzz/udp_corpus

Each input is a row of datagrams, each with one byte in front: its size, in fours. They come to a socket of a
client that has no call yet, and to one of a path that is up: from a stranger, and in the name of the far end.
"""

import asyncio
import logging
import sys
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1]))

with atheris.instrument_imports(include=["telnyx_drivers._webrtc", "telnyx_core.ice"]):
    from telnyx_drivers._webrtc.ice_transport import MOST_EARLY
    from telnyx_drivers._webrtc.peer_transport import PeerTransport

from tests.media.rig import LOOPBACK, Pair, ice_of, peer_of

STRANGER = ("192.0.2.9", 9)
MOST = 12  # datagrams of one input


def datagrams(data: bytes) -> list[bytes]:
    found: list[bytes] = []
    while data and len(found) < MOST:
        size = 1 + 4 * data[0]
        found.append(data[1:size])
        data = data[size:]
    return found


class Bench(logging.Handler):
    """What is only logged as an error is a fault, too."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        logging.getLogger().addHandler(self)
        self.faults: list[object] = []
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self.loop.run_until_complete(self._make())

    def emit(self, record: logging.LogRecord) -> None:
        self.faults.append(record)

    async def _make(self) -> None:
        self.ground = PeerTransport((), LOOPBACK, relay_only=False)
        await self.ground.hosts_known()
        self.pair = Pair()
        await self.pair.connect()

    async def one(self, data: bytes) -> None:
        idle, busy = self.ground.ice, ice_of(self.pair.caller)
        assert busy._socket is not None, "the path is up"
        for datagram in datagrams(data):
            for ice in (idle, busy):
                next(iter(ice.sockets.values())).datagram_received(datagram, STRANGER)
            busy._socket.datagram_received(datagram, busy._remote)
        for _ in range(3):
            await asyncio.sleep(0)
        for side in (self.pair.caller, self.pair.callee):
            side.audio().heard.clear()  # the rig's own memory of all that was heard
        assert idle.agent.next_action() is None
        assert len(idle._early) <= MOST_EARLY
        assert self.pair.caller.states(peer_of(self.pair.caller).media)[-1] == "connected"
        assert not self.faults, self.faults


bench: Bench | None = None


def one_input(data: bytes) -> None:
    global bench
    if bench is None:
        bench = Bench()
    bench.loop.run_until_complete(bench.one(data))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
