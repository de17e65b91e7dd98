"""``telnyx-rtc demo``: one real call on this machine, measured."""

import asyncio
import secrets
from importlib.resources import as_file
from pathlib import Path
from typing import Annotated, Final

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._assets import HELLO
from telnyx_drivers._exceptions import TelnyxClientError
from telnyx_drivers._tools.cli.account import JsonFlag, VerboseFlag, Way, logged_in
from telnyx_drivers._tools.cli.arguments import check_writable
from telnyx_drivers._tools.cli.conversation import Conversation, Plan
from telnyx_drivers._tools.cli.credentials import Credentials
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.extras import need_media
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.cli.summary import show_summary
from telnyx_drivers._tools.cli.timeline import milliseconds

LIMIT: Final = 25.0
"""Seconds for all of it; the sentence takes four and a half of them."""
BOT_LIMIT: Final = 60.0
"""Seconds for ``--bot``; the conversation takes some twenty of them."""
ANSWERED_WITHIN: Final = 10.0
LEAD: Final = 1.0
"""Seconds before the first word."""
TAIL: Final = 1.0
"""Seconds to listen after the last one: an echo over loopback is back in a tenth of that."""
LIKE_ENOUGH: Final = 0.9
"""Correlation from which on an echo counts as the sentence that was said."""


def demo(
    record: Annotated[Path, typer.Option(help="Where the call is recorded: you left, the echo right.")] = Path(
        "telnyx-demo.wav"
    ),
    bot: Annotated[
        bool,
        typer.Option("--bot", help="Let a bot and a caller talk instead, in half a minute, and make a page of it."),
    ] = False,
    report: Annotated[Path, typer.Option(help="Where the page of --bot goes.")] = Path("telnyx-demo.html"),
    verbose: VerboseFlag = 0,
    json: JsonFlag = False,
) -> None:
    """Call the embedded gateway's echo, say a sentence, and measure what comes back. Needs no account."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        need_media()
        check_writable(record)
        limit = BOT_LIMIT if bot else LIMIT
        try:
            async with asyncio.timeout(limit):
                if bot:
                    return await _let_them_talk(record, check_writable(report, "--report"), output, document)
                return await _demonstrate(record, output, document)
        except TimeoutError:
            raise TelnyxClientError(f"the demo was not over within {limit:g} seconds") from None

    perform(output, work)


async def _let_them_talk(record: Path, report: Path, output: Output, document: JsonObject) -> Exit:
    from telnyx_drivers._tools.cli.bot_demo import demonstrate, page_for, spoken

    async with spoken() as lines:
        return await demonstrate(lines, output, document, record=record, page=page_for(report, output))


async def _demonstrate(record: Path, output: Output, document: JsonObject) -> Exit:
    # Imported late: without the media extra the command line still explains itself.
    from telnyx_core.gateway.options import GatewayOptions
    from telnyx_drivers.diagnose.echo import measure_echo, read_wav
    from telnyx_drivers.gateway import Gateway

    password = secrets.token_urlsafe()
    with as_file(HELLO) as hello:
        async with Gateway(GatewayOptions(users={"demo": password})) as gateway:
            output.done(f"Gateway listening on {gateway.url}")
            credentials = Credentials(login="demo", password=password)
            async with logged_in(credentials, Way(url=gateway.url), output, document) as client:
                call = await client.new_call("echo", caller_number="demo")
                plan = Plan(play=hello, lead=LEAD, tail=TAIL, record=record)
                conversation = Conversation(call, plan, output, "echo")
                await conversation.run(timeout=ANSWERED_WITHIN)
            await conversation.finish()
        played = read_wav(hello)[1][:, 0]
    echo = await asyncio.to_thread(measure_echo, played, record)
    document["echo"] = {
        "seconds": round(echo.seconds, 2),
        "delay_ms": milliseconds(echo.delay),
        "drift_ms": milliseconds(echo.drift),
        "correlation": round(echo.correlation, 4),
    }
    if echo.correlation < LIKE_ENOUGH:
        conversation.faults.append("What came back is not like what was said.")
    document |= conversation.document()
    works = conversation.status is Exit.OK
    title = "Your call works in both directions" if works else "The call was had, but not as it should be"
    show_summary(output, conversation, title=title, echo=echo)
    return conversation.status
