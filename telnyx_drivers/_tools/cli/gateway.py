"""``telnyx-rtc gateway``"""

import secrets
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from telnyx_core._wire.json_types import JsonObject, JsonView
from telnyx_core.gateway.events import (
    CallAnswered,
    CallEnded,
    CallRecordingReceived,
    CallReportReceived,
    CallStarted,
    ClientLoggedIn,
    ClientLost,
    DigitsReceived,
    GatewayEvent,
    LoginRefused,
    MessageReceived,
)
from telnyx_drivers._tools.cli.account import JsonFlag
from telnyx_drivers._tools.cli.credentials import read_pairs
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.metrics import MetricsOption, measured
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform

if TYPE_CHECKING:
    from telnyx_drivers.gateway import Gateway
    from telnyx_drivers.telemetry import Meter


def gateway(
    user: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A user who may log in, with a password made up and shown; may be repeated."),
    ] = None,
    users_file: Annotated[Path | None, typer.Option(help="Users with their passwords, in lines NAME=PASSWORD.")] = None,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="The port to listen on; 0 takes a free one.")] = 0,
    metrics: MetricsOption = None,
    json: JsonFlag = False,
) -> None:
    """Run the embedded gateway, for programs to call instead of Telnyx. Ctrl-C ends it.

    With --json the one document comes at the start: the URL, and the passwords that were made up.
    """
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        from telnyx_drivers.gateway import Gateway

        made_up = {name: secrets.token_urlsafe(12) for name in user or ()}
        given = {} if users_file is None else read_pairs(users_file, warn=output.warn)
        if not made_up and not given:
            raise UsageError("Nobody could log in: name a user with --user or --users-file.")
        with measured(metrics, output, document) as meters:
            async with Gateway(users={**made_up, **given}, host=host, port=port) as running:
                document |= {"url": running.url, "users": {**made_up}}
                output.emit({"ok": True, "status": "ok", **document})
                _introduce(running, made_up, given, output)
                await _tell(running, meters, output)
        return Exit.OK

    perform(output, work, serves=True)


async def _tell(running: "Gateway", meters: "tuple[Meter, ...]", output: Output) -> None:
    from telnyx_drivers.telemetry.gateway import GatewayObserver

    observer = GatewayObserver(meters)
    async for event in running.events():
        observer.note(event)
        if line := describe(event):
            output.say(f"[dim]{datetime.now().astimezone():%H:%M:%S}[/]  {line}")


def _introduce(running: "Gateway", made_up: dict[str, str], given: dict[str, str], output: Output) -> None:
    output.done(f"Gateway listening on [bold]{running.url}[/]")
    table = Table("user", "password", box=None, padding=(0, 3, 0, 2), header_style="dim")
    for name in {**made_up, **given}:
        table.add_row(clean(name), "[dim]yours[/]" if name in given else made_up[name])
    output.console.print(table)
    numbers = ", ".join(running.core.options.routes)
    output.say(f"Numbers: {numbers}, and the users' names. Ctrl-C ends it.")


def describe(event: GatewayEvent) -> str:
    """One line of rich's markup for an event that is worth showing; empty for the rest."""
    match event:
        case ClientLoggedIn(user=user, resumed=resumed):
            return f"[bold]{clean(user)}[/] {'is back' if resumed else 'logged in'}"
        case LoginRefused(user=user, reason=reason):
            return f"[yellow]login of {clean(user or 'nobody')} refused:[/] {clean(reason)}"
        case ClientLost(user=user, code=code) if user is not None:
            return f"[bold]{clean(user)}[/] is gone [dim]({code})[/]"
        case CallStarted(user=user, direction="outbound", destination=destination):
            return f"[bold]{clean(user)}[/] calls [bold]{clean(destination)}[/]"
        case CallStarted(user=user, caller_number=number):
            return f"[bold]{clean(number or 'somebody')}[/] rings [bold]{clean(user)}[/]"
        case CallAnswered(call=call):
            return f"call {clean(call)} answered"
        case CallEnded(call=call, cause=cause, by=by):
            return f"call {clean(call)} ended by the {by.replace('_', ' ')}: {clean(cause.cause or 'no cause')}"
        case DigitsReceived(call=call, digits=digits):
            return f"call {clean(call)}: pressed {clean(digits)}"
        case MessageReceived(sender=sender, to=to, body=body):
            return f"message from {clean(sender)} to {clean(to)}: {clean(body)}"
        case CallReportReceived(call=call):
            return f"call {clean(call)}: a report came [dim](part {_part(event.report)})[/]"
        case CallRecordingReceived(call=call, track=track):
            return f"call {clean(call)}: some of its {clean(track)} audio came"
        case _:
            return ""


def _part(report: JsonView) -> int:
    number = report.get("segment")
    return number + 1 if isinstance(number, int) else 1
