"""Two clocks, a probe and a verdict: signaling.md 4.10, the arithmetic alone."""

import pytest

from telnyx_core._signalling.health import Health, HealthMonitor, Verdict
from telnyx_core.ids import CallId


@pytest.fixture
def monitor() -> HealthMonitor:
    monitor = HealthMonitor()
    monitor.start(100.0)
    return monitor


def test_a_fresh_socket_is_fine(monitor: HealthMonitor) -> None:
    """SIG-260."""
    assert monitor.check(101.9, talking=True) is Verdict.FINE
    assert monitor.health(102.9) is Health.HEALTHY


@pytest.mark.parametrize(("talking", "answers_in", "quiet"), [(False, 0.1, 4.0), (True, 0.1, 2.0), (False, 2.5, 2.0)])
def test_silence_asks_for_a_probe(monitor: HealthMonitor, talking: bool, answers_in: float, quiet: float) -> None:
    """SIG-261, SIG-458: sooner with a call, and where an answer takes long; inclusive."""
    monitor.answers_in = answers_in
    assert monitor.check(100.0 + quiet - 0.01, talking=talking) is Verdict.FINE
    assert monitor.check(100.0 + quiet, talking=talking) is Verdict.PROBE
    monitor.heard(110.0)
    assert monitor.check(110.0 + quiet - 0.01, talking=talking) is Verdict.FINE


@pytest.mark.parametrize("talking", [False, True])
def test_twelve_seconds_of_silence_are_the_end(monitor: HealthMonitor, talking: bool) -> None:
    """SIG-261, SIG-458."""
    monitor.probed_at = 104.0
    assert monitor.check(111.99, talking=talking) is Verdict.FINE
    assert monitor.check(112.0, talking=talking) is Verdict.RECOVER


def test_silence_alone_is_not_the_end_before_an_answer_could_come(monitor: HealthMonitor) -> None:
    """SIG-482: whoever was stopped for twenty seconds asks first, and gives the answer five seconds."""
    monitor.probed_at = 120.0
    assert monitor.check(124.99, talking=True) is Verdict.FINE
    assert monitor.check(125.0, talking=True) is Verdict.RECOVER


def test_inbound_traffic_alone_does_not_prove_the_way_out(monitor: HealthMonitor) -> None:
    """SIG-264, SIG-459."""
    for second in range(101, 146):
        monitor.heard(float(second))
        assert monitor.check(second - 0.01, talking=True) is Verdict.FINE
    assert monitor.check(145.0, talking=True) is Verdict.PROBE
    monitor.confirmed(145.0)
    assert monitor.check(145.0, talking=True) is Verdict.FINE


def test_a_probe_is_judged_by_its_own_age(monitor: HealthMonitor) -> None:
    """SIG-261, SIG-460, SIG-544: ten seconds, whatever else arrives."""
    monitor.probed_at = 110.0
    monitor.heard(119.0)
    assert monitor.check(119.99, talking=True) is Verdict.FINE
    assert monitor.check(120.0, talking=True) is Verdict.RECOVER


@pytest.mark.parametrize(("answers_in", "limit"), [(0.1, 5.0), (3.0, 6.0)])
def test_where_more_speaks_against_the_socket_less_is_waited(
    monitor: HealthMonitor, answers_in: float, limit: float
) -> None:
    """SIG-268, SIG-272, SIG-460: a call's media failed, the host has no network, or it slept."""
    monitor.answers_in = answers_in
    monitor.probed_at = 110.0
    monitor.heard(110.0)
    monitor.suspicion = True
    assert monitor.check(110.0 + limit - 0.01, talking=True) is Verdict.FINE
    assert monitor.check(110.0 + limit, talking=True) is Verdict.RECOVER


def test_an_answered_probe_restarts_both_clocks(monitor: HealthMonitor) -> None:
    """SIG-266."""
    monitor.probed_at = 150.0
    monitor.suspicion = True
    monitor.probe_answered(151.0)
    assert (monitor.probed_at, monitor.last_in, monitor.last_out_ok) == (None, 151.0, 151.0)
    assert not monitor.suspicion


def test_how_long_an_answer_takes_is_remembered_and_slowly_forgotten(monitor: HealthMonitor) -> None:
    monitor.confirmed(105.0, 100.0)
    assert monitor.answers_in == 5.0
    for _ in range(30):
        monitor.confirmed(200.0, 199.9)
    assert monitor.answers_in < 0.3


def test_health_is_a_matter_of_three_seconds(monitor: HealthMonitor) -> None:
    """SIG-267, SIG-461: the recent-activity window; a probe under way makes it unknown at once."""
    monitor.heard(110.0)
    assert monitor.health(112.99) is Health.HEALTHY
    assert monitor.health(113.0) is Health.UNKNOWN
    monitor.probed_at = 110.0
    assert monitor.health(110.0) is Health.UNKNOWN


def test_a_new_socket_starts_from_nothing(monitor: HealthMonitor) -> None:
    monitor.probed_at = 110.0
    monitor.suspicion = True
    monitor.waiting[CallId("a")] = "ice_failed"
    monitor.start(200.0)
    assert (monitor.probed_at, monitor.waiting, monitor.suspicion) == (None, {}, False)
    assert monitor.check(200.0, talking=True) is Verdict.FINE
