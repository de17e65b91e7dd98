"""The list of commands."""

from typing import Annotated

import typer

from telnyx_core._version import VERSION
from telnyx_drivers._tools.cli.call import call
from telnyx_drivers._tools.cli.demo import demo
from telnyx_drivers._tools.cli.diagnose import diagnose
from telnyx_drivers._tools.cli.explain import explain
from telnyx_drivers._tools.cli.gateway import gateway
from telnyx_drivers._tools.cli.listen import listen
from telnyx_drivers._tools.cli.load import load
from telnyx_drivers._tools.cli.prove import prove
from telnyx_drivers._tools.cli.replay import replay
from telnyx_drivers._tools.cli.report import report
from telnyx_drivers._tools.cli.talk import talk
from telnyx_drivers._tools.cli.token import token

app = typer.Typer(
    name="telnyx-rtc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"telnyx-rtc {VERSION}")
        raise typer.Exit


@app.callback()
def main(
    *,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Telnyx WebRTC calls from the shell. Start with: telnyx-rtc demo"""


for command in (demo, call, talk, listen, load, gateway, diagnose, prove, report, replay, token, explain):
    app.command()(command)
