"""Both clients against the embedded gateway, with real sockets and real media on loopback."""

import socket
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import numpy as np
import pytest

from telnyx_core.events import SocketOpen
from telnyx_core.gateway.events import DigitsReceived
from telnyx_core.ids import MediaId
from telnyx_core.journal.recorded_session import Replay
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle, Tone
from telnyx_drivers.gateway import Gateway
from tests.drivers import live
from tests.drivers.conftest import held_now, tasks_now
from tests.drivers.inside import session_of
from tests.drivers.live import RATE, Make, hears
from tests.drivers.servers import Servers
from tests.inside import hub_of

pytestmark = [pytest.mark.anyio, pytest.mark.net, pytest.mark.media]


anyio_backend, servers, gateway, make = live.anyio_backend, live.servers, live.gateway, live.make


async def test_an_echo_is_heard_and_recorded(make: Make, tmp_path: Path) -> None:
    async with make() as client:
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        recording = await call.record(tmp_path / "call.wav")
        playback = await call.play(Tone(700.0))
        await hears(call, 700.0)
        playback.stop()
        await call.dtmf("12#")
        await recording.stop()
        assert await call.hold()
        assert await call.unhold()
        assert (await call.hangup()).cause == "NORMAL_CLEARING"
    assert (tmp_path / "call.wav").stat().st_size > 10_000


async def test_what_was_written_is_heard_before_the_hang_up(make: Make) -> None:
    """Two clients, one calls the other; the draining hang-up lets the last syllable be heard, to the last 20 ms."""
    async with make() as alice, make("bob", "hush") as bob:
        async with anyio.create_task_group() as group:
            heard: list[float] = []
            last: list[float] = []

            async def listen() -> None:
                call = await anext(bob.incoming())
                await call.answer()
                reader = call.audio_in(sample_rate=RATE)
                await call.wait_for_state("active", timeout=10)
                loud = [frame.to_numpy() async for frame in reader if np.abs(frame.to_numpy()).max() > 200]
                heard.append(len(loud) / 50)
                last.extend(dominant_frequency(np.concatenate(loud[at : at + 2]), RATE) for at in range(len(loud) - 1))

            group.start_soon(listen)
            call = await alice.new_call("bob", caller_number="+1555")
            await call.wait_for_state("active", timeout=10)
            time = np.arange(RATE * 2) / RATE
            await anyio.sleep(0.3)
            tone = (8000 * np.sin(2 * np.pi * np.where(time < 1.8, 700, 1_500) * time)).astype(np.int16)
            await call.audio_out.write(tone.tobytes(), sample_rate=RATE)
            await call.hangup(drain=True)
        assert heard[0] == pytest.approx(2.0, abs=0.3)
        assert sum(abs(frequency - 1_500) < 100 for frequency in last) >= 8


async def test_the_speed_of_the_line_is_measured_and_replayed(make: Make, tmp_path: Path) -> None:
    """SIG-091, SIG-092."""
    path = tmp_path / "speed.jsonl"
    async with make(journal=path) as client:
        for size in (1_500, 1_048_576):
            measured = await client.speed_test(size)
            assert measured.size == size
            assert measured.up_ms >= 1
            assert measured.up_bits_per_second == size * 8000 / measured.up_ms
            assert measured.down_bits_per_second == size * 8000 / measured.down_ms
        assert await client.is_registered(), "the same socket serves on"
    assert Replay.from_file(str(path)).check() > 1_000
    assert path.stat().st_size < 500_000, "the load is not written down"


async def hears_all_along(call: CallHandle, frequency: float, meanwhile: Callable[[], Awaitable[None]]) -> int:
    """What this tone sounds like before, during and after: the longest silence in frames of 20 ms."""
    gaps, gap, left = [0], 0, 100
    done = anyio.Event()

    async def act() -> None:
        await meanwhile()
        done.set()

    async with anyio.create_task_group() as group:
        group.start_soon(act)
        async for frame in call.audio_in(sample_rate=RATE):
            gap = gap + 1 if np.abs(frame.to_numpy()).max() <= 200 else 0
            gaps.append(gap)
            left -= done.is_set()
            if not left:
                break
    await hears(call, frequency)
    return max(gaps)


async def test_another_media_path_is_taken_without_a_silence(make: Make, servers: Servers) -> None:
    """`restart_media`: "What is heard goes on over the old path until the new one is connected", both ways: what is
    heard is the echo of what is said. It is 200 ms away: concealment would hide what a near one takes to connect.
    """
    far = servers.enter(Gateway(users={"alice": "secret"}, media_delay=0.1))
    async with make(env=far.url) as client:
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        await call.play(Tone(700.0))
        await hears(call, 700.0)
        paths: list[set[MediaId]] = []
        states: list[str] = []
        call.on("telnyx.notification", lambda event: states.append(event.call.state.value))

        async def restart() -> None:
            paths.append(set(hub_of(session_of(client)).media))
            assert await call.restart_media() is True
            paths.append(set(hub_of(session_of(client)).media))

        assert await hears_all_along(call, 700.0, restart) < 13
        assert not paths[0] & paths[1], "another path"
        assert set(states) <= {"active"}
        assert call.state.value == "active"

        async with anyio.create_task_group() as group:
            group.start_soon(call.restart_media)
            await anyio.sleep(0.05)
            assert await call.dtmf("5", via="rtp") == {}, "digits wait for the path that is being built"
        with anyio.fail_after(5):
            while not [event for event in far.history if isinstance(event, DigitsReceived)]:  # noqa: ASYNC110
                await anyio.sleep(0.05)
        await hears(call, 700.0)
        await call.hangup()


async def test_another_region_takes_the_call_along(
    make: Make, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`switch_region`: the socket is opened at the region's name, and the call goes on with audio both ways."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: resolve(
            "127.0.0.1" if str(host).endswith("rtc.localhost") else host, *rest, **more
        ),
    )
    port = gateway.url.rpartition(":")[2].strip("/")
    async with make(env=f"ws://rtc.localhost:{port}") as client:
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        await call.play(Tone(700.0))
        await hears(call, 700.0)
        opened: list[str] = []
        client.on(SocketOpen, lambda event: opened.append(hub_of(session_of(client)).link.url))
        await client.switch_region("eu")
        assert client.state.value == "ready"
        assert [url.partition("?")[0].rstrip("/") for url in opened] == [f"ws://eu.rtc.localhost:{port}"]
        await call.wait_for_state("active", timeout=10)
        await hears(call, 700.0)
        assert await call.hold(), "the server takes commands for it"
        assert (await call.hangup()).cause == "NORMAL_CLEARING"


@pytest.mark.slow
async def test_again_and_again_leaks_nothing(make: Make) -> None:
    async def held() -> object:
        for _ in range(20):
            await anyio.sleep(0.05)  # the gateway's side closes as well
        return held_now()

    async def cycle() -> None:
        async with make() as client:
            call = await client.new_call("echo", caller_number="+1555")
            await call.wait_for_state("active", timeout=10)
            await call.audio_out.write(b"\x00\x00" * 800, sample_rate=RATE)
            await call.hangup()

    await cycle()
    before = await held()
    for _ in range(50):
        await cycle()
    assert await held() == before


async def test_cancelled_in_the_middle_of_a_call(make: Make) -> None:
    before = tasks_now()
    with anyio.move_on_after(10) as scope:
        async with make() as client:
            call = await client.new_call("tone", caller_number="+1555")
            await call.wait_for_state("active", timeout=10)
            await hears(call, 1000.0)
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert call.ended is not None
    assert call.ended.cause == "NORMAL_CLEARING"
    assert tasks_now() == before
    await anyio.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if thread.name == "telnyx-media"]


async def test_the_counters_of_a_real_call(make: Make) -> None:
    async with make() as client:
        call = await client.new_call("tone")
        await call.wait_for_state("active", timeout=10)
        with anyio.fail_after(10):
            async for frame in call.audio_in():
                if frame.to_numpy().any():
                    break
        stats = await call.stats()
        assert stats.packets_received is not None
        assert stats.packets_received > 0
        assert stats.bytes_received == stats.reading.bytes_received
        assert {"inbound-rtp", "outbound-rtp", "codec"} <= {entry["type"] for entry in stats.w3c}
        assert call.latency is not None
        before = call.latency.count
        await client.is_registered()
        assert call.latency.count == before + 1
