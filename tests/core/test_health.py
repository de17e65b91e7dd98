"""Two clocks, a probe and a verdict: signaling.md 4.10, the arithmetic alone."""

import pytest

from telnyx_core.health import Health, HealthMonitor, Verdict
from telnyx_core.ids import CallId


@pytest.fixture
def monitor() -> HealthMonitor:
    monitor = HealthMonitor()
    monitor.start(100.0)
    return monitor


def test_a_fresh_socket_is_fine(monitor: HealthMonitor) -> None:
    """SIG-260."""
    assert monitor.check(103.0) is Verdict.FINE
    assert monitor.health(102.9) is Health.HEALTHY


def test_twenty_seconds_of_silence_ask_for_a_probe(monitor: HealthMonitor) -> None:
    """SIG-261, SIG-458: inclusive."""
    assert monitor.check(119.99) is Verdict.FINE
    assert monitor.check(120.0) is Verdict.PROBE
    monitor.heard(120.0)
    assert monitor.check(139.99) is Verdict.FINE


def test_inbound_traffic_alone_does_not_prove_the_way_out(monitor: HealthMonitor) -> None:
    """SIG-264, SIG-459."""
    for second in range(101, 145, 2):
        monitor.heard(float(second))
    assert monitor.check(144.99) is Verdict.FINE
    assert monitor.check(145.0) is Verdict.PROBE
    monitor.confirmed(145.0)
    assert monitor.check(145.0) is Verdict.FINE


def test_a_probe_is_judged_by_its_own_age(monitor: HealthMonitor) -> None:
    """SIG-261, SIG-460, SIG-544: five seconds, whatever else arrives."""
    monitor.probed_at = 110.0
    monitor.heard(114.0)
    assert monitor.check(114.99) is Verdict.FINE
    assert monitor.check(115.0) is Verdict.RECOVER


def test_an_answered_probe_restarts_both_clocks(monitor: HealthMonitor) -> None:
    """SIG-266."""
    monitor.probed_at = 150.0
    monitor.probe_answered(151.0)
    assert (monitor.probed_at, monitor.last_in, monitor.last_out_ok) == (None, 151.0, 151.0)


def test_health_is_a_matter_of_three_seconds(monitor: HealthMonitor) -> None:
    """SIG-267, SIG-461: the recent-activity window; a probe under way makes it unknown at once."""
    monitor.heard(110.0)
    assert monitor.health(112.99) is Health.HEALTHY
    assert monitor.health(113.0) is Health.UNKNOWN
    monitor.probed_at = 110.0
    assert monitor.health(110.0) is Health.UNKNOWN


def test_a_new_socket_starts_from_nothing(monitor: HealthMonitor) -> None:
    monitor.probed_at = 110.0
    monitor.waiting[CallId("a")] = "ice_failed"
    monitor.start(200.0)
    assert (monitor.probed_at, monitor.waiting) == (None, {})
    assert monitor.check(200.0) is Verdict.FINE
