"""``telnyx-rtc talk``"""

import asyncio
from pathlib import Path
from typing import Annotated, Final

import typer

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.events import ErrorRaised, TranscriptItem, TranscriptUpdated, WarningRaised
from telnyx_core.options import AnonymousLogin, CustomHeader
from telnyx_drivers._exceptions import CallFailed
from telnyx_drivers._tools.cli.account import PANEL, JournalOption, JsonFlag, UrlOption, Way, logged_in
from telnyx_drivers._tools.cli.arguments import check_writable, parse_headers
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import Credentials
from telnyx_drivers._tools.cli.devices import (
    Hear,
    LoudspeakerOption,
    MicrophoneOption,
    loudspeaker,
    register_microphone,
)
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.cli.summary import show_summary
from telnyx_drivers.asyncio import TelnyxRTC

ANSWERED_WITHIN: Final = 30.0
GREETED_WITHIN: Final = 3.0
"""Seconds: not every assistant speaks first."""
REPLIED_WITHIN: Final = 20.0
"""Seconds for the assistant's answer to what is said with ``--say``."""


def talk(
    assistant: Annotated[str, typer.Argument(metavar="ASSISTANT_ID", help="An AI assistant that takes web calls.")],
    say: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="Write this to it and wait for its answer; may be repeated. Then hang up."),
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(metavar="ID", help="Join this conversation instead of beginning another one.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="'NAME: VALUE'", help="X-Account: 7 is the assistant's variable 'account'; repeatable."),
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Record to a WAV file: you left, the assistant right.")] = None,
    duration: Annotated[float | None, typer.Option(min=0.1, help="Hang up after so many seconds.")] = None,
    mic: MicrophoneOption = None,
    speaker: LoudspeakerOption = None,
    version: Annotated[
        str | None, typer.Option("--assistant-version", help="A version of the assistant.", rich_help_panel=PANEL)
    ] = None,
    url: UrlOption = None,
    journal: JournalOption = None,
    json: JsonFlag = False,
) -> None:
    """Talk with an AI assistant, by voice or in writing, and read what is said. Needs no account."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        headers = parse_headers(header or ())
        plan = Plan(record=None if record is None else check_writable(record), duration=duration, voiceless=mic is None)
        target = AnonymousLogin(
            assistant,
            target_version_id=version,
            target_params=None if conversation is None else {"conversation_id": conversation},
        )
        async with (
            loudspeaker(speaker, output) as hear,
            logged_in(Credentials(), Way(url=url), output, document, journal=journal, anonymous=target) as client,
        ):
            transcript = _Transcript(output)
            client.on_transcript(transcript.note)
            return await _talk(client, plan, headers, mic, say or [], output, document, transcript, hear)

    perform(output, work)


class _Transcript:
    """Shows each utterance when it is complete, and lets one wait for the assistant's next."""

    def __init__(self, output: Output) -> None:
        self.items: dict[str, TranscriptItem] = {}
        self._output = output
        self._spoke = asyncio.Event()

    def note(self, event: TranscriptUpdated) -> None:
        item = event.item
        known = self.items.get(item.id)
        self.items[item.id] = item
        if item.partial or (known is not None and not known.partial):
            return
        colour = "cyan" if item.role == "assistant" else "magenta"
        self._output.say(f"[{colour}]{item.role:>9}[/]  {clean(item.content)}")
        if item.role == "assistant":
            self._spoke.set()

    async def spoken(self, within: float) -> bool:
        """Wait until the assistant has said something since this was last asked."""
        try:
            async with asyncio.timeout(within):
                await self._spoke.wait()
        except TimeoutError:
            return False
        finally:
            self._spoke.clear()
        return True


async def _talk(
    client: TelnyxRTC,
    plan: Plan,
    headers: tuple[CustomHeader, ...],
    mic: str | None,
    say: list[str],
    output: Output,
    document: JsonObject,
    transcript: _Transcript,
    hear: Hear,
) -> Exit:
    call = await client.new_call(custom_headers=headers, mic_id=register_microphone(client, mic))
    hear(call)
    conversation = Conversation(call, plan, output, "the assistant")
    client.on(ErrorRaised, conversation.note_code)
    client.on(WarningRaised, conversation.note_code)
    saying = asyncio.create_task(_say(conversation, say, transcript))
    try:
        await conversation.run(timeout=ANSWERED_WITHIN)
    finally:
        saying.cancel()
        await asyncio.gather(saying, return_exceptions=True)
        await conversation.finish()
        said: list[Json] = [
            {"role": item.role, "content": item.content, "partial": item.partial, "at": round(item.timestamp, 3)}
            for item in transcript.items.values()
        ]
        document |= {**conversation.document(), "transcript": said}
        show_summary(output, conversation)
    return conversation.status


async def _say(conversation: Conversation, texts: list[str], transcript: _Transcript) -> None:
    """Write it, piece by piece, and hang up; without anything to say the call goes on."""
    if not texts:
        return
    call = conversation.call
    await call.wait_for_state("active")
    await transcript.spoken(GREETED_WITHIN)
    for text in texts:
        try:
            await call.send_conversation_message(text)
        except CallFailed as error:
            conversation.faults.append(f"{error}.")
            break
        if not await transcript.spoken(REPLIED_WITHIN):
            conversation.faults.append(f"Nothing was answered to {text!r} within {REPLIED_WITHIN:g} seconds.")
    await call.hangup()
