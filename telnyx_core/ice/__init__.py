"""A sans-IO ICE agent: finds the path between two hosts and keeps it (RFC 8445), with STUN, TURN, consent and restart.

`Agent` does no I/O and has no clock: datagrams, facts and the time go in, datagrams and events come out, and one
deadline says when to look again. It knows nothing of telephony. `docs/how-to/ice-agent.md` drives two of them over UDP.
"""

from telnyx_core.ice.actions import (
    Action,
    CandidateGathered,
    CloseStream,
    DataReceived,
    Dropped,
    GatheringFinished,
    IceError,
    IceState,
    OpenStream,
    PairSelected,
    RestartFailed,
    ServerFailed,
    StateChanged,
    Transmit,
    TransmitStream,
)
from telnyx_core.ice.agent import Agent
from telnyx_core.ice.candidate import Candidate, CandidateError, CandidateType, Credentials, in_server_order
from telnyx_core.ice.gathering import StunServer
from telnyx_core.ice.stun import Address
from telnyx_core.ice.transaction import Timing
from telnyx_core.ice.turn import TurnServer

__all__ = [
    "Action",
    "Address",
    "Agent",
    "Candidate",
    "CandidateError",
    "CandidateGathered",
    "CandidateType",
    "CloseStream",
    "Credentials",
    "DataReceived",
    "Dropped",
    "GatheringFinished",
    "IceError",
    "IceState",
    "OpenStream",
    "PairSelected",
    "RestartFailed",
    "ServerFailed",
    "StateChanged",
    "StunServer",
    "Timing",
    "Transmit",
    "TransmitStream",
    "TurnServer",
    "in_server_order",
]
