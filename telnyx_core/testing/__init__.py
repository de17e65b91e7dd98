"""A kit for testing what is built on this core, and the core itself: simulations on a virtual clock, no sockets.

`Rig` is a session whose far end is played by hand. `Sim` is a world with clients, a gateway, media and wires.
`ContractChecker` is the driver's contract as a model. `replay` runs the server's half of a recorded session against the
client, and checks that the client sends what the recorded one sent.
`telnyx_core.testing.strategies` has Hypothesis strategies; it alone needs Hypothesis.
"""

from telnyx_core.journal.recorded_session import Replay, ReplayDiffers
from telnyx_core.testing.client import SimClient
from telnyx_core.testing.clock import VirtualClock
from telnyx_core.testing.contract import ContractChecker, ContractViolation, OwedReply, SocketPhase
from telnyx_core.testing.differences import BARE_SOCKET, DELIBERATE, ODD_FRAMES, OWN_PAST, REATTACHED, Deliberate
from telnyx_core.testing.media import MediaModel, SimEngine, SimPeer
from telnyx_core.testing.replay import Replayed, TranscriptDiffers, replay, replay_roughly
from telnyx_core.testing.rig import Rig
from telnyx_core.testing.sim import ALICE, WONDERLAND, Sim
from telnyx_core.testing.snapshot import snapshot
from telnyx_core.testing.transcript import Transcript
from telnyx_core.testing.wire import EPOCH, Connecting, Frame, Wire

__all__ = [
    "ALICE",
    "BARE_SOCKET",
    "DELIBERATE",
    "EPOCH",
    "ODD_FRAMES",
    "OWN_PAST",
    "REATTACHED",
    "WONDERLAND",
    "Connecting",
    "ContractChecker",
    "ContractViolation",
    "Deliberate",
    "Frame",
    "MediaModel",
    "OwedReply",
    "Replay",
    "ReplayDiffers",
    "Replayed",
    "Rig",
    "Sim",
    "SimClient",
    "SimEngine",
    "SimPeer",
    "SocketPhase",
    "Transcript",
    "TranscriptDiffers",
    "VirtualClock",
    "Wire",
    "replay",
    "replay_roughly",
    "snapshot",
]
