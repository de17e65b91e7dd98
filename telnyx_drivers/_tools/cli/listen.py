"""``telnyx-rtc listen``"""

import asyncio
import os
import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer
from attrs import evolve, frozen

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.states import CallState
from telnyx_drivers._tools.cli.account import (
    CONNECT_TIMEOUT,
    ConnectTimeoutOption,
    CredentialsOption,
    IceServerOption,
    JournalOption,
    JsonFlag,
    RegionOption,
    RelayFlag,
    TrickleFlag,
    UrlOption,
    VerboseFlag,
    Way,
    logged_in,
)
from telnyx_drivers._tools.cli.arguments import check_playable, parse_ice_servers
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import find_credentials
from telnyx_drivers._tools.cli.devices import Hear, answer_with_microphone, loudspeaker
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.extras import need_devices, need_media
from telnyx_drivers._tools.cli.failures import EXPECTED, show
from telnyx_drivers._tools.cli.metrics import MetricsOption, measured
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.cli.watch import SocketOption, watchable
from telnyx_drivers.asyncio import TelnyxRTC

ACTIVE_WITHIN: Final = 30.0
"""Seconds from the answer to an active call; media that takes longer will not come."""

REJECTED: Final = "CALL_REJECTED"
BUSY: Final = "USER_BUSY"

_GRAVITY: Final = (Exit.OK, Exit.DEGRADED, Exit.FAILED)


def listen(
    folder: Annotated[Path, typer.Option("--record-dir", help="Where each call is recorded, in a file of its own.")] = (
        Path()
    ),
    record: Annotated[bool, typer.Option("--record/--no-record", help="Record each call.")] = True,
    play: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Play this to each caller, then hang up.")
    ] = None,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Hang up on a caller after so many seconds.")] = None,
    mic: Annotated[
        str | None,
        typer.Option(
            metavar="DEVICE",
            help="Speak through this microphone; 'default' is the system's. A second caller hears that you are busy.",
        ),
    ] = None,
    speaker: Annotated[
        str | None, typer.Option(metavar="DEVICE", help="Listen through this loudspeaker, to one caller at a time.")
    ] = None,
    reject: Annotated[bool, typer.Option("--reject", help="Decline every call instead of answering.")] = False,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after so many calls.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Remember the session here: one that is killed and started again goes on with its calls."),
    ] = None,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    region: RegionOption = None,
    relay: RelayFlag = False,
    ice_server: IceServerOption = None,
    trickle: TrickleFlag = False,
    connect_timeout: ConnectTimeoutOption = CONNECT_TIMEOUT,
    journal: JournalOption = None,
    metrics: MetricsOption = None,
    socket: SocketOption = None,
    verbose: VerboseFlag = 0,
    json: JsonFlag = False,
) -> None:
    """Answer calls, side by side if need be, and record each. Ctrl-C ends it."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        need_media()
        await need_devices(mic, speaker)
        if record and not folder.is_dir():
            raise UsageError(f"--record-dir {folder}: there is no such folder.")
        plan = Plan(
            play=None if play is None else await asyncio.to_thread(check_playable, play),
            duration=duration,
            decline=REJECTED if reject else None,
        )
        way = Way(
            url=url,
            region=region,
            relay=relay,
            ice_servers=parse_ice_servers(ice_server, os.environ),
            trickle=trickle,
            connect_timeout=connect_timeout,
        )
        credentials = find_credentials(credentials_file, environ=os.environ, warn=output.warn)
        conversations: list[Conversation] = []
        try:
            with measured(metrics, output, document) as meters:
                async with (
                    loudspeaker(speaker, output) as hear,
                    logged_in(
                        credentials, way, output, document, journal=journal, store=store, meters=meters
                    ) as client,
                    watchable(client, socket),
                ):
                    answer_with_microphone(client, mic)
                    alone = mic is not None or speaker is not None
                    service = Service(plan, folder if record else None, count, hear, alone)
                    await service.serve(client, output, conversations)
        finally:
            for each in conversations:
                await each.finish()
            calls: list[Json] = [each.document() for each in conversations]
            document["calls"] = calls
        return max((each.status for each in conversations), key=_GRAVITY.index, default=Exit.OK)

    perform(output, work, serves=True)


@frozen
class Service:
    plan: Plan
    folder: Path | None
    """Where calls are recorded; ``None``: they are not."""
    count: int | None
    hear: Hear
    one_at_a_time: bool
    """A person speaks and listens, who can have one call only."""

    async def serve(self, client: TelnyxRTC, output: Output, conversations: list[Conversation]) -> None:
        """Answer until ``count`` calls have come, and wait until they are over; each call has a task of its own."""
        tasks: list[asyncio.Task[None]] = []
        calls = "calls" if self.count is None else "a call" if self.count == 1 else f"{self.count} calls"
        output.say(f"Waiting for {calls}.")
        try:
            async for call in client.incoming(recovered=True):
                number = call.info.remote_caller_number or "unknown"
                output.say(
                    f"[bold]{clean(number)}[/] {'calls' if call.state is CallState.RINGING else 'is still there'}"
                )
                plan = self._plan_for(number, conversations)
                conversation = Conversation(call, plan, output, number, label=f"{number}: ")
                if not conversation.declined:
                    self.hear(call)
                conversations.append(conversation)
                tasks.append(asyncio.create_task(_converse(conversation, output)))
                if self.count is not None and len(conversations) >= self.count:
                    break
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    def _plan_for(self, number: str, before: list[Conversation]) -> Plan:
        if self.one_at_a_time and any(each.call.live and not each.declined for each in before):
            return Plan(decline=BUSY)
        if self.folder is None or self.plan.decline is not None:
            return self.plan
        return evolve(self.plan, record=recording_file(self.folder, number, datetime.now().astimezone()))


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
        if conversation.declined:
            output.done(f"{clean(conversation.label)}Declined")
            return
        talked, file = conversation.timeline.talked, conversation.recording
        length = "" if talked is None else f"{talked:.1f} s"
        where = "" if file is None else f" in {clean(str(file))}"
        output.done(f"{clean(conversation.label)}Ended [dim]{length}{where}[/]")
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
