"""``telnyx-rtc listen``"""

import asyncio
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from attrs import evolve

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.states import CallState
from telnyx_drivers._tools.cli.account import CredentialsOption, JournalOption, JsonFlag, UrlOption, logged_in
from telnyx_drivers._tools.cli.arguments import check_playable
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import find_credentials
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.failures import EXPECTED, show
from telnyx_drivers._tools.cli.metrics import MetricsOption, measured
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers.asyncio import TelnyxRTC

ACTIVE_WITHIN: Final = 30.0
"""Seconds from the answer to an active call; media that takes longer will not come."""

_GRAVITY: Final = (Exit.OK, Exit.DEGRADED, Exit.FAILED)


def listen(
    folder: Annotated[Path, typer.Option("--record-dir", help="Where each call is recorded, in a file of its own.")] = (
        Path()
    ),
    play: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Play this to each caller, then hang up.")
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Hang up on a caller after so many seconds.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many calls.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Remember the session here: one that is killed and started again goes on with its calls."),
    ] = None,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    journal: JournalOption = None,
    metrics: MetricsOption = None,
    json: JsonFlag = False,
) -> None:
    """Answer calls, side by side if need be, and record each. Ctrl-C ends it."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        if not folder.is_dir():
            raise UsageError(f"--record-dir {folder}: there is no such folder.")
        plan = Plan(play=None if play is None else await asyncio.to_thread(check_playable, play), duration=duration)
        credentials = find_credentials(credentials_file, environ=os.environ, warn=output.warn)
        conversations: list[Conversation] = []
        try:
            with measured(metrics, output, document) as meters:
                async with logged_in(
                    credentials, url, output, document, journal=journal, store=store, meters=meters
                ) as client:
                    await _serve(client, plan, folder, count, output, conversations)
        finally:
            for each in conversations:
                await each.finish()
            calls: list[Json] = [each.document() for each in conversations]
            document["calls"] = calls
        return max((each.status for each in conversations), key=_GRAVITY.index, default=Exit.OK)

    perform(output, work, serves=True)


async def _serve(
    client: TelnyxRTC, plan: Plan, folder: Path, count: int | None, output: Output, conversations: list[Conversation]
) -> None:
    """Answer until ``count`` calls have come, and wait until they are over; each call has a task of its own."""
    tasks: list[asyncio.Task[None]] = []
    output.say(f"Waiting for {'calls' if count is None else 'a call' if count == 1 else f'{count} calls'}.")
    try:
        async for call in client.incoming(recovered=True):
            number = call.info.remote_caller_number or "unknown"
            output.say(f"[bold]{clean(number)}[/] {'calls' if call.state is CallState.RINGING else 'is still there'}")
            target = recording_file(folder, number, datetime.now().astimezone())
            conversation = Conversation(call, evolve(plan, record=target), output, number, label=f"{number}: ")
            conversations.append(conversation)
            tasks.append(asyncio.create_task(_converse(conversation, output)))
            if count is not None and len(conversations) >= count:
                break
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _converse(conversation: Conversation, output: Output) -> None:
    """Carry out one call. Its trouble must not affect other calls: it is shown, and counted in the exit status."""
    try:
        await conversation.run(timeout=ACTIVE_WITHIN)
        await conversation.finish()
    except EXPECTED as error:
        if not conversation.call.live:
            await conversation.finish()
        if conversation.given_up:
            output.done(f"{clean(conversation.label)}The caller gave up before the answer")
        else:
            show(output, error)
    else:
        talked = conversation.timeline.talked
        length = "" if talked is None else f" [dim]{talked:.1f} s in {clean(str(conversation.recording))}[/]"
        output.done(f"{clean(conversation.label)}Ended{length}")
        for fault in conversation.faults:
            output.warn(conversation.label + fault)


def recording_file(folder: Path, number: str, at: datetime) -> Path:
    """A file that does not exist yet: the time and the caller's number, less what a file name cannot hold."""
    caller = re.sub(r"[^\w+-]+", "_", number, flags=re.ASCII)[:40].strip("_") or "unknown"
    stem = f"{at:%Y%m%d-%H%M%S}-{caller}"
    target, again = folder / f"{stem}.wav", 1
    while target.exists():
        again += 1
        target = folder / f"{stem}-{again}.wav"
    return target
