"""How long a call took to come about (MEDIA-480 to MEDIA-483)."""

from hypothesis import given
from hypothesis import strategies as st

from telnyx_core._quality.establishment_marks import EstablishmentMarks, Mark
from telnyx_core.events import StatsReport
from telnyx_core.facts import TransportStateChanged
from telnyx_core.ids import CallId, MediaId
from telnyx_core.stats.timings import EstablishmentTimings
from telnyx_core.testing.rig import REMOTE_SDP, Rig

RELAY = "candidate:9 1 udp 33562623 198.51.100.9 3478 typ relay raddr 0.0.0.0 rport 0"


def timings(rig: Rig, call: CallId) -> EstablishmentTimings:
    """Those of the report; the call is ended for it."""
    rig.request("bye", callID=call)
    [report] = rig.heard_of(StatsReport)
    assert report.establishment is not None
    return report.establishment


def story(made: EstablishmentTimings) -> list[tuple[str, float]]:
    return [(step.label, step.from_start) for step in made.steps]


def test_an_outbound_call_step_by_step() -> None:
    rig = Rig.registered()
    call = rig.dial()
    rig.advance(0.030)
    rig.media_ok(call)
    rig.advance(0.020)
    rig.candidate(at=call)
    rig.candidate(RELAY, at=call)
    rig.advance(0.010)
    rig.describe(at=call)
    rig.advance(0.1)
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("ringing", callID=call)
    rig.advance(1.0)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.advance(0.005)
    rig.remote_applied(call)
    rig.advance(0.060)
    rig.peer("connected", call)
    rig.advance(0.020)
    rig.audio(call)
    made = timings(rig, call)
    assert (made.mode, made.direction) == ("non-trickle", "outbound")
    assert story(made) == [
        (Mark.NEW_PEER.value, 0.0),
        (Mark.GET_USER_MEDIA.value, 30.0),
        (Mark.START_NEGOTIATION.value, 30.0),
        (Mark.FIRST_CANDIDATE.value, 50.0),
        (Mark.FIRST_NON_HOST_CANDIDATE.value, 50.0),
        (Mark.CREATE_OFFER.value, 60.0),
        (Mark.SET_LOCAL_DESCRIPTION.value, 60.0),
        (Mark.GATHERING_COMPLETED.value, 60.0),
        (Mark.SEND_SDP.value, 60.0),
        (Mark.RINGING.value, 160.0),
        (Mark.REMOTE_ANSWER.value, 1160.0),
        (Mark.SET_REMOTE_DESCRIPTION.value, 1165.0),
        (Mark.CALL_ACTIVE.value, 1165.0),
        (Mark.ICE_CONNECTED.value, 1225.0),
        (Mark.DTLS_CONNECTED.value, 1225.0),
        (Mark.FIRST_REMOTE_TRACK.value, 1245.0),
    ]
    assert sum(step.delta for step in made.steps) == 1245.0


def test_an_inbound_call_says_how_long_it_rang() -> None:
    rig = Rig.registered()
    call = rig.ring()
    rig.advance(4)
    rig.answer(call)
    rig.describe_answer(call)
    rig.reply("answer", {"callID": call}, call=call)
    rig.peer("connected", call)
    made = timings(rig, call)
    assert made.direction == "inbound"
    assert story(made)[:2] == [(Mark.ANSWER_CALLED.value, 4000.0), (Mark.NEW_PEER.value, 4000.0)]
    assert Mark.CREATE_ANSWER.value in dict(story(made))
    assert Mark.CREATE_OFFER.value not in dict(story(made))


def test_an_engine_that_tells_its_layers_apart_is_believed() -> None:
    """The peer's `connected` comes last, and moves neither of them."""
    rig = Rig.registered(trickleIce=True)
    call = rig.invite()
    media = rig.peers[call][-1]
    rig.reply("invite", {"callID": call}, call=call)
    rig.request("answer", callID=call, sdp=REMOTE_SDP)
    rig.remote_applied(call)
    for layer, state in (("gathering", "gathering"), ("ice", "checking"), ("ice", "connected"), ("dtls", "connected")):
        rig.advance(0.01)
        rig.tell(TransportStateChanged(media, layer, state))  # type: ignore[arg-type]
    rig.advance(0.01)
    rig.peer("connected", call)
    made = timings(rig, call)
    times = dict(story(made))
    assert made.mode == "trickle"
    assert (times[Mark.GATHERING_STARTED.value], times[Mark.ICE_CONNECTED.value]) == (10.0, 30.0)
    assert times[Mark.DTLS_CONNECTED.value] == 40.0


def test_a_re_attach_changes_nothing_of_how_the_call_came_about() -> None:
    rig = Rig.registered()
    call = rig.outbound()
    rig.advance(10)
    rig.come_back(call)
    rig.attach(call, REMOTE_SDP.replace("there", "elsewhere"))
    rig.describe_answer(call)
    rig.reply("attach", call=call)
    rig.peer("connected", call)
    assert max(step.from_start for step in timings(rig, call).steps) == 0.0


def test_facts_of_a_peer_that_was_never_ordered_are_no_steps() -> None:
    rig = Rig.registered()
    call = rig.outbound()
    rig.tell(TransportStateChanged(MediaId(99), "ice", "failed"))
    assert rig.info(call).state.value == "active"


@given(st.lists(st.tuples(st.sampled_from(Mark), st.floats(0, 100))))
def test_steps_are_in_order_and_add_up(noted: list[tuple[Mark, float]]) -> None:
    """MEDIA-481: first times only, whatever came when."""
    marks = EstablishmentMarks("outbound", 0.0)
    for mark, now in noted:
        marks.add(mark, now)
    steps = marks.timings("trickle").steps
    assert len(steps) == len({mark for mark, _ in noted})
    assert all(step.delta >= 0 for step in steps)
    assert [step.from_start for step in steps] == sorted(step.from_start for step in steps)
    firsts = {mark.value: now for mark, now in reversed(noted)}
    assert all(abs(step.from_start - 1000 * firsts[step.label]) < 0.001 for step in steps)
