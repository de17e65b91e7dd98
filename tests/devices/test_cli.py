"""``telnyx-rtc call --mic --speaker`` on a fake PortAudio, to the embedded gateway's echo."""

import asyncio
import json
from collections.abc import Iterator

import numpy as np
import pytest
from typer.testing import CliRunner

from telnyx_core.gateway.events import CallAnswered, CallEnded, StateTold
from telnyx_drivers._audio import devices, voice_processing
from telnyx_drivers._tools.cli.app import app
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.gateway import Gateway
from tests.devices.fake_portaudio import FakePortAudio
from tests.drivers.servers import Servers

pytestmark = [pytest.mark.net, pytest.mark.media]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePortAudio:
    fake = FakePortAudio()
    monkeypatch.setattr(voice_processing, "_library", lambda: None)  # to which a tone is noise, and its own echo
    monkeypatch.setattr(devices, "load_portaudio", lambda: fake)
    return fake


@pytest.fixture
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch, servers: Servers) -> Gateway:
    gateway: Gateway = servers.enter(Gateway(users={"alice": "secret"}))
    monkeypatch.setenv("TELNYX_RTC_URL", gateway.url)
    monkeypatch.setenv("TELNYX_SIP_USERNAME", "alice")
    monkeypatch.setenv("TELNYX_SIP_PASSWORD", "secret")
    return gateway


def test_what_the_microphone_hears_comes_back_through_the_loudspeaker(fake: FakePortAudio, gateway: Gateway) -> None:
    with fake.vibrating(600.0) as said:
        result = CliRunner().invoke(
            app, ["call", "echo", "--mic", "default", "--speaker", "USB", "--duration", "1.5", "--json"]
        )
    assert result.exit_code == Exit.OK, result.output
    loud = [block for block in said if np.abs(block).max() > 1000]
    assert len(loud) > 25
    assert dominant_frequency(np.concatenate(loud[5:25]), 48_000) == pytest.approx(600, abs=5)
    assert {stream.direction: fake.devices[stream.device]["name"] for stream in fake.streams} == {
        "input": "Built-in",
        "output": "USB Headset",
    }


def test_a_listener_speaks_and_hears_one_caller_while_others_hear_that_it_is_busy(
    fake: FakePortAudio, servers: Servers, gateway: Gateway
) -> None:
    async def ring() -> CallEnded:
        await gateway.wait_for(StateTold)
        gateway.call_user("alice", from_number="+15550101")
        await gateway.wait_for(CallAnswered)
        second = gateway.call_user("alice", from_number="+15550102")
        return await gateway.wait_for(CallEnded, lambda event: event.call == second)

    ringing = asyncio.run_coroutine_threadsafe(ring(), servers.loop)
    line = ["listen", "--mic", "default", "--speaker", "USB", "--no-record", "--count", "2", "--duration", "1.5"]
    with fake.vibrating(600.0) as said:
        result = CliRunner().invoke(app, [*line, "--json"])
    assert result.exit_code == Exit.OK, result.output
    first, second = json.loads(result.stdout.splitlines()[-1])["calls"]
    assert (first["answered"], first["recording"], first["dead_air"]) == (True, None, [])
    assert (second["answered"], ringing.result(1).cause.cause) == (False, "USER_BUSY")
    loud = [block for block in said if np.abs(block).max() > 1000]
    assert dominant_frequency(np.concatenate(loud[5:25]), 48_000) == pytest.approx(600, abs=5)


def test_a_loudspeaker_that_is_not_there_is_a_usage_error(fake: FakePortAudio, gateway: Gateway) -> None:
    fake.default = -1
    result = CliRunner().invoke(app, ["call", "echo", "--speaker", "Nowhere", "--json"])
    assert result.exit_code == Exit.USAGE
    assert "--speaker Nowhere" in json.loads(result.stdout.splitlines()[-1])["error"]["message"]
    assert not gateway.core.calls


def test_a_microphone_that_is_not_there_fails_the_call(fake: FakePortAudio, gateway: Gateway) -> None:
    fake.default = -1
    result = CliRunner().invoke(app, ["call", "echo", "--mic", "default", "--json"])
    assert result.exit_code == Exit.FAILED
    assert json.loads(result.stdout.splitlines()[-1])["error"]["code"] == 42002
