"""``enableCallRecording`` from the application's view: what is sent, when and where, and what if it cannot be."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib import util
from typing import Any, TypeVar

import anyio
import anyio.to_thread
import numpy as np
import pytest

from telnyx_core.catalogue import WarningCode
from telnyx_core.events import WarningRaised
from telnyx_core.ids import CallId
from telnyx_drivers import _driver as driver
from telnyx_drivers._client import Client
from telnyx_drivers._webrtc.call_audio import CallAudio
from telnyx_drivers._webrtc.ports import EngineSetup
from telnyx_drivers.asyncio import CallHandle, MediaUnavailable, Tone
from tests.drivers.conftest import MakeClient
from tests.drivers.fakes import Frame, MemoryLine, Server, SilentEngine, World
from tests.quality.test_uploads import Platform

pytestmark = pytest.mark.anyio
T = TypeVar("T")


class ReportingServer(Server):
    """One that gives an id for reports (STATS-244)."""

    def _reply(self, line: MemoryLine, method: str, ident: Any, params: Frame) -> None:
        if method == "telnyx_rtc.gatewayState":
            told = {"params": {"state": "REGED", "call_report_id": "report-7"}}
            line.deliver({"jsonrpc": "2.0", "id": ident, "result": told, "voice_sdk_id": "V-1"})
        else:
            super()._reply(line, method, ident, params)


@pytest.fixture
def world() -> World:
    world = World()
    world.server = ReportingServer()
    return world


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> Platform:
    """In memory; and everything is done on the loop, whose clock knows nothing of threads."""
    platform = Platform()

    async def make(ssl: object) -> Platform:
        await anyio.lowlevel.checkpoint()
        return platform

    async def on_the_spot(function: Callable[..., T], *args: Any, **options: Any) -> T:
        await anyio.lowlevel.checkpoint()
        return function(*args)

    monkeypatch.setattr(driver, "http_poster", make)
    monkeypatch.setattr(anyio.to_thread, "run_sync", on_the_spot)
    return platform


async def active(client: Client) -> CallHandle:
    call = await client.new_call("+1555")
    await call.wait_for_state("active", timeout=10)
    return call


async def talk(audio: CallAudio, seconds: float) -> None:
    for _ in range(round(seconds * 50)):
        audio.push(np.full(960, 100, dtype=np.int16), 48_000)
        audio.pull(48_000)
        await anyio.sleep(0.02)


def recordings(platform: Platform, path: str = "/call_recording") -> list[dict[str, Any]]:
    """The bodies that were posted."""
    return [json.loads(body) for _, url, _, body in platform.posts if url.endswith(path)]


def times(platform: Platform, path: str = "/call_recording") -> list[float]:
    return [at for at, url, _, _ in platform.posts if url.endswith(path)]


async def one_call(client: Client, world: World, seconds: float) -> CallId:
    async with client:
        call = await active(client)
        await talk(world.engines[0].audio(call.id), seconds)
        await call.hangup()
    return call.id


async def test_a_call_is_recorded_from_active_to_its_end(
    make_client: MakeClient, world: World, platform: Platform
) -> None:
    """REC-010, REC-015, REC-200: one post for each track, with the headers of a report."""
    call = await one_call(make_client(enable_call_recording=True, enable_call_reports=False), world, 1)
    local, remote = sorted(recordings(platform), key=lambda body: str(body["track"]))
    for body in (local, remote):
        assert (body["call_id"], body["call_report_id"], body["voice_sdk_id"]) == (call, "report-7", "V-1")
        assert (body["segment"], body["packet_count"], body["byte_count"]) == ("final", 50, 192_000)
    assert local["track"] == "local"
    assert local["recording_id"] == remote["recording_id"]
    headers: Mapping[str, str] = platform.posts[0][2]
    assert headers == {
        "content-type": "application/json",
        "x-call-report-id": "report-7",
        "x-call-id": call,
        "x-voice-sdk-id": "V-1",
    }


async def test_nobody_is_recorded_unasked(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-001."""
    await one_call(make_client(), world, 1)
    assert recordings(platform) == []


@pytest.mark.parametrize(("endpoint", "path"), [(None, "/call_recording"), ("/v2/audio", "/v2/audio")])
async def test_where_it_goes(
    make_client: MakeClient, world: World, platform: Platform, endpoint: str | None, path: str
) -> None:
    """REC-006: on the host that is signalled to."""
    options = {} if endpoint is None else {"call_recording_endpoint": endpoint}
    await one_call(make_client(enable_call_recording=True, env="wss://gw.example.org:14938", **options), world, 0.1)
    urls = {url for _, url, _, _ in platform.posts if not url.endswith("/call_report")}
    assert urls == {f"https://gw.example.org:14938{path}"}


async def test_one_track_alone(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-005."""
    options = {"enable_call_recording": True, "call_recording_tracks": ["remote"], "call_recording_sample_rate": 16_000}
    await one_call(make_client(**options), world, 1)
    [body] = recordings(platform)
    assert (body["track"], body["sample_rate"]) == ("remote", 16_000)
    assert body["byte_count"] == pytest.approx(64_000, rel=0.05)


async def test_how_often_it_is_sent(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-002: both tracks at once, and the rest at the end."""
    tracks = {"call_recording_tracks": ["local"], "call_recording_sample_rate": 8_000}
    client = make_client(enable_call_recording=True, call_recording_flush_interval=3.0, **tracks)
    began = anyio.current_time()
    await one_call(client, world, 10)
    assert [round(at - began) for at in times(platform)] == [3, 6, 9, 10]
    bodies = recordings(platform)
    assert [body["segment"] for body in bodies] == ["intermediate"] * 3 + ["final"]
    numbers = [packet["rtp_seq"] for body in bodies for packet in body["packets"]]
    assert numbers == list(range(1, len(numbers) + 1)), "nothing is lost between two of them"


async def test_only_at_the_end(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-002: without a period."""
    tracks = {"call_recording_tracks": ["local"], "call_recording_sample_rate": 8_000}
    await one_call(make_client(enable_call_recording=True, call_recording_flush_interval=0, **tracks), world, 30)
    assert [body["segment"] for body in recordings(platform)] == ["final"]


async def test_a_segment_that_failed_goes_before_the_next_one(
    make_client: MakeClient, world: World, platform: Platform
) -> None:
    """REC-016: four attempts within 3.5 s, as for a report (STATS-242); while they last, no other begins."""
    platform.statuses = [503] * 4
    tracks = {"call_recording_tracks": ["local"], "call_recording_sample_rate": 8_000}
    client = make_client(
        enable_call_recording=True, enable_call_reports=False, call_recording_flush_interval=2.0, **tracks
    )
    await one_call(client, world, 7)
    assert len(times(platform)) == 7
    assert [body["segment"] for body in platform.accepted] == ["intermediate", "intermediate", "final"]
    numbers = [packet["rtp_seq"] for body in platform.accepted for packet in body["packets"]]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_a_platform_that_does_not_want_it_gets_no_more_of_the_same(
    make_client: MakeClient, world: World, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """STATS-242: what was refused is not sent again."""
    platform.statuses = [404]
    tracks = {"call_recording_tracks": ["local"], "call_recording_sample_rate": 8_000}
    client = make_client(
        enable_call_recording=True, enable_call_reports=False, call_recording_flush_interval=2.0, **tracks
    )
    await one_call(client, world, 3)
    [last] = platform.accepted
    assert last["packets"][0]["rtp_seq"] > 50
    assert "a part of its recording could not be sent (reason: the platform answers 404;" in caplog.text


async def test_without_an_id_nothing_is_sent(
    make_client: MakeClient, world: World, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """REC-018."""
    world.server = Server()
    await one_call(make_client(enable_call_recording=True), world, 1)
    assert platform.posts == []
    assert "a part of its recording could not be sent (reason: the server gave no id;" in caplog.text


async def test_what_is_said_on_hold_is_not_sent(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-010."""
    tracks = {"call_recording_tracks": ["local"]}
    async with make_client(enable_call_recording=True, **tracks) as client:
        call = await active(client)
        audio = world.engines[0].audio(call.id)
        await call.hold()
        audio.add_voice(Tone(440.0))
        await talk(audio, 1)
        await call.hangup()
    [body] = recordings(platform)
    assert body["packet_count"] == 50
    assert {packet["payload_b64"].strip("A=") for packet in body["packets"]} == {""}


async def codes_of(client: Client, work: Callable[[], Awaitable[object]]) -> list[int]:
    codes: list[int] = []

    def note(event: WarningRaised) -> None:
        codes.append(event.warning.code)

    client.on("telnyx.warning", note)
    await work()
    return codes


async def test_more_than_fits_is_warned_of(make_client: MakeClient, world: World, platform: Platform) -> None:
    """REC-201: once for each track and segment."""
    client = make_client(
        enable_call_recording=True, call_recording_max_buffer_bytes=100_000, call_recording_flush_interval=0
    )
    codes = await codes_of(client, lambda: one_call(client, world, 2))
    assert codes.count(WarningCode.RECORDING_BUFFER_OVERFLOW) == 2
    assert [body["packet_count"] for body in recordings(platform)] == [25, 25]


async def test_a_call_without_audio_cannot_be_recorded(
    make_client: MakeClient, world: World, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    """REC-010: warned of once; the call goes on."""

    class Mute(SilentEngine):
        def audio(self, call: CallId) -> CallAudio:
            raise MediaUnavailable("no audio here")

    def engine(setup: EngineSetup) -> SilentEngine:
        world.engines.append(Mute(setup.report))
        return world.engines[-1]

    client = make_client(engine=engine, enable_call_recording=True)

    async def story() -> None:
        async with client:
            call = await active(client)
            await call.hold()
            await call.unhold()
            await call.hangup()

    assert (await codes_of(client, story)).count(WarningCode.RECORDING_UNAVAILABLE) == 1
    assert "no audio here" in caplog.text
    assert recordings(platform) == []


async def test_without_the_http_extra_it_cannot_be_sent(
    make_client: MakeClient, world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing is kept either."""
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "httpx2" else find(name, *rest))
    client = make_client(enable_call_recording=True)
    codes = await codes_of(client, lambda: one_call(client, world, 1))
    assert codes.count(WarningCode.RECORDING_UNAVAILABLE) == 1


async def test_nothing_that_was_said_is_in_a_log(
    make_client: MakeClient, world: World, platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "telnyx_drivers")
    platform.statuses = [503] * 30
    await one_call(make_client(enable_call_recording=True), world, 0.5)
    assert "payload" not in caplog.text
    assert recordings(platform)[0]["packets"][0]["payload_b64"][:40] not in caplog.text
