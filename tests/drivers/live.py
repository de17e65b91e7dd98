"""Both clients against the embedded gateway, with real sockets, real media and real clocks: fixtures to be imported."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import anyio
import numpy as np
import pytest

import telnyx_drivers.asyncio
import telnyx_drivers.trio
from telnyx_drivers._client import Client
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle
from telnyx_drivers.gateway import Gateway
from tests.drivers.servers import Servers

RATE = 8_000
Make: TypeAlias = Callable[..., Client]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks: the media is real."""
    return str(request.param)


@pytest.fixture(scope="module")
def servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def gateway(servers: Servers) -> Iterator[Gateway]:
    yield servers.enter(Gateway(users={"alice": "secret", "bob": "hush"}))
    servers.stop()


@pytest.fixture
def make(gateway: Gateway, anyio_backend_name: str) -> Make:
    kind: type[Client] = telnyx_drivers.asyncio.TelnyxRTC
    if anyio_backend_name == "trio":
        kind = telnyx_drivers.trio.TelnyxRTC

    def make(user: str = "alice", password: str = "secret", **options: Any) -> Client:
        return kind(**{"login": user, "password": password, "env": gateway.url, "ice_servers": [], **options})

    return make


async def hears(call: CallHandle, frequency: float) -> None:
    """Wait until this tone is heard for a quarter of a second."""
    window: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    with anyio.fail_after(10):
        async for frame in call.audio_in(sample_rate=RATE):
            window = [*window[-11:], frame.to_numpy()]
            samples = np.concatenate(window)
            loud = len(window) == 12 and np.abs(samples).max() > 200
            if loud and abs(dominant_frequency(samples, RATE) - frequency) < 5:
                return
    raise AssertionError("the call ended first")
