"""``telnyx-rtc explain``: what an error or a warning means, and what helps."""

from typing import Annotated

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.catalogue import ErrorCode, WarningCode, make_error, make_warning
from telnyx_core.errors import TelnyxError, TelnyxWarning
from telnyx_drivers._tools.cli.exits import Exit, UsageError
from telnyx_drivers._tools.cli.failures import advice, members
from telnyx_drivers._tools.cli.output import Output, clean
from telnyx_drivers._tools.cli.running import finish


def explain(
    what: Annotated[str, typer.Argument(help="A code or a name, such as 45001 or HIGH_JITTER.", metavar="CODE")],
    json: Annotated[bool, typer.Option("--json", help="One JSON document on the last line of stdout.")] = False,
) -> None:
    """Say what an error or a warning means, and what helps. Needs no network."""
    output = Output(json=json)

    def work(document: JsonObject) -> Exit:
        entry = find(what)
        document |= {**members(entry), "message": entry.message, "description": entry.description}
        lines = [f"[bold]{entry.code} {entry.name}[/]", clean(entry.message), "", clean(entry.description)]
        output.console.print("\n".join([*lines, *advice(entry)]))
        return Exit.OK

    finish(output, work)


def find(what: str) -> TelnyxError | TelnyxWarning:
    """The entry of a code or a name; raises `UsageError`."""
    wanted = what.strip().upper()
    for error in ErrorCode:
        if wanted in (str(int(error)), error.name):
            return make_error(error)
    for warning in WarningCode:
        if wanted in (str(int(warning)), warning.name):
            return make_warning(warning)
    raise UsageError(f"{what} is no code or name of an error or a warning, such as 45001 or HIGH_JITTER")
