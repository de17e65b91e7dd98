"""Running a command's coroutine: exit status and document, however it ended."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine
from typing import NoReturn, TypeAlias

import typer

from telnyx_core._wire.json_types import JsonObject
from telnyx_core.errors import OptionsError
from telnyx_drivers._tools.cli.exits import HINT, Exit, UsageError
from telnyx_drivers._tools.cli.extras import MEDIA
from telnyx_drivers._tools.cli.failures import EXPECTED, describe, show
from telnyx_drivers._tools.cli.output import Output

Work: TypeAlias = Callable[[JsonObject], Coroutine[None, None, Exit]]
"""Does a command's work and writes what a script wants to know into the document as it becomes known."""


def perform(output: Output, work: Work, *, serves: bool = False) -> NoReturn:
    """`finish` what takes a loop.

    ``serves``: it runs until it is told to end, so a SIGTERM is no failure.
    """
    finish(output, lambda document: asyncio.run(_until_told(work(document))), serves=serves)


def finish(output: Output, work: Callable[[JsonObject], Exit], *, serves: bool = False) -> NoReturn:
    """Do the work, say how it ended, emit its document, and leave with its status."""
    document: JsonObject = {}
    status = _attempt(output, work, document, serves)
    output.emit({"ok": status is Exit.OK, "status": status.name.lower(), **document})
    raise typer.Exit(status)


def _attempt(output: Output, work: Callable[[JsonObject], Exit], document: JsonObject, serves: bool) -> Exit:
    try:
        return work(document)
    except _Told:
        output.errors.print("[yellow]Told to end.[/]")
        return Exit.OK if serves else Exit.INTERRUPTED
    except (KeyboardInterrupt, asyncio.CancelledError):
        output.errors.print("[yellow]Interrupted.[/]")
        return Exit.INTERRUPTED
    except (UsageError, OptionsError) as error:  # a command's options come from its line and the environment alone
        output.error(str(error))
        document["error"] = describe(error)
        return Exit.USAGE
    except ModuleNotFoundError as error:
        if error.name not in MEDIA:
            raise
        output.error(HINT.format(f"{error.name} is"))
        document["error"] = {"type": "MediaUnavailable", "message": str(error)}
        return Exit.USAGE
    except EXPECTED as error:
        show(output, error)
        document["error"] = describe(error)
        return Exit.FAILED


class _Told(Exception):
    """SIGTERM has ended the work, after calls were hung up and files were finished."""


async def _until_told(work: Coroutine[None, None, Exit]) -> Exit:
    """SIGTERM and SIGHUP, like Ctrl-C, cancel the work, so that calls are hung up and files are finished."""
    task = asyncio.ensure_future(work)
    told: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        told.append(number)
        task.cancel()

    for number in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(NotImplementedError, RuntimeError):  # Windows; not the main thread
            asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if signal.SIGTERM in told:
            raise _Told from None
        raise
