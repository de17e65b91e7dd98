"""The frameworks run on asyncio, with real clocks; the call is to the embedded gateway on loopback."""

from collections.abc import AsyncIterator

import pytest

from telnyx_drivers.asyncio import CallHandle, TelnyxRTC
from telnyx_drivers.gateway import Gateway


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    async with Gateway(users={"alice": "secret"}) as gateway:
        yield gateway


@pytest.fixture
async def echo(gateway: Gateway) -> AsyncIterator[CallHandle]:
    """An active call that hears what it says."""
    async with TelnyxRTC(login="alice", password="secret", env=gateway.url, ice_servers=[]) as client:
        call = await client.new_call("echo", caller_number="+1555")
        await call.wait_for_state("active", timeout=10)
        yield call
