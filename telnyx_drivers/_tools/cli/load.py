"""``telnyx-rtc load``"""

import asyncio
import contextlib
import ipaddress
import json as json_codec
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

import typer
from rich.panel import Panel
from rich.table import Table

from telnyx_core._wire.json_types import JsonObject
from telnyx_drivers._tools.cli.account import CredentialsOption, JsonFlag, UrlOption, Way, logged_in
from telnyx_drivers._tools.cli.arguments import check_writable
from telnyx_drivers._tools.cli.credentials import Credentials, find_credentials
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.metrics import MetricsOption, measured
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import perform
from telnyx_drivers._tools.load.find import Search, Trial, find
from telnyx_drivers._tools.load.outcome import Summary
from telnyx_drivers._tools.load.page import page
from telnyx_drivers._tools.load.run import Load, Pace
from telnyx_drivers._tools.load.scenario import DEFAULT, Step, Wait, parse
from telnyx_drivers.asyncio import TelnyxRTC

_START: Final = 30.0
"""Seconds for the gateway's process to begin."""
_TRIAL: Final = 8.0
"""Seconds that the calls of one trial last, beside its ramp."""
_MOST_BAD: Final = 0.01
"""The share of bad frames that `--find` allows."""


def load(
    destination: Annotated[str, typer.Argument(metavar="DEST", help="What each call dials.")] = "echo",
    cps: Annotated[float, typer.Option("--cps", min=0.01, max=1_000, help="Calls that begin each second.")] = 1.0,
    concurrency: Annotated[int, typer.Option(min=1, max=10_000, help="Calls at the same time, at most.")] = 10,
    ramp: Annotated[float, typer.Option(min=0, help="Seconds in which the rate rises to that.")] = 0.0,
    duration: Annotated[float, typer.Option(min=0.1, max=86_400, help="Seconds in which calls begin.")] = 30.0,
    scenario: Annotated[
        Path | None, typer.Option(help="Lines 'play FILE', 'wait SECONDS', 'digits 12#' and 'hangup'.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page about it.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a line for each call.")] = None,
    find_most: Annotated[
        bool, typer.Option("--find", help="Find how many calls at once keep under 1 % bad frames on this machine.")
    ] = False,
    i_may: Annotated[
        bool, typer.Option("--i-may", help="You are allowed to load a server that is not on this machine.")
    ] = False,
    url: UrlOption = None,
    credentials_file: CredentialsOption = None,
    metrics: MetricsOption = None,
    json: JsonFlag = False,
) -> None:
    """Place many calls, and tell what became of them. Without --url a gateway is started for it on this machine."""
    output = Output(json=json)

    async def work(document: JsonObject) -> Exit:
        if url is not None and not i_may and not is_local(url):
            raise UsageError(f"{url} is not on this machine: --i-may says that you are allowed to load it.")
        steps = _steps(scenario)
        for file, option in ((html, "--html"), (csv, "--csv")):
            if file is not None:
                check_writable(file, option)
        pace = Pace(rate=cps, ramp=ramp, duration=duration, at_once=concurrency)
        trials: tuple[Trial, ...] = ()
        async with contextlib.AsyncExitStack() as stack:
            meters = stack.enter_context(measured(metrics, output, document))
            if url is None:
                where, credentials = await stack.enter_async_context(own_gateway())
            else:
                where, credentials = url, find_credentials(credentials_file, environ=os.environ, warn=output.warn)
            client = await stack.enter_async_context(
                logged_in(credentials, Way(url=where), output, document, meters=meters)
            )
            with output.working("Calling once, to begin with"):
                await Load(client, destination, pace).warm_up()
            if find_most:
                best, trials = await _find(client, destination, concurrency, output)
                document["find"] = best
                summary = max(trials, key=lambda each: each.calls if each.calls <= best else 0).summary
            else:
                summary = await _run(client, destination, pace, steps, output)
        document |= summary.to_mapping()
        document["trials"] = [{"calls": each.calls, **each.summary.to_mapping()} for each in trials]
        title = f"{destination}: {len(summary.outcomes)} calls" if not find_most else f"Up to {document['find']} calls"
        if html is not None:
            await asyncio.to_thread(html.write_text, page(title, summary, trials), encoding="utf-8")
            output.done(f"Page: {clean(str(html))}")
        if csv is not None:
            await asyncio.to_thread(csv.write_text, summary.to_csv(), encoding="utf-8")
        _show(summary, output)
        if find_most:
            return Exit.OK if document["find"] else Exit.DEGRADED
        return Exit.DEGRADED if summary.failures else Exit.OK

    perform(output, work)


def is_local(url: str) -> bool:
    """Whether the server is reached over loopback."""
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _steps(scenario: Path | None) -> tuple[Step, ...]:
    if scenario is None:
        return DEFAULT
    try:
        return parse(scenario.read_text(encoding="utf-8"), scenario.parent)
    except (OSError, ValueError) as error:
        raise UsageError(f"--scenario {scenario}: {error}") from None


@asynccontextmanager
async def own_gateway() -> AsyncGenerator[tuple[str, Credentials], None]:
    """A gateway in a process of its own, so that its work is not counted as the client's."""
    command = (sys.executable, "-m", "telnyx_drivers", "gateway", "--user", "load", "--json")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, stdin=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None, "it is a pipe"
        line = await asyncio.wait_for(process.stdout.readline(), _START)
        told = json_codec.loads(line or b"{}")
        if not told.get("ok"):
            raise OSError("the gateway could not be started")
        yield told["url"], Credentials(login="load", password=told["users"]["load"])
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _run(client: TelnyxRTC, destination: str, pace: Pace, steps: tuple[Step, ...], output: Output) -> Summary:
    with output.working(f"Calling {destination}") as status:

        def told(begun: int, live: int) -> None:
            status.update(f"{begun} calls, {live} now")

        return await Load(client, destination, pace, steps=steps, caller_number="load", told=told).run()


async def _find(client: TelnyxRTC, destination: str, concurrency: int, output: Output) -> tuple[int, tuple[Trial, ...]]:
    async def attempt(calls: int) -> Summary:
        ramp = max(1.0, calls / 20)
        pace = Pace(rate=calls / ramp, duration=ramp + 1.0, at_once=calls, calls=calls)
        summary = await _run(client, destination, pace, (Wait(ramp + _TRIAL),), output)
        share = summary.bad_share
        bad = "unknown" if share is None else f"{100 * share:.3f} %"
        output.say(f"{calls} calls: {bad} bad frames, {sum(summary.failures.values())} failed")
        return summary

    return await find(attempt, Search(least=min(10, concurrency), most=concurrency), most_bad=_MOST_BAD)


def _show(summary: Summary, output: Output) -> None:
    told = summary.to_mapping()
    setup, score = told["setup_ms"], told["mos_mean"]
    bad = told["bad_frames_percent"]
    table = Table.grid(padding=(0, 2))
    table.add_row("Calls", f"{told['calls']}, {told['failed']} failed, at most {told['greatest']} at once")
    if told["held_back"]:
        table.add_row("Held back", f"{told['held_back']}, for as many as allowed were there already")
    if isinstance(setup, dict) and setup:
        table.add_row("Answered", " ms, ".join(f"{name} {value:g}" for name, value in setup.items()) + " ms")
    table.add_row("Bad frames", "unknown" if bad is None else f"{bad} %")
    if score is not None:
        table.add_row("Quality", f"{score} of 5 (MOS, estimated), least {told['mos_min']}")
    output.console.print(Panel(table, title="What became of the calls", title_align="left", expand=False))
    for why, count in summary.failures.items():
        output.warn(f"{count} failed: {why}")
