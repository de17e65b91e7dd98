"""A handler that blocks the application's loop: with media in a thread of its own nobody hears it."""

import threading
import time

import anyio
import numpy as np
import pytest

from telnyx_drivers.sync import TelnyxRTC as SyncTelnyxRTC
from telnyx_drivers.sync import Tone
from tests.drivers import live
from tests.drivers.inside import driver_of
from tests.drivers.live import RATE, Make

anyio_backend, servers, gateway, make = live.anyio_backend, live.servers, live.gateway, live.make

BLOCKED = 0.5
"""Seconds: 25 beats, of which a loaded machine may lose some; an engine on this loop loses all."""


def media_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "telnyx-media"]


@pytest.mark.anyio
@pytest.mark.net
@pytest.mark.media
async def test_audio_goes_on_while_the_loop_is_blocked_and_what_comes_is_kept(make: Make) -> None:
    async with make(media_thread=True) as client:
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        await call.play(Tone(700.0))
        reader = call.audio_in(sample_rate=RATE)
        with anyio.fail_after(10):
            async for frame in reader:
                if np.abs(frame.to_numpy()).max() > 1_000:
                    break
        call.audio_out.write_nowait(np.zeros(8 * RATE, np.int16), RATE)
        queued, before = call.audio_out.queued_duration, call.audio.counts
        time.sleep(BLOCKED)  # noqa: ASYNC251  what the test is about
        after = call.audio.counts
        assert after.sent - before.sent >= 10
        assert queued - call.audio_out.queued_duration >= 0.2
        assert after.heard - before.heard >= 5
        assert reader.waiting >= 5
        assert reader.dropped == 0
        assert call.audio_out.clear() > 0
        assert len(media_threads()) == 1
        await call.hangup()
    assert not media_threads()


@pytest.mark.anyio
async def test_it_is_for_the_asking_on_asyncio_and_always_so_on_trio(make: Make, anyio_backend_name: str) -> None:
    assert driver_of(make()).media_thread == (anyio_backend_name == "trio")
    assert driver_of(make(media_thread=True)).media_thread
    if anyio_backend_name == "trio":
        with pytest.raises(ValueError, match="its libraries need asyncio"):
            make(media_thread=False)
    else:
        assert not driver_of(make(media_thread=False)).media_thread
    with pytest.raises(TypeError, match="media_thread must be True, False or None"):
        make(media_thread="yes")


def test_the_client_without_async_passes_it_on() -> None:
    assert SyncTelnyxRTC(login_token="t", media_thread=True)._source._driver.media_thread
