"""``telnyx-rtc prove``"""

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.panel import Panel
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
from telnyx_drivers._tools.cli.arguments import check_writable, parse_ice_servers
from telnyx_drivers._tools.cli.credentials import Credentials, find_credentials
from telnyx_drivers._tools.cli.diagnose import Live
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.extras import need_media
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.report import check_extras
from telnyx_drivers._tools.cli.running import perform

if TYPE_CHECKING:
    from telnyx_drivers._tools.prove.bundle import Proof
    from telnyx_drivers._tools.prove.evidence import Evidence, Step
    from telnyx_drivers._tools.prove.plan import Plan

_LOOKS: Final = {"agrees": ("green", "✓"), "differs": ("yellow", "≠"), "unknown": ("dim", "?")}
_USER: Final = "prove"


def prove(
    local: Annotated[
        bool,
        typer.Option("--local", help="Ask a gateway of its own on this machine; needs no account and costs nothing."),
    ] = False,
    to: Annotated[
        str | None, typer.Option(metavar="DEST", help="Whom the calls call; best an echo.", show_default=False)
    ] = None,
    back: Annotated[
        str | None,
        typer.Option(metavar="DEST", help="A number that rings this very user, to see what comes inward."),
    ] = None,
    caller_number: CallerNumberOption = "",
    only: Annotated[
        list[str] | None, typer.Option(metavar="STEP", help="Only this step; may be repeated. Without it, all.")
    ] = None,
    away: Annotated[float, typer.Option(min=1, max=115, help="Seconds without a socket in the step 'away'.")] = 100,
    drift: Annotated[float, typer.Option(min=20, max=900, help="Seconds of the call in the step 'drift'.")] = 180,
    ice_server: IceServerOption = None,
    relay: RelayFlag = False,
    region: RegionOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The bundle, a zip file.")] = Path("telnyx-prove.zip"),
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before dialling.")] = False,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    verbose: VerboseFlag = 0,
    json: JsonFlag = False,
) -> None:
    """Make the calls that show how the server really behaves, and write one bundle that tells of it.

    Says first what will be dialled, and asks. Secrets and people are not in the bundle.
    """
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        from telnyx_drivers._tools.prove.evidence import Evidence
        from telnyx_drivers._tools.prove.plan import Plan
        from telnyx_drivers.diagnose.report import DESTINATION

        need_media()
        check_extras()
        check_writable(out, "--out")
        steps = _steps(only)
        servers = parse_ice_servers(ice_server, os.environ)
        credentials = None if local else find_credentials(credentials_file, environ=os.environ, warn=output.warn)
        async with _server(credentials) as (who, address):
            way = Way(url=address or url, region=None if local else region, relay=relay, ice_servers=servers)
            options = way.options(who)
            plan = Plan(
                options=options,
                destination=to or ("echo" if local else DESTINATION),
                back=back or (_USER if local else None),
                caller_number=caller_number or (_USER if local else ""),
                steps=steps,
                away_seconds=away,
                drift_seconds=drift,
            )
            await _ask(output, plan, agreed=yes or local)
            evidence: list[Evidence] = []
            with tempfile.TemporaryDirectory() as folder:
                await _carry_out(output, plan, Path(folder), evidence, out, document)
        return Exit.DEGRADED if any(each.failure for each in evidence) else Exit.OK

    perform(output, work)


def _steps(only: list[str] | None) -> "tuple[Step, ...]":
    from telnyx_drivers._tools.prove.evidence import STEPS

    unknown = [name for name in only or () if name not in STEPS]
    if unknown:
        raise UsageError(f"--only {unknown[0]}: the steps are {', '.join(STEPS)}.")
    return tuple(step for step in STEPS if not only or step in only)


@asynccontextmanager
async def _server(credentials: Credentials | None) -> AsyncGenerator[tuple[Credentials, str | None], None]:
    """The credentials, and the server's address if it is a gateway of this program."""
    if credentials is not None:
        yield credentials, None
        return
    from telnyx_drivers.gateway import Gateway

    password = secrets.token_urlsafe()
    async with Gateway(users={_USER: password}) as gateway:
        yield Credentials(login=_USER, password=password), gateway.url


async def _ask(output: Output, plan: "Plan", *, agreed: bool) -> None:
    """Show the cost, and continue only if the user agrees. Raises `UsageError`."""
    from telnyx_drivers._tools.prove.run import NAMES

    table = Table("step", "", "calls", "seconds", box=None, padding=(0, 3, 0, 0), header_style="dim")
    for step in plan.carried_out:
        calls, seconds = plan.cost(step)
        table.add_row(step, NAMES[step], str(calls or "-"), f"{seconds:.0f}")
    calls, seconds = plan.total()
    output.console.print(table)
    inward = "" if plan.back is None else f", one of them to {clean(plan.back)}"
    output.say(
        f"[bold]{calls} calls[/] to {clean(plan.destination)}{inward}, at your account's rates; "
        f"about {max(1, round(seconds / 60))} min."
    )
    if agreed or calls == 0:
        return
    if output.json or not output.console.is_terminal:
        raise UsageError("Nothing was dialled: there is nobody to ask here. Say --yes.")
    if not await asyncio.to_thread(typer.confirm, "Place them?", default=False):
        raise UsageError("Nothing was dialled.")


async def _carry_out(
    output: Output, plan: "Plan", folder: Path, evidence: "list[Evidence]", out: Path, document: JsonObject
) -> None:
    """However it ends, write what there is."""
    from telnyx_drivers._tools.prove.bundle import where_to_send, write_bundle
    from telnyx_drivers._tools.prove.run import proof_of, prove

    complete = False
    try:
        with Live(output) as live:
            await prove(plan, folder, live, evidence)
        complete = True
    finally:
        if evidence:
            proof = proof_of(plan, evidence, complete=complete)
            document |= write_bundle(out, proof)
            document["bundle"] = str(out)
            _show(output, proof)
            output.done(f"{clean(str(out))}. {clean(where_to_send())}")


def _show(output: Output, proof: "Proof") -> None:
    rows = Table.grid(padding=(0, 1))
    for finding in proof.findings:
        colour, mark = _LOOKS[finding.verdict]
        if finding.verdict != "unknown" or not finding.seen.startswith("not asked"):
            rows.add_row(
                f"[{colour}]{mark}[/]", finding.rule, f"{clean(finding.claim)} [dim]– {clean(finding.seen)}[/]"
            )
    counts = ", ".join(f"{proof.count(verdict)} {word}" for verdict, word in _WORDS.items())
    title = f"The server: {counts}"
    output.console.print(Panel(rows, title=title, title_align="left", border_style="green", expand=False))


_WORDS: Final = {"agrees": "as believed", "differs": "not so", "unknown": "unknown"}
