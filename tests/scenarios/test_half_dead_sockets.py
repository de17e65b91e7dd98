"""Sockets that are neither alive nor closed (signaling.md 4.9, 4.10, timelines in 10)."""

import pytest
from attrs import evolve

from telnyx_core.events import SocketClose, WarningRaised
from telnyx_core.gateway import Fault, GatewayOptions, Swallow
from telnyx_core.states import SessionState
from telnyx_core.testing import WONDERLAND, SimClient
from tests.scenarios.story import ACTIVE, HELD, at_the_phone, ended, talking

QUIET: GatewayOptions = evolve(WONDERLAND, ping_interval=None)


def recoveries(alice: SimClient) -> list[tuple[float, object]]:
    """When the socket was given up, and what gave it away (36003)."""
    return [
        (at, event.details["source"])
        for at, event in alice.events
        if isinstance(event, WarningRaised) and event.code == 36003
    ]


def test_it_receives_but_does_not_send() -> None:
    """SIG-603: the server pings, our answers vanish; the request's own deadline gives it away."""
    sim, alice, call = talking()
    alice.wire.stall("up")
    sim.run(60)
    ((_, source),) = recoveries(alice)
    assert source in ("request", "probe")
    alice.wire.heal()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_it_sends_but_does_not_receive() -> None:
    """SIG-265: a probe after 2 s of silence, the verdict after 12."""
    sim, alice, call = talking()
    begun = sim.now
    alice.wire.stall("down")
    sim.run(40)
    ((at, source),) = recoveries(alice)
    assert source == "probe"
    assert at - begun <= 12
    alice.wire.heal()
    sim.run(20)
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_it_is_dead_both_ways_while_nothing_happens() -> None:
    """SIG-602, without calls: a quiet phone must not be unreachable for long."""
    sim, alice = at_the_phone()
    alice.wire.stall()
    sim.run(40)
    assert len(recoveries(alice)) == 1
    alice.wire.heal()
    sim.run(40)
    assert alice.state is SessionState.READY
    assert sim.gateway.sockets("alice") == [alice.wire.far_socket]


def test_silence_from_the_moment_the_socket_opened() -> None:
    """SIG-602 to the second: probe at 4, verdict at 12, forced loss at 13."""
    sim, alice = at_the_phone(gateway=QUIET)
    heard = sim.now
    alice.wire.stall()
    sim.run(60)
    ((at, source),) = recoveries(alice)
    assert source == "probe"
    probed = next(frame.at for frame in alice.wire.log if frame.way == "up" and ".ping" in frame.text)
    assert probed - heard == pytest.approx(4, abs=0.1)
    assert at - heard == pytest.approx(12, abs=0.1)
    lost = next(when for when, event in alice.events if isinstance(event, SocketClose))
    assert lost - at == pytest.approx(1)


@pytest.mark.parametrize("latency", [1.0, 2.0, 2.5, 4.0, 5.0])
def test_slow_but_alive_must_survive(latency: float) -> None:
    """So many seconds each way, from one moment to the next: what takes ten seconds to come back is not dead."""
    sim, alice, call = talking()
    alice.wire.latency = latency
    sim.run(600)
    assert recoveries(alice) == []
    assert alice.state_of(call) is ACTIVE
    assert alice.all_of(SocketClose) == []


def test_slow_and_quiet_but_alive_must_survive() -> None:
    """No server pings at all: our own probes hold it, at two seconds each way."""
    sim, alice = at_the_phone(gateway=QUIET)
    alice.wire.latency = 2.0
    sim.run(600)
    assert recoveries(alice) == []
    assert alice.state is SessionState.READY
    assert len(alice.requests("telnyx_rtc.ping")) >= 10


def test_an_idle_day_costs_one_probe_in_each_quiet_spell() -> None:
    """SIG-605: probes at 4, 8, ...; the keepalive finds that something was dispatched."""
    sim, alice = at_the_phone(gateway=QUIET)
    sim.run(3600)
    assert alice.all_of(SocketClose) == []
    assert len(alice.requests("telnyx_rtc.ping")) == pytest.approx(3600 / 4.04, abs=10)


def test_a_stall_that_passes_in_time_is_no_loss() -> None:
    """Ten seconds of nothing, and then everything in order: the socket stays."""
    sim, alice, call = talking()
    alice.wire.stall()
    sim.run(10)
    alice.hold(call)
    alice.wire.heal()
    sim.run(5)
    assert recoveries(alice) == []
    assert alice.all_of(SocketClose) == []
    assert alice.state_of(call).value == "held"


def test_other_traffic_does_not_prove_that_we_are_heard() -> None:
    """SIG-604, SIG-264: events every second, nothing of ours is answered; a probe at 45 s."""
    sim, alice = at_the_phone(gateway=QUIET)
    last_answer = sim.now
    sim.gateway.blackhole(alice.wire.far_socket, "in", now=sim.now)
    while not recoveries(alice) and sim.now < 100:
        sim.gateway.push(alice.wire.far_socket, "telnyx_rtc.info", {"note": "tick"}, now=sim.now)
        sim.run(1)
    ((at, source),) = recoveries(alice)
    assert source == "probe"
    assert at - last_answer == pytest.approx(55, abs=2)


def test_the_server_never_answers_a_ping() -> None:
    """SIG-131 quirk: a server that is silent on pings is not fit to be kept."""
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, quirks=evolve(WONDERLAND.quirks, silent_on_ping=True)))
    sim.run(45)
    assert [source for _, source in recoveries(alice)] == ["probe"] * 3
    assert alice.state is SessionState.READY


def test_the_server_answers_a_ping_with_its_own_frame() -> None:
    """SIG-065: an echo is an answer."""
    sim, alice = at_the_phone(gateway=evolve(WONDERLAND, quirks=evolve(WONDERLAND.quirks, echo_ping=True)))
    sim.run(600)
    assert recoveries(alice) == []


def test_a_bye_that_nobody_answers_costs_the_socket() -> None:
    """SIG-574, CALL-426: the call ends after five seconds, the socket after ten, once; then the server hears it."""
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.bye"), now=sim.now)
    ticket = alice.hangup(call)
    sim.run(6)
    assert ended(alice, call)
    assert ticket in alice.outcomes
    assert alice.all_of(SocketClose) == []
    sim.run(10)
    assert [source for _, source in recoveries(alice)] == ["request"]
    assert not sim.gateway.calls
    assert len(alice.requests("telnyx_rtc.bye")) == 2


def test_a_hold_that_nobody_answers_costs_the_socket_but_not_the_call() -> None:
    """SIG-538: one 36003, 44001 for the command, and the call recovers. What the server made of it is doubtful, so the
    hold is taken back, and not on the socket that is being closed.
    """
    sim, alice, call = talking()
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.modify"), now=sim.now)
    alice.hold(call)
    sim.run(20)
    assert [params["action"] for params in alice.requests("telnyx_rtc.modify")] == ["hold", "unhold"]
    (closed,) = [when for when, event in alice.events if isinstance(event, SocketClose)]
    (taken_back,) = [frame.at for frame in alice.wire.log if frame.way == "up" and '"unhold"' in frame.text]
    assert taken_back > closed
    assert [source for _, source in recoveries(alice)] == ["request"]
    assert 44001 in alice.errors()
    assert alice.state_of(call) is ACTIVE
    assert sim.media_flows(call)


def test_an_invite_that_nobody_answers() -> None:
    """CALL-318: thirty seconds."""
    sim, alice = at_the_phone()
    sim.gateway.add_fault(Fault(do=Swallow(), method="telnyx_rtc.invite"), now=sim.now)
    call = alice.new_call("echo")
    sim.run(29)
    assert call in alice.calls
    sim.run(2)
    assert ended(alice, call)
    assert 40005 in alice.errors()


def test_a_login_that_nobody_answers() -> None:
    """T12: 46001 that is not fatal, the socket goes, and the next one works."""
    from telnyx_core.testing import Sim

    sim = Sim(gateway=evolve(WONDERLAND, faults=(Fault(do=Swallow(), method="login"),)))
    sim.client.connect()
    sim.run(20)
    assert sim.client.state is SessionState.READY
    assert sim.client.errors()[0] == 46001


@pytest.mark.parametrize("latency", [0.02, 2.5, 4.9])
@pytest.mark.parametrize("seconds", [5, 20, 40])
def test_our_own_process_stands_still(seconds: float, latency: float) -> None:
    """SIG-482: a blocked loop, a debugger, a paused container. What was said meanwhile is read before it is judged."""
    sim, alice, call = talking()
    alice.wire.latency = latency
    sim.run(30)
    alice.hold(call)
    alice.freeze(seconds)
    sim.run(seconds + 60)
    assert recoveries(alice) == []
    assert alice.all_of(SocketClose) == []
    assert alice.state_of(call) is HELD


def test_the_host_slept_for_two_hours() -> None:
    """SIG-482: one wake-up, one reconnection, not four hundred."""
    sim, alice = at_the_phone()
    sockets = len(alice.all_of(SocketClose))
    sim.clock.now += 7200
    sim.run(60)
    assert alice.state is SessionState.READY
    assert len(alice.all_of(SocketClose)) <= sockets + 1
