"""``telnyx-rtc watch`` and ``telnyx-rtc phone``"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._client import Client
from telnyx_drivers._tools.cli.account import (
    CallerNumberOption,
    CredentialsOption,
    JournalOption,
    JsonFlag,
    UrlOption,
    Way,
    logged_in,
)
from telnyx_drivers._tools.cli.credentials import find_credentials
from telnyx_drivers._tools.cli.devices import (
    LoudspeakerOption,
    MicrophoneOption,
    answer_with_microphone,
    loudspeaker,
    register_microphone,
)
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.watch.desk import LocalDesk
from telnyx_drivers._tools.watch.private_socket import attached, offered
from telnyx_drivers.asyncio import TelnyxRTC

SocketOption: TypeAlias = Annotated[
    Path | None,
    typer.Option("--socket", metavar="FILE", help="Let 'telnyx-rtc watch FILE' of this user look on and take part."),
]


@asynccontextmanager
async def watchable(client: Client, path: Path | None) -> AsyncGenerator[None, None]:
    """While this lasts, `watch` reaches the client; nothing without a path."""
    if path is None:
        yield
        return
    async with offered(LocalDesk(client, time.monotonic), path):
        yield


def watch(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What the other process was given as --socket.")],
    json: JsonFlag = False,
) -> None:
    """Look at the calls of a running process, live, and handle them by keys."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        _check_terminal()
        from telnyx_drivers._tools.watch.terminal import Terminal

        async with attached(file) as desk:
            terminal = Terminal(desk, output.console, dials=False)
            desk.tell = terminal.tell
            ended = asyncio.create_task(desk.run())
            shown = asyncio.create_task(terminal.run())
            try:
                await asyncio.wait([ended, shown], return_when=asyncio.FIRST_COMPLETED)
                if not shown.done():
                    output.say("The process has ended.")
                else:
                    shown.result()
            finally:
                for task in (ended, shown):
                    task.cancel()
                await asyncio.gather(ended, shown, return_exceptions=True)
        return Exit.OK

    perform(output, work)


def phone(
    destination: Annotated[str | None, typer.Argument(metavar="[DEST]", help="Call this to begin with.")] = None,
    caller_number: CallerNumberOption = "",
    mic: MicrophoneOption = None,
    speaker: LoudspeakerOption = None,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    journal: JournalOption = None,
    json: JsonFlag = False,
) -> None:
    """A softphone in the terminal: dial, answer, hold, mute and press keys, in several calls."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        _check_terminal()
        from telnyx_drivers._tools.watch.terminal import Terminal

        credentials = find_credentials(credentials_file, environ=os.environ, warn=output.warn)
        async with (
            loudspeaker(speaker, output) as hear,
            logged_in(credentials, Way(url=url), output, document, journal=journal) as client,
        ):
            microphone = register_microphone(client, mic)
            answer_with_microphone(client, mic)
            desk = LocalDesk(client, time.monotonic, caller_number=caller_number, mic_id=microphone, began=hear)
            ringing = asyncio.create_task(_take(client, desk))
            try:
                if destination is not None:
                    await desk.do({"do": "dial", "number": destination})
                await Terminal(desk, output.console, dials=True).run()
            finally:
                ringing.cancel()
                await asyncio.gather(ringing, return_exceptions=True)
        return Exit.OK

    perform(output, work)


async def _take(client: TelnyxRTC, desk: LocalDesk) -> None:
    """Calls that ring are heard, once they are answered, as those that were dialled."""
    async for call in client.incoming(recovered=True):
        desk.began(call)


def _check_terminal() -> None:
    if find_spec("termios") is None:
        raise UsageError("keys can be read on Unix alone.")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("this needs a terminal.")
