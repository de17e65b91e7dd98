"""The caller without a network, on a virtual clock: thousands of calls a minute, each the same in each run."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from attrs import evolve

from telnyx_drivers._worker_threads import at_once
from telnyx_drivers.testing.artifacts import Artifacts
from telnyx_drivers.testing.caller import CALLER_NUMBER, TIMEOUT
from telnyx_drivers.testing.conversation import Conversation
from telnyx_drivers.testing.script import Bot, Step, converse, served
from telnyx_drivers.testing.virtual_gateway import USER, VirtualClient, VirtualGateway
from telnyx_drivers.testing.virtual_loop import VirtualLoop


class VirtualCaller:
    """As `Caller`, for bots that are functions: ``virtual_call(bot, Say("question.wav"), Listen())``.

    The whole client runs, on a clock that jumps: a minute of talk takes a fraction of a second. Audio goes as samples,
    without codecs and jitter. The bot must not wait for the network or for other threads: the clock does not.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts
        self.conversations: list[Conversation] = []
        """Those that came to their end, oldest first."""

    def __call__(
        self,
        bot: Bot,
        *steps: Step,
        from_number: str = CALLER_NUMBER,
        timeout: float = TIMEOUT,
        seed: int = 0,
    ) -> Conversation:
        """As `Caller`, in virtual seconds. ``seed``: which ids are made, and which packets are lost."""

        async def call() -> Conversation:
            at_once.set(True)
            recording, journal = self._artifacts.next()
            async with VirtualGateway(seed) as gateway, served(bot, VirtualClient(gateway, seed, journal)):
                conversation = await converse(
                    gateway, USER, steps, from_number=from_number, timeout=timeout, recording=recording
                )
            return evolve(conversation, journal=journal)

        def run() -> Conversation:
            with asyncio.Runner(loop_factory=VirtualLoop) as runner:
                return runner.run(call())

        conversation = _aside(run)
        self.conversations.append(conversation)
        return conversation


def _aside(run: Callable[[], Conversation]) -> Conversation:
    """In a thread where a loop runs already, as in an asynchronous test."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result()
