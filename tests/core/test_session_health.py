"""Keepalive and the health of the signalling path: signaling.md 4.9 and 4.10."""

import pytest

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.actions import CloseSocket
from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_core.states import SessionState
from telnyx_core.testing.rig import Rig

S = SessionState
PONG: JsonObject = {"message": "PONG"}


def recoveries(rig: Rig) -> list[tuple[float, object, object]]:
    """When 36003 was raised, with its reason's source."""
    return [
        (at, event.details["source"], event.details["reason"])
        for at, action in rig.timeline
        for event in [getattr(action, "event", None)]
        if isinstance(event, WarningRaised) and event.code == 36003
    ]


def chatter(rig: Rig, seconds: float, step: float = 1.0) -> None:
    """Foreign traffic that answers nothing."""
    until = rig.now + seconds
    while rig.now < until:
        rig.advance(min(step, until - rig.now))
        rig.request("event", eventChannel="x")


# 4.9 Keepalive.


def test_a_silent_server_is_pinged_after_thirty_five_seconds() -> None:
    """SIG-255, SIG-456: only because nothing was dispatched since the timer was armed."""
    rig = Rig.registered()
    for _ in range(10):
        rig.advance(3.4)
        rig.say("not an object: it is a sign of life, but nothing is dispatched")
    assert rig.times("ping") == []
    rig.say("noise")
    rig.advance(1.01)
    assert rig.times("ping") == [35.0]
    assert rig.frames("ping")[0]["voice_sdk_id"] == "VSDK-1"


def test_what_came_before_the_registration_does_not_count() -> None:
    """SIG-255: ``keepalive_pong`` is false when the timer is armed."""
    rig = Rig()
    rig.connect()
    rig.login_ok()
    rig.gateway("REGED")
    for _ in range(10):
        rig.advance(3.4)
        rig.say("noise")
    rig.say("noise")
    rig.advance(1.01)
    assert rig.times("ping") == [35.0]


def test_any_object_makes_the_ping_unnecessary() -> None:
    """SIG-255, SIG-256: replies to our own requests too; in the reference only unrouted frames count."""
    rig = Rig.registered()
    call = rig.outbound("active")
    for _ in range(70):
        rig.advance(1.5)
        rig.dtmf(call, "1")
        rig.reply("info")
    assert rig.times("ping") == []


def test_there_is_one_chain_for_each_socket() -> None:
    """SIG-255, SIG-531: one ping each 35 s, however often the gateway refreshes."""
    rig = Rig.registered()
    for state in ("TRYING", "REGED", "REGISTER", "NOREG", "REGED"):
        rig.gateway(state)
    rig.clear()
    while rig.now < 40:
        rig.advance(2.5)
        rig.say("noise")
    assert rig.times("ping") == [35.0]


@pytest.mark.parametrize("how", ["loss", "close", "disconnect"])
def test_the_chain_ends_with_its_socket(how: str) -> None:
    """SIG-257."""
    rig = Rig.registered()
    if how == "loss":
        rig.lose()
        rig.wait_for(S.CONNECTING)
        rig.open()
        rig.login_ok()
    elif how == "close":
        rig.request("ping")
        rig.advance(10)
    else:
        rig.disconnect()
        rig.lose(1000)
    rig.clear()
    rig.advance(3.9)
    assert rig.frames("ping") == []


def test_a_keepalive_that_is_not_answered_replaces_the_socket() -> None:
    """SIG-255, SIG-066: critical."""
    rig = Rig.registered()
    for _ in range(18):
        rig.advance(2.5)
        rig.say("noise")
    assert recoveries(rig) == [(45.0, "request", "telnyx_rtc.ping was not answered")]


# SIG-261 to SIG-266: checks, probe, recovery.


@pytest.mark.parametrize(("calling", "probed"), [(False, 4.0), (True, 2.0)])
def test_silence_is_probed_and_then_replaced(calling: bool, probed: float) -> None:
    """SIG-261, SIG-265: a probe, and recovery at 12 s of silence at the latest."""
    rig = Rig.registered()
    if calling:
        rig.outbound("active")
        rig.clear()
    rig.advance(probed - 0.1)
    assert rig.sent == []
    rig.advance(0.1)
    assert rig.times("ping") == [probed]
    rig.advance(12 - probed - 0.1)
    assert rig.state is S.READY
    rig.advance(0.1)
    assert recoveries(rig) == [(12.0, "probe", "no answer to the probe")]
    assert any(isinstance(action, CloseSocket) for action in rig.actions)


@pytest.mark.parametrize("answer", ["result", "error", "echo"])
def test_a_probe_that_comes_back_proves_the_path(answer: str) -> None:
    """SIG-266: by an error too; in the reference five seconds later the socket goes. Also SIG-065."""
    rig = Rig.registered()
    rig.advance(4)
    (probe,) = rig.frames("ping")
    if answer == "echo":
        rig.say(probe)
    elif answer == "error":
        rig.reply("ping", error=(-32601, "Invalid Method"))
    else:
        rig.reply("ping", PONG)
    rig.advance(3.9)
    assert recoveries(rig) == []
    rig.advance(0.1)
    assert rig.times("ping") == [4.0, 8.0]


def test_only_its_own_answer_resolves_a_probe() -> None:
    """SIG-266, SIG-544: traffic of all sorts does not."""
    rig = Rig.registered()
    rig.advance(4)
    chatter(rig, 11)
    assert recoveries(rig) == [(14.0, "probe", "no answer to the probe")]


def test_a_probe_has_no_request_timeout_of_its_own() -> None:
    """SIG-066."""
    rig = Rig.registered()
    rig.advance(40)
    assert [source for _, source, _ in recoveries(rig)] == ["probe"]


def test_inbound_traffic_does_not_prove_that_what_we_send_arrives() -> None:
    """SIG-264, SIG-604: probe at 45, recovery at 55."""
    rig = Rig.registered()
    chatter(rig, 55)
    assert rig.times("ping") == [45.0]
    assert [recovery[:2] for recovery in recoveries(rig)] == [(55.0, "probe")]


@pytest.mark.parametrize("how", ["result", "error", "late", "gateway"])
def test_every_answer_confirms_the_way_out(how: str) -> None:
    """SIG-263, SIG-074, SIG-542."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    chatter(rig, 20)
    if how == "gateway":
        rig.is_registered()
        rig.gateway("REGED")
    else:
        rig.dtmf(call, "1")
        if how == "late":
            chatter(rig, 12)
        rig.reply("info", error=(-32601, "no") if how == "error" else None)
    confirmed = rig.now
    chatter(rig, 44)
    assert not [at for at in rig.times("ping") if at < confirmed + 45]


def test_a_socket_is_condemned_once() -> None:
    """SIG-262, SIG-538: later triggers of the same socket are ignored."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.hold(call)
    rig.request("ping")
    rig.is_registered()
    rig.advance(30)
    assert len(recoveries(rig)) == 1
    assert sum(isinstance(action, CloseSocket) for action in rig.actions) == 1


def test_every_socket_may_be_condemned() -> None:
    rig = Rig.registered(r=0.5)
    for _ in range(2):
        rig.advance(12)
        rig.lose(1000)
        rig.ready()
    assert len(recoveries(rig)) == 2


def test_with_reconnection_off_it_is_closed_all_the_same() -> None:
    """SIG-262: T34 follows."""
    rig = Rig.registered(autoReconnect=False)
    rig.advance(12)
    assert rig.state is S.CLOSING
    rig.lose(1000)
    assert rig.codes == [36003, 36005]
    assert rig.state is S.IDLE


def test_the_recovery_is_told_before_the_close() -> None:
    """SIG-424."""
    rig = Rig.registered()
    rig.advance(12)
    kinds = [type(action).__name__ for action in rig.actions]
    assert kinds[-2:] == ["Notify", "CloseSocket"]


def test_health_checks_run_from_the_open_socket_on() -> None:
    """SIG-457: whether or not there is a login or a call."""
    rig = Rig()
    rig.connect()
    rig.login_refused()
    rig.advance(12)
    assert rig.times("ping") == [4.0]
    assert rig.state is S.CLOSING


# SIG-268 to SIG-271: a call's media fails.


def test_with_healthy_signalling_the_media_path_is_renewed() -> None:
    """SIG-268, SIG-269, MEDIA-216a: 36004, and no 36003."""
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.clear()
    rig.advance(1.9)
    rig.peer("failed")
    assert [(event.code, event.call) for event in rig.heard_of(WarningRaised)] == [(33004, call), (36004, call)]
    assert rig.heard_of(WarningRaised)[-1].details["reason"] == "ice_failed"


def test_in_doubt_the_signalling_is_probed_first() -> None:
    """SIG-268, SIG-271, MEDIA-216b, MEDIA-714: the answer decides."""
    rig = Rig.registered()
    rig.outbound("active")
    rig.clear()
    rig.advance(2)
    rig.peer("failed")
    assert rig.codes == [33004]
    assert rig.times("ping") == [2.0]
    rig.reply("ping", PONG)
    assert rig.codes == [33004, 36004]


def test_in_doubt_and_without_an_answer_the_socket_is_replaced() -> None:
    """SIG-261, MEDIA-714: within five seconds of the probe (SIG-544)."""
    rig = Rig.registered()
    rig.outbound("active")
    rig.clear()
    rig.advance(2)
    rig.peer("failed")
    rig.advance(4.9)
    assert recoveries(rig) == []
    rig.advance(0.1)
    assert recoveries(rig) == [(7.0, "probe", "ice_failed")]


def test_each_call_that_waits_for_the_probe_is_renewed() -> None:
    """SIG-271: the reference keeps one slot for all calls."""
    rig = Rig.registered()
    calls = [rig.outbound("active"), rig.outbound("active")]
    rig.clear()
    rig.advance(2)
    for call in calls:
        rig.peer("failed", call)
    assert rig.times("ping") == [2.0]
    rig.reply("ping", PONG)
    assert [event.call for event in rig.heard_of(WarningRaised) if event.code == 36004] == calls


def test_a_call_that_ended_meanwhile_is_not_renewed() -> None:
    rig = Rig.registered()
    call = rig.outbound("active")
    rig.advance(10)
    rig.peer("failed")
    rig.request("bye", callID=call)
    rig.clear()
    rig.reply("ping", PONG)
    assert rig.codes == []


def test_a_media_failure_while_the_socket_is_down_is_for_the_attach_to_mend() -> None:
    """SRV-008, MEDIA-216c."""
    rig = Rig.registered()
    rig.outbound("active")
    rig.lose()
    rig.clear()
    rig.peer("failed")
    assert rig.codes == [33004]


@pytest.mark.parametrize("until", ["trying", "ringing", "early"])
def test_before_the_answer_a_media_failure_is_no_reason_to_act(until: str) -> None:
    """MEDIA-200, MEDIA-245, MEDIA-715: mod_verto drops an unanswered call on ``updateMedia``."""
    rig = Rig.registered()
    rig.outbound(until)
    rig.clear()
    rig.peer("failed")
    assert rig.codes == [33004]
    assert rig.sent == []


# SIG-272, SIG-273: news of the network.


def test_losing_the_network_is_told_once_and_probed() -> None:
    """SIG-272, SIG-575: once for each offline period; it closes nothing by itself."""
    rig = Rig.registered()
    rig.network("offline")
    rig.network("offline")
    assert [(event.code, event.fatal) for event in rig.heard_of(ErrorRaised)] == [(48001, False)]
    assert rig.times("ping") == [0.0]
    assert rig.state is S.READY
    rig.network("online")
    rig.network("offline")
    assert rig.codes == [48001, 48001]
    assert rig.times("ping") == [0.0]


def test_the_probe_of_an_offline_host_is_judged_after_five_seconds() -> None:
    """SIG-544: in the reference after twenty seconds of silence."""
    rig = Rig.registered()
    rig.network("offline")
    rig.advance(6)
    assert recoveries(rig)[0][:2] == (5.0, "probe")


def test_without_a_socket_an_offline_host_is_only_told() -> None:
    rig = Rig()
    rig.network("offline")
    assert rig.codes == [48001]
    assert rig.sent == []


@pytest.mark.parametrize(("silence", "probes"), [(2.9, 0), (3.0, 1)])
@pytest.mark.parametrize("change", ["online", "path_changed"])
def test_a_network_that_changed_is_probed_when_it_is_silent(change: str, silence: float, probes: int) -> None:
    """SIG-273, MEDIA-230."""
    rig = Rig.registered()
    rig.advance(silence)
    rig.network(change)
    assert len(rig.frames("ping")) == probes


def test_a_host_that_says_it_has_slept_probes_at_once_and_comes_back_soon() -> None:
    """Its monotonic clock has slept too, so nothing seems old; the server is long gone, and no packet says so."""
    rig = Rig.registered(r=0.5)
    rig.advance(0.5)
    rig.network("resumed")
    assert len(rig.frames("ping")) == 1
    resumed = rig.now
    rig.wait_for(S.CONNECTING)
    assert rig.now - resumed < 12


def test_a_host_that_wakes_between_two_attempts_does_not_wait() -> None:
    rig = Rig.registered(r=0.5)
    for _ in range(6):
        rig.lose(error="refused")
        rig.wait_for(S.CONNECTING)
    rig.lose(error="refused")
    rig.advance(1.0)
    rig.network("resumed")
    assert rig.state is S.CONNECTING


def test_a_host_that_slept_probes_before_anything_else() -> None:
    """SIG-482: silence is seen on resume; two hours make one probe, not four hundred."""
    rig = Rig.registered()
    rig.now += 7_200
    rig.session.handle_timeout(now=rig.now)
    rig.drain()
    assert len(rig.frames("ping")) <= 2
    assert recoveries(rig) == []
    assert rig.session.next_timeout() is not None
    assert rig.session.next_timeout() > rig.now


def test_a_host_that_slept_is_not_taken_for_a_quiet_one() -> None:
    """SIG-482: the wall clock says so, and no packet: five seconds for an answer, however short the silence was."""
    rig = Rig.registered()
    rig.advance(1)
    rig.network("resumed")
    assert rig.times("ping") == [1.0]
    rig.advance(4.9)
    assert recoveries(rig) == []
    rig.advance(0.1)
    assert recoveries(rig) == [(6.0, "probe", "no answer to the probe")]


@pytest.mark.parametrize("calling", [False, True])
@pytest.mark.parametrize("before", [0.0, 1.0, 3.0, 6.0])
def test_whoever_did_not_listen_judges_nobody(before: float, calling: bool) -> None:
    """SIG-482: our own process stood still for twenty seconds, with requests under way; the answers wait to be read."""
    rig = Rig.registered()
    if calling:
        rig.hold(rig.outbound("active"))
    rig.is_registered()
    rig.clear()
    rig.advance(before)
    waiting = [frame["method"] for frame in rig.sent]
    rig.now += 20
    rig.session.handle_timeout(now=rig.now)
    rig.drain()
    assert recoveries(rig) == []
    for method in waiting:
        rig.reply(str(method).removeprefix("telnyx_rtc."), PONG)
    rig.gateway("REGED")
    if calling:
        rig.reply("modify", {"holdState": "held"})
    rig.always("ping", PONG)
    rig.advance(60)
    assert recoveries(rig) == []
    assert rig.state is S.READY


# is_registered().


@pytest.mark.parametrize(
    ("state", "registered"), [("REGED", True), ("REGISTER", True), ("NOREG", False), ("DOWN", False)]
)
def test_asking_whether_we_are_registered(state: str, registered: bool) -> None:
    """SIG-129."""
    rig = Rig.registered()
    ticket = rig.is_registered()
    rig.gateway(state)
    assert rig.outcomes[ticket].value == {"registered": registered}


@pytest.mark.parametrize("how", ["error", "timeout", "unknown", "lost", "no socket", "not logged in"])
def test_anything_else_means_no(how: str) -> None:
    """SIG-129, SIG-565: the reference hangs."""
    rig = Rig() if how == "no socket" else Rig.registered()
    if how == "not logged in":
        rig = Rig()
        rig.connect()
    ticket = rig.is_registered()
    match how:
        case "error":
            rig.reply("gatewayState", error=(-32601, "no"))
        case "timeout":
            rig.advance(10)
        case "unknown":
            rig.gateway("ATTACHED")
        case "lost":
            rig.lose()
        case _:
            pass
    assert rig.outcomes[ticket].value == {"registered": False}
