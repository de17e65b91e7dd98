"""``telnyx-rtc replay``: a journal, shown as a ladder and given to a fresh session."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.journal.recorded_session import Replay, ReplayDiffers
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.ladder import draw, heading, rungs
from telnyx_drivers._tools.cli.output import Output
from telnyx_drivers._tools.cli.running import finish


def replay(
    file: Annotated[Path, typer.Argument(help="A journal that a client has kept.", exists=True, dir_okay=False)],
    json: Annotated[bool, typer.Option("--json", help="One JSON document on the last line of stdout.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only compare; draw no ladder.")] = False,
) -> None:
    """Show a journal as a ladder diagram, and fail where a fresh session acts otherwise."""
    output = Output(json=json)

    def work(document: JsonObject) -> Exit:
        try:
            recorded = Replay.from_file(str(file))
            recorded.session()  # raises unless the journal has the options and the seed
            rows = rungs(recorded)
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} is no journal: {error}") from None
        if not quiet:
            output.console.print(Text(heading(), style="bold"), soft_wrap=True)
            for rung in rows:
                output.console.print(Text(draw(rung), style="red" if rung.bad else ""), soft_wrap=True)
        difference, compared = None, 0
        try:
            compared = recorded.check()
        except (ReplayDiffers, ValueError) as error:
            difference = str(error)
            output.errors.print(Text(f"The session acts otherwise.\n{difference}", style="red"))
        else:
            output.done(f"{compared} actions, the same as recorded.")
        document |= {
            "entries": len(recorded.entries),
            "actions": compared,
            "same": difference is None,
            "difference": difference,
        }
        return Exit.OK if difference is None else Exit.FAILED

    finish(output, work)
