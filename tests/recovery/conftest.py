"""Real sockets and real audio: an embedded gateway on a loop of its own, and clients of the loop under test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import anyio
import numpy as np
import pytest

import telnyx_drivers.asyncio
import telnyx_drivers.trio
from telnyx_core.journal.recorded_session import Replay
from telnyx_core.testing.rig import FixedDice
from telnyx_drivers._client import Client
from telnyx_drivers._webrtc.measure import dominant_frequency
from telnyx_drivers.asyncio import CallHandle
from telnyx_drivers.gateway import Gateway
from tests.drivers.servers import Servers
from tests.recovery.cable import Cable

T = TypeVar("T")
RATE = 8_000
USERS = {"alice": "secret", "bob": "hush", "carol": "quiet"}

Make: TypeAlias = Callable[..., Client]
On: TypeAlias = Callable[[Callable[[], T]], T]


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Real clocks: sockets and media are real."""
    return str(request.param)


@pytest.fixture(scope="session")
def all_servers() -> Iterator[Servers]:
    servers = Servers()
    yield servers
    servers.close()


@pytest.fixture
def servers(all_servers: Servers) -> Iterator[Servers]:
    yield all_servers
    all_servers.stop()


@pytest.fixture
def gateway(servers: Servers) -> Gateway:
    made: Gateway = servers.enter(Gateway(users=USERS, tokens={"t-1": "alice", "t-2": "alice"}))
    return made


@pytest.fixture
def cable(servers: Servers, gateway: Gateway) -> Cable:
    made: Cable = servers.enter(Cable(gateway.url))
    return made


@pytest.fixture
def there(servers: Servers) -> Callable[[Callable[[], Any]], Any]:
    """Runs a function where the gateway and the cable live."""

    def there(function: Callable[[], Any]) -> Any:
        async def run() -> Any:
            return function()

        return servers.run(run())

    return there


@pytest.fixture
def make(gateway: Gateway, anyio_backend_name: str, tmp_path: Path) -> Iterator[Make]:
    """Makes clients whose journals are replayed in the end, and must come out the same to the letter."""
    kind: type[Client] = telnyx_drivers.asyncio.TelnyxRTC
    if anyio_backend_name == "trio":
        kind = telnyx_drivers.trio.TelnyxRTC
    journals: list[Path] = []

    def make(user: str = "alice", **options: Any) -> Client:
        journals.append(tmp_path / f"{len(journals)}.jsonl")
        options.setdefault("env", gateway.url)
        options.setdefault("rng", FixedDice(0.0, seed=len(journals)))
        if "token_provider" not in options:
            options.update(login=user, password=USERS[user])
        return kind(ice_servers=[], journal=journals[-1], **options)

    yield make
    for journal in journals:
        assert Replay.from_file(str(journal)).check() > 20


async def talking(client: Client, to: str = "tone", **options: Any) -> CallHandle:
    call = await client.new_call(to, caller_number="+1555", **options)
    await call.wait_for_state("active", timeout=15)
    await hears(call)
    return call


async def hears(call: CallHandle, frequency: float = 1_000.0, within: float = 15.0) -> None:
    """From now on: this tone, for a quarter of a second."""
    window: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    with anyio.fail_after(within):
        async for frame in call.audio_in(sample_rate=RATE):
            window = [*window[-11:], frame.to_numpy()]
            samples = np.concatenate(window)
            loud = len(window) == 12 and np.abs(samples).max() > 200
            if loud and abs(dominant_frequency(samples, RATE) - frequency) < 5:
                return
    raise AssertionError("the call ended first")
