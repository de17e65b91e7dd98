"""What a call can be asked about at any time: counters, stages of its set-up, the signalling's round trip; and when."""

import time

import pytest

from telnyx_core.events import StatsReport
from telnyx_core.stats.latency import Latency
from telnyx_core.testing.rig import Rig
from telnyx_drivers.asyncio import InvalidCallState
from tests.drivers.conftest import MakeClient

pytestmark = pytest.mark.anyio


async def test_every_event_says_when_it_was_told(make_client: MakeClient) -> None:
    began = time.time()
    async with make_client() as client:
        stream = client.events()
        call = await client.new_call("+1555")
        heard: list[float] = []
        call.on("telnyx.notification", lambda event: heard.append(event.timestamp))
        await call.wait_for_state("active")
        await call.hangup()
    assert len(heard) > 2
    times = [event.timestamp async for event in stream]
    assert times == sorted(times)
    assert began <= times[0] <= times[-1] <= time.time()


async def test_the_stages_of_the_set_up_can_be_asked_for_at_any_time(make_client: MakeClient) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555")
        first = call.timings
        assert first is not None
        await call.wait_for_state("active")
        labels = [step.label for step in call.timings.steps] if call.timings else []
        assert {step.label for step in first.steps} < set(labels)
        assert "Call is active" in labels
        reported: list[StatsReport] = []
        call.on(StatsReport, reported.append)
        await call.hangup()
        assert call.timings is not None
        assert call.timings == reported[0].establishment


async def test_there_are_no_figures_without_a_media_path(make_client: MakeClient) -> None:
    async with make_client() as client:
        call = await client.new_call("+1555")
        with pytest.raises(InvalidCallState, match="there is no media path"):
            await call.stats()  # the engine of this test has none
        await call.hangup()
        with pytest.raises(InvalidCallState):
            await call.stats()


def test_the_round_trip_is_that_of_what_the_server_answers_at_once() -> None:
    rig = Rig()
    assert rig.session.latency is None
    rig.connect()
    rig.advance(0.25)
    rig.login_ok()
    assert rig.session.latency == Latency(0.25, 0.0)
    rig.client_ready()
    rig.advance(0.09)
    rig.gateway()
    latency = rig.session.latency
    assert latency is not None
    assert (latency.round_trip, latency.jitter, latency.count) == (pytest.approx(0.09), pytest.approx(0.16 / 16), 2)
    rig.lose()
    rig.advance(30)
    rig.open()
    assert rig.session.latency is None, "another socket has another path"


def test_jitter_is_smoothed() -> None:
    latency = Latency(0.1, 0.0)
    for _ in range(200):
        latency = latency.then(0.3 if latency.round_trip == 0.1 else 0.1)
    assert latency.jitter == pytest.approx(0.2, abs=1e-5)
    assert latency.count == 201
