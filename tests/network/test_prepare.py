"""What the core orders before there is a call, and what it tells of servers that were of no use."""

from typing import Any

import pytest

from telnyx_core._signalling.ice_servers import PRODUCTION
from telnyx_core.actions import Notify, OpenPeer, PrepareMedia
from telnyx_core.events import IceServerFailed, Ready
from telnyx_core.facts import CandidateError
from telnyx_core.journal.record import Scrubber, action_record
from telnyx_core.options import IceServer
from telnyx_core.testing.rig import Rig

OWN = {"urls": "turn:turn.example.com", "username": "me", "credential": "s3cret"}


def prepared(**options: Any) -> list[PrepareMedia]:
    rig = Rig(**options)
    rig.ready()
    return [action for action in rig.actions if isinstance(action, PrepareMedia)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [PrepareMedia(PRODUCTION, False)]),
        ({"prefetchIceCandidates": False}, []),
        (
            {"iceServers": [OWN], "forceRelayCandidate": True},
            [PrepareMedia((IceServer("turn:turn.example.com", "me", "s3cret"),), True)],
        ),
        ({"env": "ws://127.0.0.1:1"}, [PrepareMedia((), False)]),
    ],
)
def test_a_registered_session_has_the_next_call_prepared(options: dict[str, Any], expected: list[PrepareMedia]) -> None:
    """MEDIA-023; the seed: before the call is placed."""
    assert prepared(**options) == expected


def test_after_the_application_has_heard_that_it_may_call_and_again_after_each_loss() -> None:
    rig = Rig()
    rig.ready()
    order = [
        type(action.event) if isinstance(action, Notify) else type(action)
        for action in rig.actions
        if isinstance(action, PrepareMedia) or (isinstance(action, Notify) and isinstance(action.event, Ready))
    ]
    assert order == [Ready, PrepareMedia]
    rig.clear()
    rig.come_back()
    assert len([action for action in rig.actions if isinstance(action, PrepareMedia)]) == 1


def test_what_is_prepared_is_what_the_next_call_asks_for() -> None:
    """Else the engine could not use it."""
    rig = Rig(iceServers=[OWN])
    rig.ready()
    (order,) = (action for action in rig.actions if isinstance(action, PrepareMedia))
    rig.dial()
    (opened,) = (action for action in rig.actions if isinstance(action, OpenPeer))
    assert (opened.config.ice_servers, opened.config.force_relay) == (order.ice_servers, order.force_relay)


def test_the_journal_has_it_without_the_servers_secrets() -> None:
    order = PrepareMedia((IceServer("turn:turn.example.com", "me", "s3cret"),), True)
    assert action_record(order, Scrubber()) == {"is": "PrepareMedia", "servers": 1, "force_relay": True}
    assert "s3cret" not in repr(order)


def test_a_server_of_no_use_is_told_of_and_the_call_goes_on() -> None:
    rig = Rig.registered()
    call = rig.dial()
    rig.tell(CandidateError(rig.peers[call][-1], "turn:t:3478?transport=udp", 401, "it refuses"))
    rig.tell(CandidateError(rig.peers[call][-1], "stun:s:3478", 701, "no answer"))
    assert rig.heard_of(IceServerFailed) == [
        IceServerFailed(call, "turn:t:3478?transport=udp", 401, "it refuses"),
        IceServerFailed(call, "stun:s:3478", 701, "no answer"),
    ]
    assert rig.states(call) == ["new"]
