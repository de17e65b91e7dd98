"""A client that is observed, on a virtual clock: what it does in ten minutes takes a moment."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping

from telnyx_drivers._worker_threads import at_once
from telnyx_drivers.telemetry import Instrument
from telnyx_drivers.testing.virtual_gateway import VirtualClient, VirtualGateway
from telnyx_drivers.testing.virtual_loop import VirtualLoop

Story = Callable[[VirtualGateway, VirtualClient], Awaitable[None]]


class Notebook:
    """A meter that writes down."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = defaultdict(list)
        self.attributes: dict[str, list[dict[str, str]]] = defaultdict(list)

    def measure(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        assert set(attributes) == set(instrument.attributes)
        self.values[instrument.name].append(value)
        self.attributes[instrument.name].append(dict(attributes))

    def total(self, name: str) -> float:
        return sum(self.values[name])


def run(story: Story, prepare: Callable[[VirtualClient], object]) -> None:
    """``prepare`` is given the client before it connects."""

    async def main() -> None:
        at_once.set(True)
        async with VirtualGateway(seed=1) as gateway:
            client = VirtualClient(gateway, 1, None)
            prepare(client)
            async with client:
                await story(gateway, client)
            await asyncio.sleep(1.0)

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def wall() -> float:
    return asyncio.get_running_loop().time()
