"""The list of commands."""

from typing import Annotated

import typer

from telnyx_core._version import VERSION
from telnyx_drivers._tools.cli.call import call
from telnyx_drivers._tools.cli.demo import demo
from telnyx_drivers._tools.cli.diagnose import diagnose
from telnyx_drivers._tools.cli.examples import USAGES
from telnyx_drivers._tools.cli.exits import UsageError
from telnyx_drivers._tools.cli.explain import explain
from telnyx_drivers._tools.cli.gateway import gateway
from telnyx_drivers._tools.cli.listen import listen
from telnyx_drivers._tools.cli.load import load
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.profile import use_profile
from telnyx_drivers._tools.cli.prove import prove
from telnyx_drivers._tools.cli.replay import replay
from telnyx_drivers._tools.cli.report import report
from telnyx_drivers._tools.cli.talk import talk
from telnyx_drivers._tools.cli.token import token
from telnyx_drivers._tools.cli.watch import phone, watch

app = typer.Typer(
    name="telnyx-rtc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"telnyx-rtc {VERSION}")
        raise typer.Exit


@app.callback()
def main(
    *,
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            envvar="TELNYX_RTC_PROFILE",
            help="Take the TELNYX_ variables of NAME.env in the folder of this program's settings.",
        ),
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_say_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Telnyx WebRTC calls from the shell. Start with: telnyx-rtc demo"""
    if profile:
        try:
            use_profile(profile, warn=Output(json=False).warn)
        except UsageError as error:
            raise typer.BadParameter(str(error), param_hint="--profile") from None


for command in (demo, call, talk, listen, phone, watch, load, gateway, diagnose, prove, report, replay, token, explain):
    app.command(epilog=USAGES[command.__name__].epilog)(command)
