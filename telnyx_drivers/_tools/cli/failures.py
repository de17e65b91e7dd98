"""Errors as text, for a person and for a script."""

from rich.panel import Panel

from telnyx_core._wire.json_types import Json, JsonObject
from telnyx_core.errors import LocalProtocolError, TelnyxError, TelnyxWarning
from telnyx_drivers._exceptions import CallEnded, DriverFailed, TelnyxClientError
from telnyx_drivers._tools.cli.output import Output, clean

EXPECTED = (TelnyxClientError, LocalProtocolError, OSError)
"""What can fail outside the program. Any other exception is a fault of this package and shows its traceback."""

_OURS = "This is a fault of telnyx-rtc. Please report it, with the cause above."


def describe(error: Exception) -> JsonObject:
    """The members ``type`` and ``message``, and from the catalogue ``code``, ``name``, ``causes`` and ``solutions``."""
    document: JsonObject = {"type": type(error).__name__, "message": str(error)}
    if isinstance(error, TelnyxClientError) and (entry := error.error) is not None:
        document |= members(entry)
        if entry.original is not None:
            document["original"] = str(entry.original)
    if isinstance(error, CallEnded):
        document |= {"cause": error.cause.cause, "cause_code": error.cause.cause_code}
    return document


def show(output: Output, error: Exception) -> None:
    """A panel on standard error: what happened, why it may have, and what helps."""
    lines = [clean(str(error))]
    title = "Failed"
    if isinstance(error, TelnyxClientError) and (entry := error.error) is not None:
        title = f"{entry.code} {entry.name}"
        if entry.original is not None and str(entry.original) not in lines[0]:
            lines.append(f"[dim]{clean(str(entry.original))}[/]")
        lines += advice(entry)
    if isinstance(error, DriverFailed):
        lines += [f"[dim]{clean(repr(error.__cause__))}[/]", "", _OURS]
    output.errors.print(Panel("\n".join(lines), title=clean(title), title_align="left", border_style="red"))


def members(entry: TelnyxError | TelnyxWarning) -> JsonObject:
    """What a document says of an entry of the catalogue."""
    causes: list[Json] = [*entry.causes]
    solutions: list[Json] = [*entry.solutions]
    return {"code": entry.code, "name": entry.name, "causes": causes, "solutions": solutions}


def advice(entry: TelnyxError | TelnyxWarning) -> list[str]:
    """The causes of an entry of the catalogue and what helps, as lines of markup for `Output`."""
    return _bullets("Possible causes", entry.causes) + _bullets("What helps", entry.solutions)


def _bullets(heading: str, items: tuple[str, ...]) -> list[str]:
    return ["", f"[bold]{heading}[/]", *(f" • {clean(item)}" for item in items)] if items else []
