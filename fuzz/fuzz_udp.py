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

with atheris.instrument_imports(include=["telnyx_drivers._webrtc", "aioice"]):
    from telnyx_drivers._webrtc import private
    from telnyx_drivers._webrtc.ice_socket import MOST_EARLY, IceSocket
    from telnyx_drivers._webrtc.ice_transport import AioiceTransport
    from telnyx_drivers._webrtc.peer_transport import PeerTransport

from tests.media.rig import LOOPBACK, Pair, agent_of, peer_of

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
        assert isinstance(self.ground.ice, AioiceTransport)
        idle, busy = self.ground.ice.agent, agent_of(self.pair.caller)
        selected = private.nominated(busy)
        assert selected is not None, "the path is up"
        for datagram in datagrams(data):
            for connection in (idle, busy):
                socket = private.sockets(connection)[0]
                assert isinstance(socket, IceSocket)
                socket.datagram_received(datagram, STRANGER)
            selected.protocol.datagram_received(datagram, selected.remote_addr)
        for _ in range(3):
            await asyncio.sleep(0)
        for side in (self.pair.caller, self.pair.callee):
            side.audio().heard.clear()  # the rig's own memory of all that was heard
        assert idle._queue.qsize() == 0
        assert busy._queue.qsize() == 0
        assert len(idle.door._early) <= MOST_EARLY
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
