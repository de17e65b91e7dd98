"""``telnyx-rtc diagnose``"""

import os
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Self

import typer
from rich.panel import Panel
from rich.status import Status
from rich.table import Table

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.options import ClientOptions, IceServer
from telnyx_drivers._tools.cli.account import CredentialsOption, JsonFlag, UrlOption
from telnyx_drivers._tools.cli.credentials import NAMES, Credentials, find_credentials
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform

if TYPE_CHECKING:
    from telnyx_drivers.diagnose.report import Plan, Report

ICE_USERNAME: Final = "TELNYX_ICE_USERNAME"
ICE_CREDENTIAL: Final = "TELNYX_ICE_CREDENTIAL"

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
    caller_number: Annotated[
        str, typer.Option("--from", envvar="TELNYX_CALLER_NUMBER", help="The caller's number.")
    ] = "",
    seconds: Annotated[float, typer.Option(min=2, max=120, help="How long the test call talks.")] = 6,
    ice_server: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="Try and use this STUN or TURN server instead of the platform's; may be repeated. "
            f"User and credential: {ICE_USERNAME}, {ICE_CREDENTIAL} in the environment.",
        ),
    ] = None,
    relay: Annotated[bool, typer.Option("--relay", help="Let audio go through TURN servers only.")] = False,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    json: JsonFlag = False,
) -> None:
    """Check the way from this machine: DNS, WebSocket, login, STUN and TURN servers, a test call, and its quality.

    Without credentials it checks what needs no account.
    """
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        from telnyx_drivers.diagnose.report import DESTINATION, Plan
        from telnyx_drivers.diagnose.run import diagnose as run

        servers = ice_servers(ice_server, os.environ)
        credentials = None if local else _credentials(credentials_file, output)
        async with _server(local, credentials, url) as (found, address):
            options = _options(found, address, servers, relay=relay)
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


def _options(
    credentials: Credentials | None, url: str | None, servers: tuple[IceServer, ...] | None, *, relay: bool
) -> ClientOptions:
    who = credentials or Credentials(login_token="none")  # noqa: S106  # not used: no login takes place
    return ClientOptions(
        login_token=who.login_token,
        login=who.login,
        password=who.password,
        env=url,
        ice_servers=servers,
        force_relay_candidate=relay,
    )


def ice_servers(urls: Sequence[str] | None, environ: Mapping[str, str]) -> tuple[IceServer, ...] | None:
    """The servers to use. Raises `UsageError` for one that is unusable: the user named it, so it is not skipped."""
    from telnyx_drivers._webrtc.ice_plan import parse_url

    if not urls:
        return None
    username, credential = environ.get(ICE_USERNAME) or None, environ.get(ICE_CREDENTIAL) or None
    for url in urls:
        complaint = parse_url(url, username, credential)
        if isinstance(complaint, str):
            raise UsageError(f"--ice-server {url}: {complaint}.")
    return tuple(IceServer(url, username, credential) for url in urls)


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
