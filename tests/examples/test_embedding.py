"""The embedding examples, run as a reader would run them, against the embedded gateway."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from telnyx_core.gateway.events import CallEnded, StateTold
from telnyx_drivers.gateway import Gateway

pytest.importorskip("wsproto")

EXAMPLES = Path(__file__).parents[2] / "examples" / "embedding"

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("script", ["smallest.py", "with_selectors.py", "with_twisted.py"])
async def test_the_doorman_turns_a_caller_away(script: str) -> None:
    if "twisted" in script:
        pytest.importorskip("twisted")
    async with Gateway(users={"door": "secret"}) as gateway:
        environment = {
            **os.environ,
            "TELNYX_SIP_USERNAME": "door",
            "TELNYX_SIP_PASSWORD": "secret",
            "TELNYX_RTC_URL": gateway.url,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, script, cwd=EXAMPLES, env=environment, stdout=asyncio.subprocess.PIPE
        )
        try:
            await gateway.wait_for(StateTold, lambda told: told.state == "REGED")
            call = gateway.call_user("door", from_number="+15550007777")
            ended = await gateway.wait_for(CallEnded, lambda ended: ended.call == call)
            assert ended.cause.cause == "CALL_REJECTED"
            said, _ = await asyncio.wait_for(process.communicate(), 20)
        finally:
            if process.returncode is None:
                process.kill()
        assert process.returncode == 0
        assert said.decode().splitlines() == ["ready", "turned away +15550007777", "closed: disconnected"]
