"""A listener is killed, another one is started, and the caller hardly notices (issue "recovery", SIG-316, CALL-533)."""

import asyncio
import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from telnyx_core.gateway.events import CallAnswered, CallAttached, CallEnded, MediaConnected, StateTold
from telnyx_core.journal.recorded_session import Replay
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.diagnose.echo import read_wav
from telnyx_drivers.gateway import Gateway

pytestmark = [pytest.mark.net, pytest.mark.media, pytest.mark.slow]
LIMIT = 40.0


async def start(url: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "telnyx_drivers", *arguments, "--json"),
        env={
            "PATH": "/nowhere",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TELNYX_RTC_URL": url,
            "TELNYX_SIP_USERNAME": "bob",
            "TELNYX_SIP_PASSWORD": "hush",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def story(folder: Path) -> None:
    store, journal = folder / "session.json", folder / "second.jsonl"
    options = ("listen", "--store", str(store), "--record-dir", str(folder))
    async with Gateway(users={"bob": "hush"}) as gateway:
        first = await start(gateway.url, *options)
        await gateway.wait_for(StateTold, lambda event: event.user == "bob", timeout=LIMIT)
        call = gateway.call_user("bob", from_number="+15550001", behaviour="tone")
        await gateway.wait_for(CallAnswered, timeout=LIMIT)
        await gateway.wait_for(MediaConnected, timeout=LIMIT)
        await asyncio.sleep(0.5)
        first.kill()
        await first.communicate()
        assert list(gateway.core.calls) == [call], "it waits"
        assert stat.S_IMODE(store.stat().st_mode) == 0o600
        assert "hush" not in store.read_text()

        second = await start(gateway.url, *options, "--count", "1", "--duration", "2", "--journal", str(journal))
        attached = await gateway.wait_for(CallAttached, timeout=LIMIT)
        assert attached.call == call
        async with asyncio.timeout(LIMIT):
            out, err = await second.communicate()
        assert second.returncode == 0, err.decode()
        (told,) = json.loads(out.splitlines()[-1])["calls"]
        assert told["call_id"] == call
        assert told["answered"] is True
        assert "+15550001 is still there" in err.decode()
        ended = await gateway.wait_for(CallEnded)
        assert (ended.call, ended.by) == (call, "client")

    rate, samples = read_wav(Path(told["recording"]))
    heard = samples[:, 1]
    loud = np.flatnonzero(np.abs(heard) > 1_000)
    assert loud.size, "nothing was heard after the re-attach"
    sound = heard[loud[0] : loud[-1]]
    assert sound.size > 1.2 * rate
    assert dominant_frequency(sound, rate) == pytest.approx(1_000, abs=2)
    assert Replay.from_file(str(journal)).check() > 20


def test_a_listener_killed_and_started_again_goes_on_with_its_call(tmp_path: Path) -> None:
    asyncio.run(story(tmp_path))
