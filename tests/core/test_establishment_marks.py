"""When each step of a call's establishment was reached, and how that is told."""

from typing import Literal

import pytest

from telnyx_core._quality.establishment_marks import EstablishmentMarks, Mark
from telnyx_core._signalling import messages as m
from telnyx_core.facts import CandidateFound, PeerStateChanged, TransportStateChanged
from telnyx_core.ids import MediaId

HOST = "candidate:1 1 udp 1 10.0.0.1 1 typ host"
REFLEXIVE = "candidate:1 1 udp 1 192.0.2.1 1 typ srflx"


def reached(marks: EstablishmentMarks) -> dict[str, float]:
    return dict(marks.timings("trickle").reached)


def test_only_the_first_time_counts() -> None:
    marks = EstablishmentMarks("outbound", 0.0)
    for now in (1.0, 2.0):
        marks.heard(m.RINGING, now)
        marks.heard(m.PING, now)
    assert reached(marks) == {Mark.RINGING.value: 1.0}


def test_the_first_candidate_and_the_first_that_is_no_host() -> None:
    marks = EstablishmentMarks("outbound", 0.0)
    marks.handle_fact(CandidateFound(MediaId(1), HOST, sdp_mid="0", sdp_m_line_index=0), 1.0)
    marks.handle_fact(CandidateFound(MediaId(1), REFLEXIVE, sdp_mid="0", sdp_m_line_index=0), 2.0)
    assert reached(marks) == {Mark.FIRST_CANDIDATE.value: 1.0, Mark.FIRST_NON_HOST_CANDIDATE.value: 2.0}


def test_a_peer_that_is_connected_has_both_layers_and_earlier_news_of_one_stay() -> None:
    marks = EstablishmentMarks("outbound", 0.0)
    marks.handle_fact(TransportStateChanged(MediaId(1), "ice", "connected"), 1.0)
    marks.handle_fact(PeerStateChanged(MediaId(1), "connected"), 2.0)
    marks.handle_fact(PeerStateChanged(MediaId(1), "failed"), 3.0)
    assert reached(marks) == {Mark.ICE_CONNECTED.value: 1.0, Mark.DTLS_CONNECTED.value: 2.0}


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_steps_are_told_in_milliseconds_since_the_start_and_since_the_step_before(
    direction: Literal["inbound", "outbound"],
) -> None:
    marks = EstablishmentMarks(direction, 10.0)
    marks.add(Mark.CALL_ACTIVE, 11.5)
    marks.add(Mark.NEW_PEER, 10.25)
    timings = marks.timings("non-trickle")
    assert timings.record() == {
        "mode": "non-trickle",
        "direction": direction,
        "steps": [
            {"label": Mark.NEW_PEER.value, "fromStart": 250.0, "delta": 250.0},
            {"label": Mark.CALL_ACTIVE.value, "fromStart": 1500.0, "delta": 1250.0},
        ],
    }
