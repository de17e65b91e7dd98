"""``telnyx-rtc call``"""

import asyncio
import os
import tempfile
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer
from attrs import frozen

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.events import ErrorRaised, WarningRaised
from telnyx_core.options import Codec, CustomHeader
from telnyx_drivers._tools.cli.account import (
    CONNECT_TIMEOUT,
    CallerNumberOption,
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
from telnyx_drivers._tools.cli.arguments import (
    CodecName,
    DigitsWay,
    check_playable,
    check_writable,
    parse_codecs,
    parse_digits,
    parse_headers,
    parse_ice_servers,
)
from telnyx_drivers._tools.cli.checks import Checks, parse_codes
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import find_credentials
from telnyx_drivers._tools.cli.devices import LoudspeakerOption, MicrophoneOption, loudspeaker, register_microphone
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.extras import need_devices, need_media
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.report import check_extras, make_page
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.cli.summary import show_summary
from telnyx_drivers.asyncio import TelnyxRTC


@frozen(kw_only=True)
class Dialling:
    destination: str
    caller_number: str
    caller_name: str
    headers: tuple[CustomHeader, ...]
    codecs: tuple[Codec, ...]
    timeout: float
    mic: str | None
    speaker: str | None


def call(
    destination: Annotated[str, typer.Argument(metavar="DEST", help="A number, a SIP URI, or a user of a gateway.")],
    play: Annotated[
        str | None, typer.Option(metavar="FILE|URL", help="Play this, then hang up. A URL may be a stream without end.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Record to a WAV file: you left, the far end right.")] = None,
    dtmf: Annotated[
        str | None, typer.Option(metavar="DIGITS", help="Press these keys once the call is active.")
    ] = None,
    dtmf_via: Annotated[
        DigitsWay, typer.Option("--dtmf-via", help="Send them as messages, or as events in the audio stream.")
    ] = DigitsWay.INFO,
    duration: Annotated[
        float | None, typer.Option(min=0.1, help="Hang up after so many seconds; otherwise the far end does.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Give up when nobody has answered after so many seconds.")] = 60,
    header: Annotated[
        list[str] | None, typer.Option(metavar="'NAME: VALUE'", help="Send a SIP header; may be repeated.")
    ] = None,
    codec: Annotated[
        list[CodecName] | None, typer.Option(help="Offer these codecs, best first; may be repeated.")
    ] = None,
    caller_number: CallerNumberOption = "",
    caller_name: Annotated[str, typer.Option("--name", help="The caller's name.")] = "",
    mic: MicrophoneOption = None,
    speaker: LoudspeakerOption = None,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    region: RegionOption = None,
    relay: RelayFlag = False,
    ice_server: IceServerOption = None,
    trickle: TrickleFlag = False,
    connect_timeout: ConnectTimeoutOption = CONNECT_TIMEOUT,
    journal: JournalOption = None,
    report: Annotated[Path | None, typer.Option(help="Make an HTML page of the call, people hidden.")] = None,
    pcap: Annotated[
        Path | None, typer.Option(help="Write the call's packets, decrypted, for Wireshark, which can play them.")
    ] = None,
    expect_audio: Annotated[
        bool, typer.Option("--expect-audio", help="Status 3 when nothing audible is heard, also while we talk.")
    ] = False,
    min_mos: Annotated[
        float | None, typer.Option(min=1, max=4.5, help="Status 3 when the quality (MOS) is worse, or not known.")
    ] = None,
    max_setup_ms: Annotated[
        int | None, typer.Option(min=1, help="Status 3 when it takes longer from the invite to the active call.")
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Status 3 when this error or warning is told; may be repeated."),
    ] = None,
    verbose: VerboseFlag = 0,
    json: JsonFlag = False,
) -> None:
    """Place a call: play a file, record, press keys, speak and listen."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        need_media()
        await need_devices(mic, speaker)
        dialling = Dialling(
            destination=destination,
            caller_number=caller_number,
            caller_name=caller_name,
            headers=parse_headers(header or ()),
            codecs=parse_codecs(codec or ()),
            timeout=timeout,
            mic=mic,
            speaker=speaker,
        )
        plan = Plan(
            digits=None if dtmf is None else parse_digits(dtmf),
            digits_via="rtp" if dtmf_via is DigitsWay.RTP else "info",
            play=None if play is None else await asyncio.to_thread(check_playable, play),
            record=None if record is None else check_writable(record),
            capture=None if pcap is None else check_writable(pcap, "--pcap"),
            duration=duration,
            checks=Checks(
                expect_audio=expect_audio,
                min_mos=min_mos,
                max_setup=None if max_setup_ms is None else max_setup_ms / 1_000,
                fail_on=parse_codes(fail_on or []),
            ),
        )
        if report is not None:
            check_extras()
            check_writable(report, "--report")
        way = Way(
            url=url,
            region=region,
            relay=relay,
            ice_servers=parse_ice_servers(ice_server, os.environ),
            trickle=trickle,
            connect_timeout=connect_timeout,
        )
        credentials = find_credentials(credentials_file, environ=os.environ, warn=output.warn)
        with tempfile.TemporaryDirectory() as folder:
            kept = Path(folder) / "journal" if journal is None and report is not None else journal
            client = logged_in(credentials, way, output, document, journal=kept)
            conversations: list[Conversation] = []
            try:
                return await _place(dialling, plan, client, output, document, conversations)
            finally:
                if report is not None and kept is not None and kept.exists():
                    turns = {str(each.call.id): each.turns for each in conversations}
                    await asyncio.to_thread(make_page, kept, report, recording=plan.record, hide=True, turns=turns)
                    document["report"] = str(report)
                    output.done(f"Page: {clean(str(report))}")

    perform(output, work)


async def _place(
    dialling: Dialling,
    plan: Plan,
    logged_in: AbstractAsyncContextManager[TelnyxRTC],
    output: Output,
    document: JsonObject,
    conversations: list[Conversation],
) -> Exit:
    """Dial, carry out the plan, and sum up, also when it is interrupted half-way."""
    try:
        async with loudspeaker(dialling.speaker, output) as hear, logged_in as client:
            call = await client.new_call(
                dialling.destination,
                caller_number=dialling.caller_number,
                caller_name=dialling.caller_name,
                custom_headers=dialling.headers,
                preferred_codecs=dialling.codecs,
                mic_id=register_microphone(client, dialling.mic),
            )
            hear(call)
            conversation = Conversation(call, plan, output, dialling.destination)
            conversations.append(conversation)
            # The session's, besides those of the call.
            client.on(ErrorRaised, conversation.note_code)
            client.on(WarningRaised, conversation.note_code)
            await conversation.run(timeout=dialling.timeout)
    finally:
        for each in conversations:
            await each.finish()
            document |= each.document()
            show_summary(output, each)
    return conversation.status
