"""The list of commands."""

import typer

from telnyx_drivers.cli.call import call
from telnyx_drivers.cli.demo import demo
from telnyx_drivers.cli.diagnose import diagnose
from telnyx_drivers.cli.gateway import gateway
from telnyx_drivers.cli.listen import listen
from telnyx_drivers.cli.replay import replay
from telnyx_drivers.cli.report import report

app = typer.Typer(
    name="telnyx-rtc",
    help="Telnyx WebRTC calls from the shell. Start with: telnyx-rtc demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command in (demo, call, listen, gateway, diagnose, report, replay):
    app.command()(command)
