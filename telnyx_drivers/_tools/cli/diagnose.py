"""``telnyx-rtc diagnose``"""

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

import typer
from rich.panel import Panel
from rich.status import Status
from rich.table import Table

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._tools.cli.account import (
    CallerNumberOption,
    CredentialsOption,
    IceServerOption,
    JsonFlag,
    RegionOption,
    RelayFlag,
    UrlOption,
    VerboseFlag,
    Way,
)
from telnyx_drivers._tools.cli.arguments import parse_ice_servers
from telnyx_drivers._tools.cli.credentials import NAMES, Credentials, find_credentials
from telnyx_drivers._tools.cli.exits import Exit
from telnyx_drivers._tools.cli.extras import need_media
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform

if TYPE_CHECKING:
    from telnyx_drivers.diagnose.report import Plan, Report

_EXITS: Final = {"ready": Exit.OK, "degraded": Exit.DEGRADED}
_LOOKS: Final = {"ready": ("green", "✓"), "degraded": ("yellow", "!")}


def diagnose(
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Check against a gateway of its own on this machine, with a user of its own; needs no account.",
        ),
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="DEST", help="Whom the test call calls; best an echo.", show_default=False)
    ] = None,
    caller_number: CallerNumberOption = "",
    seconds: Annotated[float, typer.Option(min=2, max=120, help="How long the test call talks.")] = 6,
    ice_server: IceServerOption = None,
    relay: RelayFlag = False,
    region: RegionOption = None,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    verbose: VerboseFlag = 0,
    json: JsonFlag = False,
) -> None:
    """Check the way from this machine: DNS, WebSocket, login, STUN and TURN servers, a test call, and its quality.

    Without credentials it checks what needs no account.
    """
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        from telnyx_drivers.diagnose.report import DESTINATION, Plan
        from telnyx_drivers.diagnose.run import diagnose as run

        need_media()
        servers = parse_ice_servers(ice_server, os.environ)
        credentials = None if local else _credentials(credentials_file, output)
        async with _server(local, credentials, url) as (found, address):
            way = Way(url=address, region=None if local else region, relay=relay, ice_servers=servers)
            # Without credentials no login takes place.
            options = way.options(found or Credentials(login_token="none"))  # noqa: S106
            plan = Plan(
                options=options,
                log_in=found is not None,
                destination=to or ("echo" if local else DESTINATION),
                caller_number=caller_number or ("diagnose" if local else ""),
                seconds=seconds,
            )
            with Live(output) as live:
                report = await run(plan, live)
        document |= report.document()
        _show(output, plan, report)
        return _EXITS.get(report.judgement.verdict or "", Exit.FAILED)

    perform(output, work)


def _credentials(file: Path | None, output: Output) -> Credentials | None:
    if file is None and not any(os.environ.get(name) for name in NAMES):
        output.warn("No credentials: the login and the test call are left out.")
        return None
    return find_credentials(file, environ=os.environ, warn=output.warn)


@asynccontextmanager
async def _server(
    local: bool, credentials: Credentials | None, url: str | None
) -> AsyncGenerator[tuple[Credentials | None, str | None], None]:
    """The credentials, and the server's address."""
    if not local:
        yield credentials, url
        return
    from telnyx_drivers.gateway import Gateway

    password = secrets.token_urlsafe()
    async with Gateway(users={"diagnose": password}) as gateway:
        yield Credentials(login="diagnose", password=password), gateway.url


class Live:
    """Implements `Listener`: a spinner for the present step, and a line for each finished one."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._status: Status | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begins(self, what: str) -> None:
        if self._status is None:
            self._status = self._output.working(what)
            self._status.start()
        else:
            self._status.update(clean(what))

    def done(self, text: str, *, ok: bool = True, detail: str = "") -> None:
        mark = "[green]✓[/]" if ok else "[red]✗[/]"
        self._output.say(f"{mark} {clean(text)}" + (f" [dim]– {clean(detail)}[/]" if detail else ""))


def _show(output: Output, plan: "Plan", report: "Report") -> None:
    judgement = report.judgement
    colour, mark = _LOOKS.get(judgement.verdict or "", ("red", "✗"))
    verdict = (judgement.verdict or "").replace("_", " ")
    asides = [note.message for note in judgement.warnings]
    if not plan.log_in:
        asides.append("The login and a test call were not checked: there are no credentials.")
    rows = Table.grid(padding=(0, 1))
    rows.add_row(f"[{colour}]{mark}[/]", f"[{colour}]{verdict}[/]")
    for note in judgement.reasons:
        rows.add_row(f"[{colour}]•[/]", clean(note.message))
    for number, aside in enumerate(asides):
        rows.add_row("[dim]•[/]", f"[dim]{'' if number else 'Also: '}{clean(aside)}[/]")
    output.console.print(Panel(rows, title="Diagnosis", title_align="left", border_style=colour, expand=False))
