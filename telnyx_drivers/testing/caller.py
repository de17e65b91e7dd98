"""The caller over real sockets and with real audio, in real time."""

from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import anyio.to_thread
from attrs import evolve

from telnyx_drivers._asyncio import TelnyxRTC
from telnyx_drivers.gateway.server import Gateway
from telnyx_drivers.gateway.thread import GatewayThread
from telnyx_drivers.testing.artifacts import Artifacts
from telnyx_drivers.testing.conversation import Conversation
from telnyx_drivers.testing.script import Bot, Step, converse, served

BOT: Final = "bot"
"""The user as whom a bot is served that is given as a function."""
CALLER_NUMBER: Final = "+15550001111"
TIMEOUT: Final = 60.0
_WIND_UP: Final = 30.0
"""Seconds for what surrounds a call: logging in, the bot's last words, files."""


class Calling:
    """A call under way: `result` waits for it in a program without ``async``, ``await calling`` in any other."""

    def __init__(self, outcome: "Future[Conversation]", timeout: float) -> None:
        self._outcome = outcome
        self._timeout = timeout + _WIND_UP

    def result(self) -> Conversation:
        """Wait until the script is done. Raises `AssertionError` where it could not be, and what the bot raised."""
        return self._outcome.result(self._timeout)

    def __await__(self) -> Generator[Any, None, Conversation]:
        return anyio.to_thread.run_sync(self.result, abandon_on_cancel=True).__await__()


class Caller:
    """Calls a bot: ``caller("alice", Say("question.wav"), Listen())``.

    The bot is the name of a user who is logged in at the gateway, as whatever program, or a function that gets each
    call, as `TelnyxRTC.serve` gives it: then it is served here.
    """

    def __init__(self, gateway: GatewayThread, password: str, artifacts: Artifacts) -> None:
        """``password`` is that of the user `BOT`."""
        self._gateway = gateway
        self._password = password
        self._artifacts = artifacts
        self.conversations: list[Conversation] = []
        """Those that came to their end, oldest first."""

    def __call__(
        self, bot: str | Bot, *steps: Step, from_number: str = CALLER_NUMBER, timeout: float = TIMEOUT
    ) -> Conversation:
        """Call, perform the steps, hang up, and tell what was heard; at most ``timeout`` seconds of call.

        Raises `AssertionError` when the bot does not answer or a step cannot be done, and what the bot raised.
        """
        return self.start(bot, *steps, from_number=from_number, timeout=timeout).result()

    def start(
        self, bot: str | Bot, *steps: Step, from_number: str = CALLER_NUMBER, timeout: float = TIMEOUT
    ) -> Calling:
        """As a call of this object, but side by side with the test: ``conversation = await caller.start(...)``."""
        return Calling(self._gateway.start(partial(self._call, bot, steps, from_number, timeout)), timeout)

    async def _call(
        self, bot: str | Bot, steps: tuple[Step, ...], from_number: str, timeout: float, gateway: Gateway
    ) -> Conversation:
        recording, journal = self._artifacts.next()
        talk = partial(converse, gateway, steps=steps, from_number=from_number, timeout=timeout, recording=recording)
        if isinstance(bot, str):
            conversation = await talk(bot)
        else:
            client = TelnyxRTC(login=BOT, password=self._password, env=gateway.url, ice_servers=[], journal=journal)
            async with served(bot, client):
                conversation = await talk(BOT)
            conversation = evolve(conversation, journal=journal)
        self.conversations.append(conversation)
        return conversation
